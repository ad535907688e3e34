"""What is read without the JSON parser is what the parser would have read; everything else is left to it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from swarm.journal.zeros_and_ones import MARKED, read_quickly

ZERO_ONE = st.sampled_from([0.0, 1.0])
LISTS = st.dictionaries(st.text(max_size=5) | st.just("a[1.0]"), st.lists(ZERO_ONE, min_size=1), min_size=1, max_size=3)
OTHERS = st.lists(st.sampled_from([0, 1, -0.0, 0.5, 10.0, 1.01, True, None, "1.0", "]"]), max_size=3)


def line_of(examples: object, **more: object) -> bytes:
    return json.dumps({"kind": "evaluation", "examples": examples, "n": 1, **more}).encode() + b"\n"


def plain(content: object) -> object:
    """As the parser gives it: lists of floats."""
    assert isinstance(content, dict)
    lists = {name: [*map(float, bits)] for name, bits in content["examples"].items()}
    return content | {"examples": lists}


@given(LISTS)
def test_lists_of_zeros_and_ones_are_what_the_parser_reads(examples: dict[str, list[float]]) -> None:
    line = line_of(examples, after={"examples": {"x": [1.0]}})
    found = read_quickly(line)
    if found is None:  # where a name looks like a list
        assert any("[" in name or "]" in name for name in examples)
    else:
        assert plain(found) == json.loads(line)


@given(LISTS, OTHERS)
def test_one_other_list_leaves_the_line_to_the_parser(examples: dict[str, list[float]], other: list[object]) -> None:
    assert read_quickly(line_of(examples | {"other": other})) is None


@given(LISTS, st.data())
def test_a_line_with_one_byte_changed_is_read_as_the_parser_reads_it_or_not_at_all(
    examples: dict[str, list[float]], data: st.DataObject
) -> None:
    line = bytearray(line_of(examples, error="e"))
    line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.sampled_from(b'01.,[]{}": -\\\xff\x00N'))
    found = read_quickly(bytes(line))
    if found is not None:
        assert plain(found) == from_json(bytes(line), allow_inf_nan=False)


@pytest.mark.parametrize(
    "line",
    [
        b'{"examples": {"x": [1.0, 0.0]}}',  # the first field
        b'{"a": 1, "examples": {"x": [1.0,0.0]}}',
        b'{"a": 1, "examples": {"x": [1.0, 0.0]}',
        b'{"a": 1, "examples": {"x": [1.0, 0.0]}, "b": NaN}',
        b'{"a": 1, "examples": {"x": [1.0], "x": [0.0]}}',
        b'{"a": {"b": 1, "examples": {"x": [1.0]}}, "examples": {"x": [0.0]}}',
        b'{"a": 1, "examples": {"x": [1.0]}, "examples": {"x": [0.5]}}',
        b'{"a": 1, "examples": {"x": [1.0]}, "b": %s000000}' % MARKED,
        b'[1, "examples": {"x": [1.0]}]',
        b"",
    ],
)
def test_any_other_form_is_left_to_the_parser(line: bytes) -> None:
    assert read_quickly(line) is None

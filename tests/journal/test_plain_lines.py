"""What is read without the validator is what the validator would have given; everything else is left to it."""

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import from_json

from swarm.journal.evaluation_record import EvaluationRecord
from swarm.journal.file import text_of
from swarm.journal.packed import PackedScores
from swarm.journal.plain_lines import FIELDS, read_plainly
from swarm.journal.records import read_record

NAMES = st.text(max_size=8) | st.sampled_from(["a", "é", 'q"', "back\\", "}{", "], ", '": [', "\n", "\0", "examples"])
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32) | st.sampled_from([0.0, -0.0, 1.0, 1e-7, 0.1])
SHARES = st.floats(0, 1)
SECONDS = st.floats(0, 1e9)
COUNTS = st.integers(0, 2**62)
TEXTS = ("outputs", "guides", "soft", "margins", "error", "same_as")


@st.composite
def records(draw: st.DrawFn) -> EvaluationRecord:
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    scores = st.sampled_from([0.0, 1.0]) if draw(st.integers(0, 4)) else NUMBERS
    plain = draw(st.booleans())
    content = {
        "kind": draw(st.sampled_from(["evaluation", "select", "test"])),
        "id": draw(NAMES), "iteration": draw(st.none() | COUNTS), "particle": draw(st.none() | COUNTS),
        "split": draw(st.sampled_from(["search", "select", "test"])), "position": draw(st.lists(NUMBERS, max_size=4)),
        "status": draw(st.sampled_from(["ok", "stopped", "failed"])), "scores": {name: draw(SHARES) for name in names},
        "examples": {name: draw(st.lists(scores, max_size=6)) for name in names},
        "outputs": {} if plain else {"a": ["b"]}, "guides": {} if plain else {"a": [0.5]},
        "soft": {name: draw(SHARES) for name in names if draw(st.booleans())}, "margins": {},
        "n_examples": draw(COUNTS), "tokens": draw(COUNTS), "seconds": draw(SECONDS), "compose_seconds": draw(SECONDS),
        "forward_seconds": draw(SECONDS), "method": draw(st.sampled_from(["merged", "stacked", "adapters", "logits"])),
        "worker": draw(NAMES), "error": "" if plain else "broken", "same_as": draw(st.just("") | NAMES),
        "elapsed": draw(SECONDS),
    }  # fmt: skip
    return EvaluationRecord.read(content)


def bits_of(record: EvaluationRecord) -> list[object]:
    """Every field so that -0.0 is not 0.0, with the type of each."""
    values = [getattr(record, each.name) for each in fields(record)]
    return [repr((type(value), value)) for value in values]


@settings(max_examples=300)
@given(records())
def test_a_line_is_read_as_the_validator_reads_it_or_left_to_it(record: EvaluationRecord) -> None:
    line = text_of([record]).encode()
    found = read_plainly(line)
    assert found is None or bits_of(found) == bits_of(read_record(from_json(line)))


@settings(max_examples=300)
@given(records(), st.data())
def test_a_damaged_line_is_never_read_otherwise_than_the_validator_would(
    record: EvaluationRecord, data: st.DataObject
) -> None:
    line = bytearray(text_of([replace(record, soft={}, guides=PackedScores({}))]).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(line) - 1))
        line[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from([b"", b"0", b"9", b'"', b"e", b", ", b"}"])
        )
    found = read_plainly(bytes(line))
    assert found is None or bits_of(found) == bits_of(read_record(from_json(bytes(line))))


def test_what_runs_write_is_read_plainly(finished_run) -> None:
    """Else long journals would be slow to open and no test would fail."""
    lines = (finished_run / "journal.jsonl").read_bytes().splitlines(keepends=True)
    searched = [line for line in lines if json.loads(line)["kind"] in ("evaluation", "select")]
    assert len(searched) > 10
    assert all(read_plainly(line) for line in searched)


def test_every_field_is_set() -> None:
    assert sorted(FIELDS) == sorted(each.name for each in fields(EvaluationRecord))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"seconds": 1.5', b'"seconds": 01.5'),
        (b'"seconds": 1.5', b'"seconds": -1.5'),
        (b'"tokens": 7', b'"tokens": 7.5'),
        (b'"method": "merged"', b'"method": "guessed"'),
        (b'"status": "ok"', b'"status": "fine"'),
        (b"[1.0, 0.0]}", b"[1.0, 0.0], }"),
        (b'{"s": 0.5}, "examples"', b'{"s": 0.5, }, "examples"'),
        (b'"position": [0.25', b'"position": [0.25, 1e999'),
        (b'"s": [1.0', b'"t": [1.0'),
    ],
)
def test_a_wrong_line_is_left_to_the_general_reader(before: bytes, after: bytes) -> None:
    content = {
        "kind": "evaluation", "id": "0-1", "iteration": 0, "particle": 1, "position": [0.25], "status": "ok",
        "scores": {"s": 0.5}, "examples": {"s": [1.0, 0.0]}, "n_examples": 2, "tokens": 7, "seconds": 1.5,
        "compose_seconds": 0.5, "forward_seconds": 0.5, "worker": "w", "elapsed": 3.5,
    }  # fmt: skip
    line = text_of([EvaluationRecord.read(content)]).encode()
    assert read_plainly(line) == EvaluationRecord.read(content)
    assert line.count(before) == 1
    assert read_plainly(line.replace(before, after)) is None

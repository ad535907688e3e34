"""YAML within bounds: what is taken, and how long it takes. What is refused is in support/bad_values.py."""

import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from support.playground import Playground
from swarm.config.load import load_config
from swarm.config.yaml_files import parse
from swarm.core.errors import ConfigError


def test_what_yaml_offers_for_configs_is_taken() -> None:
    text = (
        "a: &x {b: 1, c: [1.5, yes, ~]}\nd: *x\ne: {<<: *x, b: 2}\nf: {<<: {g: 1, h: 2}, h: 3}\ni: !!str 7\nj: |\n  k\n"
    )
    assert parse(text, "case: ") == yaml.safe_load(text)


def test_a_byte_order_mark_is_no_mistake(playground: Playground, tmp_path: Path) -> None:
    (tmp_path / "case.yaml").write_bytes(b"\xef\xbb\xbf" + playground.config_file.read_bytes())
    assert load_config(tmp_path / "case.yaml") == load_config(playground.config_file)


def test_many_keys_take_time_in_proportion(tmp_path: Path) -> None:
    """Three times the keys, not nine times the calls."""
    calls = []
    for count in (1_000, 3_000):
        (tmp_path / "case.yaml").write_text("".join(f"key{i}: {i}\n" for i in range(count)))
        events: Counter[str] = Counter()
        sys.setprofile(lambda frame, event, argument, events=events: events.update((event,)))  # type: ignore[misc]
        try:
            with pytest.raises(ConfigError, match="unknown key 'key0'"):
                load_config(tmp_path / "case.yaml")
        finally:
            sys.setprofile(None)
        calls.append(events["call"] + events["c_call"])
    assert 2 * calls[0] < calls[1] < 4 * calls[0]


def test_a_message_names_key_and_line_of_a_value_far_down() -> None:
    with pytest.raises(ConfigError, match=r"^case: a\.1\.b: '2024-13-45' is no valid !!timestamp .*\(line 3\)$"):
        parse("a:\n- c: 1\n- b: 2024-13-45\n", "case: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("base: b\n- experts\n", "line 2, column 1: expected <block end>, but found '-'"),
        ("base: b\nexperts: a: b\n", "line 2, column 11: mapping values are not allowed here"),
        ("base: b\nexperts\nseed: 1\n", "line 2, column 1: a simple key: could not find expected ':'"),
        ("base: 'b\nseed: 1\n", "line 1, column 7: a quoted scalar: found unexpected end of stream"),
        ("base: b\n---\nbase: c\n", "line 2, column 1: expected a single document in the stream, but found another"),
        ("base: @b\n", "line 1, column 7: found character '@' that cannot start any token"),
    ],
)
def test_what_is_no_yaml_is_named_by_line_and_column(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse(text, "x.yaml: ")
    assert str(refusal.value).startswith(f"x.yaml is not valid YAML ({said}")
    assert str(refusal.value).endswith("); correct it")
    assert "unicode string" not in str(refusal.value)


@pytest.mark.parametrize("text", ["a:\n  " + "[" * 100_000, "a: " + "{b: " * 100_000])
def test_brackets_without_end_are_refused_at_once(text: str) -> None:
    """PyYAML alone takes the square of their number: minutes."""
    with pytest.raises(ConfigError, match="nested more than 50 levels deep"):
        parse(text, "x.yaml: ")

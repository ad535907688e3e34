"""A text of others stays on one line and moves nothing on the screen."""

from pathlib import Path

import pytest

from swarm.core.terminal_text import one_line, shortened, shortened_path


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, Ärger, 模型　名, 🙂", "plain, Ärger, 模型　名, 🙂"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x1b[2J\x07\x9b", r"\x1b[2J\x07\x9b"),
        ("\u2028\u202e\u200b", r"\u2028\u202e\u200b"),
        ("\udcc3\udca9", r"\udcc3\udca9"),
    ],
)
def test_what_would_act_on_the_terminal_is_written_out(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_a_long_path_keeps_its_end_and_a_long_text_its_beginning() -> None:
    path = Path("/", *(["deep"] * 100), "adapters", "maths*")
    assert shortened_path(path).endswith("/adapters/maths*")
    assert shortened_path(path).startswith("...")
    assert len(shortened_path(path)) == 300
    assert shortened_path("a/b") == "a/b"
    assert shortened("x" * 100, 10) == "xxxxxxx..."

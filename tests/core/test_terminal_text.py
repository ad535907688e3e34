"""A text of others stays on one line and moves nothing on the screen."""

import pytest

from swarm.core.terminal_text import one_line


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

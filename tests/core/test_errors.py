"""The first line of an error is what is journaled and shown."""

import pytest

from swarm.core.errors import first_line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("one\ntwo"), "one"),
        (ValueError("\n  padded \nmore"), "padded "),
        (ValueError(), "ValueError"),
        (ValueError("\n"), "ValueError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_the_first_line_is_the_message_or_the_kind(error: BaseException, line: str) -> None:
    assert first_line(error) == line

"""Passwords and keys are hidden wherever they stand; what only looks like one is left alone."""

import pytest

from swarm.core.secrets import redacted, without_passwords
from swarm.core.terminal_text import one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:pw@host/x", "https://***@host/x"),
        ("see postgresql://me:p@ss:w@db:5432/x now", "see postgresql://***@db:5432/x now"),
        ("https://token@host", "https://***@host"),
        ("https://h/x?a=1&api_key=abc&b=2", "https://h/x?a=1&api_key=***&b=2"),
        ("https://h/?Password=abc;x", "https://h/?Password=***;x"),
        ("two: a://b:c@d e://f:g@h", "two: a://***@d e://***@h"),
        ("https://host/a@b", "https://host/a@b"),
        ("sqlite:////data/a@b.db", "sqlite:////data/a@b.db"),
        ("me@host: key=1", "me@host: key=1"),
    ],
)
def test_addresses_keep_all_but_their_secrets(text: str, shown: str) -> None:
    assert without_passwords(text) == redacted(text) == one_line(text) == shown


def test_values_of_the_environment_that_are_named_for_a_secret_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "HF_TOKEN": "hf_abcdefgh", "SERVICE_API_KEY": "sk-12345678", "MLFLOW_TRACKING_PASSWORD": "opensesame",
        "TOKENIZERS_PARALLELISM": "parallel-words", "SSL_KEY": "/etc/ssl/some.key", "A_TOKEN": "false",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    text = "hf_abcdefgh sk-12345678 opensesame parallel-words /etc/ssl/some.key false"
    assert redacted(text) == one_line(text) == "*** *** *** parallel-words /etc/ssl/some.key false"

"""Passwords and keys never reach a file or a screen: those in addresses, and those that the environment holds."""

import os
import re
from collections.abc import Iterable

HIDDEN = "***"
LEAST = 8  # characters of a secret: shorter values of variables are words like "false"
NAME = re.compile(r"(?:^|_)(?:KEY|TOKEN|PASSWORD|PASSWD|SECRET|CREDENTIALS?)(?:_|$)")
IN_AUTHORITY = re.compile(r"(?<=://)[^/\s\"'<>?#]+(?=@)")  # https://user:password@host
IN_QUERY = re.compile(r"(?<=[?&;])([\w-]*(?:password|passwd|secret|token|key)=)[^&;\s\"'<>]+", re.IGNORECASE)


def environment_secrets() -> tuple[str, ...]:
    """The values of variables that are named for a secret; paths are none."""
    found = {value for name, value in os.environ.items() if NAME.search(name.upper()) and len(value) >= LEAST}
    return tuple(value for value in sorted(found, key=len, reverse=True) if not value.startswith(("/", ".", "~")))


def without_passwords(text: str) -> str:
    """The text with user names, passwords and keys in addresses hidden."""
    if "://" not in text:
        return text
    return IN_QUERY.sub(rf"\1{HIDDEN}", IN_AUTHORITY.sub(HIDDEN, text))


def redacted(text: str, secrets: Iterable[str] | None = None) -> str:
    """The text without passwords, and without the values of secrets: by default, those of the environment."""
    for secret in environment_secrets() if secrets is None else secrets:
        text = text.replace(secret, HIDDEN)
    return without_passwords(text)

"""A row of a data file as it was written, and errors that name its place, key and value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from swarm.core.errors import DataError

ROLES = {"human": "user", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant", "model": "assistant"}


@dataclass(frozen=True)
class Row:
    """One example as it was written.

    where: its file and line, for messages.
    names: what the user calls a field of ours, where that is another name.
    """

    where: str
    fields: Mapping[str, object]
    names: Mapping[str, str]

    def fail(self, key: str, problem: str) -> NoReturn:
        """Raise a DataError that names the place, the key and its value."""
        shown = repr(self.fields[key])
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
        raise DataError(f"{self.where}: {self.names.get(key, key)}: {shown} {problem}")

    def lacks(self, key: str, remedy: str) -> NoReturn:
        """Raise a DataError that names the place, what is missing, and the fields that there are."""
        fields = [repr(name[:40]) for name in self.fields if name not in self.names]
        found = ", ".join([*fields[:8], *(["..."] if len(fields) > 8 else [])]) or "none"
        raise DataError(f"{self.where}: {key} is missing (the fields are {found}); {remedy}")

    def has(self, key: str) -> bool:
        return self.fields.get(key) is not None

    def text(self, key: str) -> str:
        return self.checked(key, self.fields[key])

    def checked(self, key: str, value: object) -> str:
        """`value`, found under `key`, where it is a text that can be scored. Raises DataError."""
        if not isinstance(value, str):
            self.fail(key, f"is not a text; {_instead(key, value)}")
        if not value.strip():
            self.fail(key, "is empty or contains an empty text; fill it in or remove the example")
        if any("\ud800" <= character <= "\udfff" for character in value):
            self.fail(key, "contains half of a surrogate pair, which is not a character; remove it")
        return str(value)


def _instead(key: str, value: object) -> str:
    """What to write where a value should be a text."""
    turns = isinstance(value, list) and value and all(isinstance(each, dict) for each in value)
    if turns and key in ("prompt", "question"):
        return "give a chat as `messages`: [{role: ..., content: ...}, ...]"
    if isinstance(value, list | dict):
        return "write one text instead of the " + ("list" if isinstance(value, list) else "map")
    return "write it as a JSON string"

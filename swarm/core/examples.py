"""Labelled examples, and the splits that they are dealt into."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Split = Literal["search", "select", "test"]


@dataclass(frozen=True)
class Message:
    """One turn of a chat."""

    role: str
    content: str


Prompt = str | tuple[Message, ...]


@dataclass(frozen=True)
class Example:
    """One labelled example. `answer` is a text, or the key of one of `choices` (key -> text)."""

    id: str
    prompt: Prompt
    answer: str
    choices: Mapping[str, str] | None = None
    task: str = ""
    group: str = ""
    context: str = ""

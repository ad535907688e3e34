"""Labelled examples, and the names of the splits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Split = Literal["search", "select", "test"]
Level = Literal["avoidance", "generic", "expert"]
LEVELS: tuple[Level, ...] = get_args(Level)  # of reference answers to one query, from the least to the most said


@dataclass(frozen=True)
class Message:
    """One turn of a chat."""

    role: str
    content: str


Prompt = str | tuple[Message, ...]


@dataclass(frozen=True)
class Example:
    """One labelled example.

    id: its id in the data file, or its line number there.
    prompt: a text, or the turns of a chat.
    answer: the right text, or the key of the right choice; "" where there is none, for objectives that need none.
    choices: key -> text, of a multiple-choice example; of an example with three reference answers, level -> text.
    task: the kind of example, of which every split has the same share; "" where the data name none.
    group: a label from the data; "" where the data name none.
    context: a text to read before the prompt; "" where there is none.
    aliases: other right texts, which count as `answer` does.
    ambiguous: whether the prompt can be understood in several ways; None where the data do not say.
    where: its file and line, for messages; "" where it is of no file.
    question_at: the place in a text prompt where the question itself begins, after solved examples (few-shot) and what
        else stands in front of it; 0 where nothing does, or where that is not known.
    """

    id: str
    prompt: Prompt
    answer: str
    choices: Mapping[str, str] | None = None
    task: str = ""
    group: str = ""
    context: str = ""
    aliases: tuple[str, ...] = ()
    ambiguous: bool | None = None
    where: str = field(default="", compare=False)
    question_at: int = 0

    @property
    def named(self) -> str:
        """Its id, with its file and line, for messages. An id that is the line number goes without saying."""
        if self.where.endswith((f":{self.id}", f"[{self.id}]")):
            return self.where
        return f"{self.id!r} ({self.where})" if self.where else repr(self.id)

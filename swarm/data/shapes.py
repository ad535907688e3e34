"""Brings rows of common data sets into one shape: prompt or messages, answer, choices.

choices    `endings` and `options` too; a list of texts or of {label, text}, a map from key to text, or ARC's
           {text: [...], label: [...]}
prompt     `ctx`, `problem`, `question_stem`, or `instruction` with `input` below it
answer     with choices `answerKey` or `label` (an index from 0); else `answers`, `completion`, the `output` of an
           `instruction`, the `solution` of a `problem`, or the assistant's turn that ends a chat
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from swarm.core.errors import DataError

ASKED = ("prompt", "question", "messages")
ALSO_ASKED = ("ctx", "problem", "question_stem", "instruction")
ALSO_CHOICES = ("endings", "options")
ALSO_CHOSEN = ("answerKey", "label")
ALSO_ANSWER = ("answers", "completion")
ANSWER_OF = {"instruction": "output", "problem": "solution"}


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


def row_of(where: str, written: Mapping[str, object]) -> Row:
    """The row under our names. Raises DataError."""
    fields, names = dict(written), dict[str, str]()

    def take(target: str, *sources: str) -> None:
        if fields.get(target) is None:
            source = next((name for name in sources if fields.get(name) is not None), None)
            if source is not None:
                fields[target], names[target] = fields[source], source

    take("choices", *ALSO_CHOICES)
    if all(fields.get(name) is None for name in ASKED):
        take("prompt", *ALSO_ASKED)
    asked = names.get("prompt", "")
    if fields.get("choices") is not None:
        take("answer", *ALSO_CHOSEN)
    take("answer", *([ANSWER_OF[asked]] if asked in ANSWER_OF else []), *ALSO_ANSWER)
    row = Row(where, fields, names)
    if asked == "instruction" and isinstance(fields["prompt"], str) and fields.get("input"):
        fields["prompt"] = f"{fields['prompt']}\n\n{row.text('input')}"
    if all(fields.get(name) is None for name in ASKED[:2]) and isinstance(fields.get("messages"), list):
        _answer_from_chat(row, fields, names)
    _spread_choices(row, fields)
    answer = fields.get("answer")
    if fields.get("choices") is not None and isinstance(answer, list) and len(answer) == 1:
        fields["answer"] = answer[0]
    return row


def content_of(row: Row, turn: Mapping[str, object]) -> str:
    """The text of a turn, which may be in parts."""
    content = turn.get("content")
    if isinstance(content, list):
        for part in content:
            if not isinstance(part, dict) or part.get("type", "text") != "text":
                kind = part.get("type") if isinstance(part, dict) else part
                row.fail("messages", f"has a part {kind!r}; only parts {{type: text, text: ...}} can be scored")
        content = "".join(row.checked("messages", part.get("text")) for part in content)
    return row.checked("messages", content)


def _answer_from_chat(row: Row, fields: dict[str, object], names: dict[str, str]) -> None:
    """Take the assistant's turn that ends a chat as the answer."""
    turns = fields["messages"]
    assert isinstance(turns, list)
    last = turns[-1] if turns else None
    if not isinstance(last, dict) or last.get("role") != "assistant":
        return
    said = content_of(row, last)
    answer = fields.get("answer")
    if answer is not None and (not isinstance(answer, str) or answer.strip() != said.strip()):
        row.fail("messages", "ends with the assistant's turn; give that as `answer`, or leave `answer` out")
    fields["messages"] = turns[:-1]
    if answer is None:
        fields["answer"], names["answer"] = said, "messages"


def _spread_choices(row: Row, fields: dict[str, object]) -> None:
    """Choices that are given as labels and texts become a map from key to text."""
    value = fields.get("choices")
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        value = {name: [each.get(name) for each in value] for name in ("label", "text")}
    if not isinstance(value, dict) or not isinstance(value.get("text"), list):
        return
    labels, texts = value.get("label"), value["text"]
    if not isinstance(labels, list) or len(labels) != len(texts):
        row.fail("choices", "has not one label for every text; write {text: [...], label: [...]} of equal length")
    keys = [row.checked("choices", label) for label in labels]
    if len(set(keys)) < len(keys):
        row.fail("choices", "has the same label twice; give each choice its own")
    fields["choices"] = dict(zip(keys, texts, strict=True))

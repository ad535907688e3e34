"""Reads examples: JSON lines, or one object {"dev": [...], "test": [...]} as Model Swarms publishes them.

One example per line. Unknown keys are allowed, and numbers are read as texts, exactly as they are written:

id        optional; default: the line's number
prompt    a text; or `question`, a text; or `messages`, a chat [{role, content}, ...]; the first of these counts
answer    a text; with `choices`, the key of one of them, or the text of exactly one
choices   optional; a map from key to text, or a list of texts, whose keys become A, B, C, ...
context   optional; a text to read before the prompt. Objectives join them: context, an empty line, prompt
task      optional; every split holds the same share of each task. `group` is optional too
"""

import json
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count, product
from pathlib import Path
from typing import NoReturn

from swarm.core.errors import DataError
from swarm.core.examples import Example, Message, Prompt


@dataclass(frozen=True)
class DevTest:
    """A Model Swarms file. Ids are kept where all are given and distinct; else they are "dev-1", "test-1", ..."""

    dev: tuple[Example, ...]
    test: tuple[Example, ...]


def read_examples(path: Path) -> list[Example]:
    """The examples of a file of JSON lines, in order. Raises DataError naming file and line."""
    lines = _read(path).split("\n")
    places = {str(number): f"{path}:{number}" for number, line in enumerate(lines, 1) if line.strip()}
    if not places:
        raise DataError(f'{path}: holds no examples; write one {{"prompt": ..., "answer": ...}} per line')
    examples = [
        _example(_Row(where, _object(_parse(lines[int(number) - 1], where), where)), number)
        for number, where in places.items()
    ]
    _refuse_same_ids(examples, list(places.values()))
    return examples


def read_dev_test(path: Path) -> DevTest:
    """The two lists of a Model Swarms file, where `domain` is the task. Errors name list and index."""
    whole = _object(_parse(_read(path), str(path)), str(path))
    dev, test = (_listed(path, whole, name) for name in ("dev", "test"))
    ids = [example.id for example in dev + test]
    if "" in ids or len(set(ids)) < len(ids):
        dev = [replace(example, id=f"dev-{index}") for index, example in enumerate(dev, 1)]
        test = [replace(example, id=f"test-{index}") for index, example in enumerate(test, 1)]
    return DevTest(tuple(dev), tuple(test))


@dataclass(frozen=True)
class _Row:
    """One example as it was written. where: its file and line, for messages."""

    where: str
    fields: Mapping[str, object]

    def fail(self, key: str, problem: str) -> NoReturn:
        """Raise a DataError that names the place, the key and its value."""
        shown = repr(self.fields[key])
        raise DataError(f"{self.where}: {key}: {shown if len(shown) <= 80 else shown[:77] + '...'} {problem}")

    def has(self, key: str) -> bool:
        return self.fields.get(key) is not None

    def text(self, key: str) -> str:
        return self.checked(key, self.fields[key])

    def checked(self, key: str, value: object) -> str:
        """`value`, found under `key`, where it is a text that can be scored. Raises DataError."""
        if not isinstance(value, str):
            self.fail(key, "is not a text; write it as a JSON string")
        if not value.strip():
            self.fail(key, "is empty or contains an empty text; fill it in or remove the example")
        if any("\ud800" <= character <= "\udfff" for character in value):
            self.fail(key, "contains half of a surrogate pair, which is not a character; remove it")
        return value


def _read(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); give the path of a data file") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}:{line}: byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8") from None


def _parse(text: str, where: str) -> object:
    """The JSON value of `text`, with every number as the text that it is written as."""
    try:
        value: object = json.loads(text, parse_int=str, parse_float=str, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{where}: {text.strip()[:40]!r} is not valid JSON ({error}); JSON lines (.jsonl) hold one object "
            'per line, a .json file one object {"dev": [...], "test": [...]}'
        ) from None
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _object(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise DataError(f"{where}: {repr(value)[:40]} is not an object; write {{...}}")
    return value


def _listed(path: Path, whole: Mapping[str, object], name: str) -> list[Example]:
    listed = whole.get(name)
    if not isinstance(listed, list) or not listed:
        raise DataError(
            f"{path}: {name}: {repr(listed)[:40]} is not a list of examples; a .json file is one object "
            '{"dev": [...], "test": [...]}, other examples go into a .jsonl file, one per line'
        )
    places = [f"{path}: {name}[{index}]" for index in range(len(listed))]
    rows = [_Row(where, _object(value, where)) for value, where in zip(listed, places, strict=True)]
    return [_example(row, "", task_key="task" if row.has("task") else "domain") for row in rows]


def _example(row: _Row, default_id: str, task_key: str = "task") -> Example:
    choices = _choices(row) if row.has("choices") else None
    if not row.has("answer"):
        raise DataError(f"{row.where}: answer is missing; give the right answer as `answer`")
    return Example(
        id=row.text("id") if row.has("id") else default_id,
        prompt=_prompt(row),
        answer=_chosen(row, choices) if choices else row.text("answer"),
        choices=choices,
        task=_optional(row, task_key),
        group=_optional(row, "group"),
        context=_optional(row, "context"),
    )


def _optional(row: _Row, key: str) -> str:
    return row.text(key) if row.has(key) and row.fields[key] != "" else ""


def _prompt(row: _Row) -> Prompt:
    key = next((key for key in ("prompt", "question", "messages") if row.has(key)), None)
    if key is None:
        raise DataError(f"{row.where}: prompt is missing; give it as `prompt`, `question` or `messages`")
    return _messages(row) if key == "messages" else row.text(key)


def _messages(row: _Row) -> tuple[Message, ...]:
    turns = row.fields["messages"]
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        row.fail("messages", "is not a list of turns; write [{role: ..., content: ...}, ...]")
    messages = tuple(
        Message(row.checked("messages", turn.get("role")), row.checked("messages", turn.get("content")))
        for turn in turns
    )
    if all(message.role != "user" for message in messages):
        row.fail("messages", "has no turn of the role user; add the question as one")
    if messages[-1].role == "assistant":
        row.fail("messages", "ends with the assistant's turn; give that as `answer`")
    return messages


def _keys() -> Iterator[str]:
    """A, B, ..., Z, AA, AB, ..."""
    for length in count(1):
        yield from map("".join, product(string.ascii_uppercase, repeat=length))


def _choices(row: _Row) -> dict[str, str]:
    value = row.fields["choices"]
    if isinstance(value, list):
        value = dict(zip(_keys(), value, strict=False))
    if not isinstance(value, dict):
        row.fail("choices", "is neither a list of texts nor a map from key to text")
    if len(value) < 2:
        row.fail("choices", "has fewer than two choices; give at least two, or none for a free answer")
    return {row.checked("choices", key): row.checked("choices", text) for key, text in value.items()}


def _chosen(row: _Row, choices: Mapping[str, str]) -> str:
    """The key of the right choice. Where choices are a list, an answer that is both a key and a text is refused."""
    answer = row.text("answer").strip()
    keys = [key for key, text in choices.items() if text.strip() == answer]
    if answer in choices:
        if isinstance(row.fields["choices"], list) and keys not in ([], [answer]):
            row.fail(
                "answer", f"is the key of one choice and the text of {keys[0]}; give choices as a map from key to text"
            )
        return answer
    if len(keys) > 1:
        row.fail("answer", f"is the text of several choices ({', '.join(keys)}); give the key instead")
    if not keys:
        row.fail("answer", f"is not among the choices; give a key ({', '.join(choices)}) or the text of one")
    return keys[0]


def _refuse_same_ids(examples: list[Example], places: list[str]) -> None:
    first: dict[str, str] = {}
    for example, where in zip(examples, places, strict=True):
        if example.id in first:
            raise DataError(
                f"{where}: id: {example.id!r} is already the id of {first[example.id]}; give each its own id"
            )
        first[example.id] = where

"""Reads examples: JSON lines, a table, a list, or {"dev": [...], "test": [...]} as Model Swarms publishes them.

Unknown keys are allowed, and numbers are read as texts, exactly as they are written. shapes.py has the other names that
these fields have in common data sets:

id        optional; default: the number of the line, row or entry
prompt    a text; or `question`, a text; or `messages`, a chat [{role, content}, ...]; the first of these counts
answer    a text, or a list of texts that are all right; with `choices`, the key of one of them, the text of exactly
          one, or its index from 0 as a number; optional where the objective needs none and there are no choices
choices   optional; a map from key to text, or a list of texts, whose keys become A, B, C, ...
context   optional; a text to read before the prompt. Objectives join them: context, an empty line, prompt
task      optional; every split holds the same share of each task. `group` is optional too
ambiguous optional; true or false: whether the prompt can be understood in several ways

A number that is the index of one choice and the text of another is read as the other answers of the file are, and is
refused where they do not tell.
"""

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, product
from pathlib import Path

from swarm.core.errors import DataError
from swarm.core.examples import Example, Message, Prompt
from swarm.data.files import kind_of, parquet_rows, parse, read_text
from swarm.data.labels import Reading, chosen, reading_of
from swarm.data.rows import Row
from swarm.data.shapes import ASKED, READ, content_of, row_of
from swarm.data.tables import table_rows

MARKS = {"true": True, "false": False}  # of `ambiguous`; anything else is another data set's column


@dataclass(frozen=True)
class DevTest:
    """A Model Swarms file. Ids are kept where all are given and distinct; else they are "dev-1", "test-1", ..."""

    dev: tuple[Example, ...]
    test: tuple[Example, ...]


def read_data(path: Path, needs_answer: bool = True) -> list[Example] | DevTest:
    """The examples of a data file of any kind. Raises DataError naming file and line.

    needs_answer: whether an example without an answer is refused.
    """
    placed = placed_rows(path)
    if isinstance(placed, dict):
        return _dev_test(path, placed, needs_answer)
    return _examples(path, placed, needs_answer)


def placed_rows(path: Path) -> Sequence[tuple[str, object]] | dict[str, object]:
    """Where each row of a data file is, and the row as it is written; a .json file that is no list as it is."""
    kind = kind_of(path)
    if kind == "table":
        return table_rows(path)
    if kind != "json":
        return parquet_rows(path) if kind == "parquet" else line_rows(path)
    whole = parse(read_text(path), str(path))
    if isinstance(whole, list):
        return [(f"{path}: [{index}]", value) for index, value in enumerate(whole)]
    return _object(whole, str(path))


def read_examples(path: Path, needs_answer: bool = True) -> list[Example]:
    """The examples of a file that is one list, in order. Raises DataError naming file and line."""
    found = read_data(path, needs_answer)
    if isinstance(found, DevTest):
        raise DataError(f"{path}: a .json file holds both dev and test; give one split a file of JSON lines (.jsonl)")
    return found


def text_examples(text: str, owner: str, needs_answer: bool = True) -> list[Example]:
    """The examples of JSON lines that come from no file. owner: where from, for messages. Raises DataError."""
    lines = [(f"{owner}:{number}", line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    return _examples(Path(owner), [(where, parse(line, where)) for where, line in lines], needs_answer)


def read_dev_test(path: Path) -> DevTest:
    """The two lists of a Model Swarms file, where `domain` is the task. Errors name list and index."""
    return _dev_test(path, parse(read_text(path), str(path)))


def line_rows(path: Path) -> list[tuple[str, object]]:
    """Where each line of a file of JSON lines is, and its value. Raises DataError."""
    lines = enumerate(read_text(path).split("\n"), 1)
    return [(f"{path}:{number}", parse(line, f"{path}:{number}")) for number, line in lines if line.strip()]


def _examples(path: Path, placed: Sequence[tuple[str, object]], needs_answer: bool) -> list[Example]:
    """Ids that are missing are the numbers at the end of the places."""
    if not placed:
        raise DataError(f'{path}: holds no examples; write one {{"prompt": ..., "answer": ...}} per line')
    rows = [row_of(where, _object(value, where), needs_answer) for where, value in placed]
    reading = reading_of(rows)
    examples = [_example(row, _number_of(row), reading, needs_answer) for row in rows]
    _refuse_same_ids(examples, [row.where for row in rows])
    return examples


def _number_of(row: Row) -> str:
    """The number of the line, row or entry that the row was read from."""
    return str(re.findall("[0-9]+", row.where)[-1])


def _dev_test(path: Path, whole: object, needs_answer: bool = True) -> DevTest:
    fields = _object(whole, str(path))
    rows = {name: _listed(path, fields, name, needs_answer) for name in ("dev", "test")}
    reading = reading_of([*rows["dev"], *rows["test"]])
    dev, test = (
        [
            _example(row, "", reading, needs_answer, task_key="task" if row.has("task") else "domain")
            for row in rows[name]
        ]
        for name in ("dev", "test")
    )
    ids = [example.id for example in dev + test]
    if "" in ids or len(set(ids)) < len(ids):
        dev = [replace(example, id=f"dev-{index}") for index, example in enumerate(dev, 1)]
        test = [replace(example, id=f"test-{index}") for index, example in enumerate(test, 1)]
    return DevTest(tuple(dev), tuple(test))


def _object(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise DataError(f"{where}: {repr(value)[:40]} is not an object; write {{...}}")
    return value


def _listed(path: Path, whole: Mapping[str, object], name: str, needs_answer: bool) -> list[Row]:
    listed = whole.get(name)
    if not isinstance(listed, list) or not listed:
        raise DataError(
            f"{path}: {name}: {repr(listed)[:40]} is not a list of examples; a .json file is one object "
            '{"dev": [...], "test": [...]} or one list of examples; .jsonl holds one example per line'
        )
    places = [f"{path}: {name}[{index}]" for index in range(len(listed))]
    return [row_of(where, _object(value, where), needs_answer) for value, where in zip(listed, places, strict=True)]


def _example(row: Row, default_id: str, reading: Reading, needs_answer: bool, task_key: str = "task") -> Example:
    if not any(map(row.has, ASKED)):
        row.lacks("prompt", f"give it as `prompt`, `question` or `messages`; read are: {READ}")
    choices = _choices(row) if row.has("choices") else None
    if not row.has("answer") and (needs_answer or choices):
        row.lacks("answer", f"give the right answer as `answer`; read are: {READ}")
    prompt = _prompt(row)
    answer, *aliases = [chosen(row, choices, reading)] if choices else _answers(row)
    return Example(
        id=row.text("id") if row.has("id") else default_id,
        prompt=prompt,
        answer=answer,
        choices=choices,
        task=_optional(row, task_key),
        group=_optional(row, "group"),
        context=_optional(row, "context"),
        aliases=tuple(aliases),
        ambiguous=MARKS.get(str(row.fields.get("ambiguous")).lower()),
        where=row.where,
    )


def _optional(row: Row, key: str) -> str:
    return row.text(key) if row.has(key) and row.fields[key] != "" else ""


def _prompt(row: Row) -> Prompt:
    key = next(filter(row.has, ASKED))
    return _messages(row) if key == "messages" else row.text(key)


def _messages(row: Row) -> tuple[Message, ...]:
    turns = row.fields["messages"]
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        row.fail("messages", "is not a list of turns; write [{role: ..., content: ...}, ...]")
    if any(turn.get("role") is None for turn in turns):
        row.fail("messages", "has a turn without a role; write {role: ..., content: ...}, or {from: ..., value: ...}")
    messages = tuple(Message(row.checked("messages", turn["role"]), content_of(row, turn)) for turn in turns)
    if all(message.role != "user" for message in messages):
        row.fail("messages", "has no turn of the role user; add the question as one")
    if messages[-1].role == "assistant":
        row.fail("messages", "ends with two turns of the assistant; the last alone is the answer: join them")
    return messages


def _answers(row: Row) -> list[str]:
    """The right answers without choices: one, or all of a list (also that of SQuAD, or of TriviaQA); "" for none."""
    value = row.fields.get("answer")
    if value is None:
        return [""]
    if isinstance(value, dict) and isinstance(value.get("text"), list):
        value = value["text"]
    elif isinstance(value, dict) and "value" in value:
        value = [value["value"], *(value.get("aliases") or [])]
    if not isinstance(value, list):
        return [row.text("answer")]
    if not value:
        row.fail("answer", "has no text; give at least one right answer, or remove the example")
    return list(dict.fromkeys(row.checked("answer", text) for text in value))


def _keys() -> Iterator[str]:
    """A, B, ..., Z, AA, AB, ..."""
    for length in count(1):
        yield from map("".join, product(string.ascii_uppercase, repeat=length))


def _choices(row: Row) -> dict[str, str]:
    value = row.fields["choices"]
    if isinstance(value, list):
        value = dict(zip(_keys(), value, strict=False))
    if not isinstance(value, dict):
        row.fail("choices", "is neither a list of texts nor a map from key to text; write one of them")
    if len(value) < 2:
        row.fail("choices", "has fewer than two choices; give at least two, or none for a free answer")
    return {row.checked("choices", key): row.checked("choices", text) for key, text in value.items()}


def _refuse_same_ids(examples: list[Example], places: list[str]) -> None:
    first: dict[str, str] = {}
    for example, where in zip(examples, places, strict=True):
        if example.id in first:
            raise DataError(
                f"{where}: id: {example.id!r} is already the id of {first[example.id]}; give each its own id"
            )
        first[example.id] = where

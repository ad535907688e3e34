"""Which examples an expert was trained on, where its training data are given. They are noted, and none is left out.

Training data are files of any kind that examples may have, read leniently: ids and answers may be missing, other keys
are allowed. The text of a line is its `context`, its `prompt`, `question`, `instruction` with `input`, or `messages` or
`conversations` (without a last turn of the assistant), and its `choices`; or else its `text`, question and answer in
one. A prompt may be a chat, and a turn may be a list of parts.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from swarm.core.errors import DataError
from swarm.core.examples import Example, Split
from swarm.data.duplicates import found_in
from swarm.data.files import kind_of, lines_of, parquet_rows, parse, read_text
from swarm.data.rows import ROLES
from swarm.data.splits import SPLITS, Splits
from swarm.data.tables import table_rows

ASKED = ("prompt", "question", "instruction")
MOST_IDS = 5  # in a note


@dataclass(frozen=True)
class SplitExamples:
    """The examples of one split of one objective."""

    objective: str
    split: Split
    examples: Sequence[Example]

    def note(self, expert: str, same: Sequence[int], near: Sequence[int]) -> str:
        kinds = ((same, "the same"), (near, "nearly the same"))
        shares = [f"{len(places)} {word} ({self._ids(places)})" for places, word in kinds if places]
        return (
            f"{len(same) + len(near)} of {len(self.examples)} {self.split} examples of {self.objective} are in what "
            f"expert {expert} was trained on: {', '.join(shares)}"
        )

    def _ids(self, places: Sequence[int]) -> str:
        ids = [self.examples[place].id for place in places[:MOST_IDS]]
        return ", ".join([*ids, "..."] if len(places) > MOST_IDS else ids)


def contamination_notes(splits: Mapping[str, Splits], trained_on: Mapping[str, Sequence[Path]]) -> tuple[str, ...]:
    """A note for each expert, objective and split with examples that the expert was trained on. Raises DataError."""
    parts = [SplitExamples(name, split, each.of(split)) for name, each in splits.items() for split in SPLITS]
    examples = [example for part in parts for example in part.examples]
    notes = []
    for expert, paths in trained_on.items():
        if not paths:
            continue
        found = found_in(examples, chain.from_iterable(map(training_texts, paths)))
        start = 0
        for part in parts:
            own = range(start, start := start + len(part.examples))
            same, near = (
                [place - own.start for place in places if place in own] for places in (found.same, found.near)
            )
            if same or near:
                notes.append(part.note(expert, same, near))
    return tuple(notes)


def training_texts(path: Path) -> Iterator[str]:
    """The text of every line of a file of training data. Raises DataError naming file and line."""
    kind = kind_of(path)
    if kind != "lines":
        rows = parquet_rows(path) if kind == "parquet" else table_rows(path) if kind == "table" else _listed(path)
        yield from (_text(row, where) for where, row in rows)
        return
    for number, line in lines_of(path):
        if line.strip():
            yield _text(_parsed(line, f"{path}:{number}"), f"{path}:{number}")


def _listed(path: Path) -> list[tuple[str, object]]:
    """The rows of a .json file: a list, or the lists of an object."""
    whole = parse(read_text(path), str(path))
    lists = {name: rows for name, rows in (whole if isinstance(whole, dict) else {"": whole}).items() if rows}
    if not any(isinstance(rows, list) for rows in lists.values()):
        raise DataError(f"{path}: holds no list of examples; write [...], or one object per line as .jsonl")
    return [
        (f"{path}: {name}[{index}]", row)
        for name, rows in lists.items()
        if isinstance(rows, list)
        for index, row in enumerate(rows)
    ]


def _parsed(line: str, where: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{where}: {line.strip()[:40]!r} is not valid JSON ({error}); training data hold one object per line"
        ) from None


def _text(row: object, where: str) -> str:
    if not isinstance(row, dict):
        raise DataError(f"{where}: {json.dumps(row)[:40]} is not an object; write {{...}}")
    asked = _asked(row)
    if not asked:
        keys = ", ".join(map(repr, row)) or "nothing"
        raise DataError(
            f"{where}: it has {keys[:80]}, but no text as prompt, question, instruction, messages or text; "
            "give its text under one of these keys"
        )
    return asked


def _asked(row: Mapping[str, object]) -> str:
    """What the model read in training; "" where there is none."""
    key = next((key for key in ASKED if row.get(key)), None)
    asked = _words(row[key] if key else _unanswered(row.get("messages") or row.get("conversations")))
    if not asked:
        return str(row.get("text") or "")
    extra = str(row.get("input") or "") if key == "instruction" else ""
    return "\n".join([str(row.get("context") or ""), asked, extra, *_choices(row.get("choices"))])


def _unanswered(messages: object) -> list[dict[str, object]]:
    """A chat without its answer."""
    turns = [turn for turn in messages if isinstance(turn, dict)] if isinstance(messages, list) else []
    said_by = str(turns[-1].get("role") or turns[-1].get("from")) if turns else ""
    return turns[:-1] if ROLES.get(said_by, said_by) == "assistant" else turns


def _words(said: object) -> str:
    """A text as it is, or that of a chat's turns or a turn's parts. Parts without text, as images, are left out."""
    if not isinstance(said, list):
        return str(said)
    inner = [
        each.get("content") or each.get("text") or each.get("value") if isinstance(each, dict) else each
        for each in said
    ]
    return "\n".join(_words(each) for each in inner if each)


def _choices(choices: object) -> list[str]:
    if isinstance(choices, dict):
        choices = list(choices.values())
    return [str(text) for text in choices] if isinstance(choices, list) else []

"""Reads preferences: JSON lines, a table, a list or Parquet of prompts with two answers each.

prompt      a text; or `question`, `instruction` (with `input` below it) or `query`; or a chat, also as `messages`
chosen      the better answer: a text, or the assistant's turn as a chat of one turn
rejected    the other one, in the same form
id, task    optional

`chosen` and `rejected` may also be whole chats, which begin with the same turns: these are then the prompt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from swarm.core.errors import DataError
from swarm.core.examples import Message, Prompt
from swarm.data.examples import line_rows
from swarm.data.files import kind_of, parquet_rows, parse, read_text
from swarm.data.rows import ROLES, Row
from swarm.data.shapes import content_of
from swarm.data.tables import table_rows

ASKED = ("prompt", "question", "instruction", "query", "messages", "conversations")
FORM = '{"prompt": ..., "chosen": ..., "rejected": ...}'


@dataclass(frozen=True)
class Pair:
    """Two answers to one prompt; where: the file and line, for messages."""

    id: str
    prompt: Prompt
    chosen: str
    rejected: str
    where: str = field(default="", compare=False)


def read_pairs(path: Path) -> list[Pair]:
    """The preferences of a data file. Raises DataError naming file and line."""
    placed = _placed(path)
    if not placed:
        raise DataError(f"{path}: holds no preferences; write one {FORM} per line")
    return [_pair(where, value, number) for number, (where, value) in enumerate(placed, 1)]


def _placed(path: Path) -> list[tuple[str, object]]:
    kind = kind_of(path)
    if kind == "table":
        return list(table_rows(path))
    if kind == "parquet":
        return parquet_rows(path)
    if kind == "lines":
        return line_rows(path)
    whole = parse(read_text(path), str(path))
    if not isinstance(whole, list):
        raise DataError(f"{path}: is not a list of preferences; write [{FORM}, ...], or one per line (.jsonl)")
    return [(f"{path}: [{index}]", value) for index, value in enumerate(whole)]


def _pair(where: str, value: object, number: int) -> Pair:
    if not isinstance(value, dict):
        raise DataError(f"{where}: {repr(value)[:40]} is not an object; write {FORM}")
    row = Row(where, value, {})
    for key in ("chosen", "rejected"):
        if not row.has(key):
            row.lacks(key, f"give a preference as {FORM}")
    prompt, chosen, rejected = _parts(row)
    if chosen.strip() == rejected.strip():
        row.fail("rejected", "is the same as chosen, so that nothing is preferred; correct it or remove the pair")
    return Pair(row.text("id") if row.has("id") else str(number), prompt, chosen, rejected, where)


def _parts(row: Row) -> tuple[Prompt, str, str]:
    """The prompt and the two answers."""
    before, chosen = _answer(row, "chosen")
    also_before, rejected = _answer(row, "rejected")
    if before != also_before:
        row.fail("rejected", "is a chat that begins otherwise than chosen; give both the same turns before the answer")
    asked = next(filter(row.has, ASKED), "")
    if before:
        return before, chosen, rejected
    if not asked:
        row.lacks("prompt", f"give a preference as {FORM}")
    if isinstance(row.fields[asked], list):
        return _turns(row, asked), chosen, rejected
    text = row.text(asked)
    if asked == "instruction" and str(row.fields.get("input") or "").strip():
        text = f"{text}\n\n{row.text('input')}"
    return text, chosen, rejected


def _answer(row: Row, key: str) -> tuple[tuple[Message, ...], str]:
    """The turns before an answer that is a chat, and the answer."""
    if not isinstance(row.fields[key], list):
        return (), row.text(key)
    turns = _turns(row, key)
    if turns[-1].role != "assistant":
        row.fail(key, "does not end with the assistant's turn; end it with the answer")
    return turns[:-1], turns[-1].content


def _turns(row: Row, key: str) -> tuple[Message, ...]:
    turns = row.fields[key]
    assert isinstance(turns, list)
    if not turns or not all(isinstance(turn, dict) for turn in turns):
        row.fail(key, "is not a list of turns; write [{role: ..., content: ...}, ...]")
    under = _under(row, key)
    said = [{**turn, "content": turn.get("content", turn.get("value"))} for turn in turns]
    return tuple(Message(_role(row, key, turn), content_of(under, turn)) for turn in said)


def _under(row: Row, key: str) -> Row:
    """The row as content_of names it: by the key that the turns stand under."""
    return Row(row.where, {**row.fields, "messages": row.fields[key]}, {"messages": key})


def _role(row: Row, key: str, turn: Mapping[str, object]) -> str:
    role = turn.get("role")
    if role is None and isinstance(said := turn.get("from"), str):
        role = ROLES.get(said.lower(), said)
    if not isinstance(role, str):
        row.fail(key, "has a turn without a role; write {role: ..., content: ...}")
    return role


def check_roles(prompt: Prompt, where: str, known: Sequence[str] = ("system", "user", "assistant")) -> None:
    """Raise DataError for a turn of a chat whose role no chat template is trained with."""
    for message in () if isinstance(prompt, str) else prompt:
        if message.role not in known:
            raise DataError(
                f"{where}: the role {message.role[:40]!r} is unknown; use one of {', '.join(known)}, or remove the turn"
            )

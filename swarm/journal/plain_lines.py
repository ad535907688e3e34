"""Evaluations in the plainest form that a journal holds, read without a validator: nearly all lines of a long one.

Only the very layout in which a run writes an evaluation is read here, with scores of 0 and 1 and at most smoothed
scores beside them. Any other line is left to the general reader, and with it every error. The record is the one that
the general reader would have given.
"""

import re
from collections.abc import Iterable
from typing import Any, get_args

from pydantic_core import from_json

from swarm.core.requests import Method
from swarm.journal.evaluation_record import NOTHING, EvaluationRecord
from swarm.journal.packed import NO_SCORES, PackedScores, pack
from swarm.journal.zeros_and_ones import bits

PARTS = {
    b"TEXT": rb'"[^"\\]{0,60}"',
    b"COUNT": rb"\d{1,18}",
    b"SECONDS": rb"\d{1,15}\.\d{1,25}",
    b"SCORES": rb'\{(?:"[^"\\]{1,60}": -?\d\.\d{1,25}(?:, )?){1,20}\}',
}
METHODS = frozenset(get_args(Method))


def _pattern(text: bytes) -> re.Pattern[bytes]:
    for name, part in PARTS.items():
        text = text.replace(name, part)
    return re.compile(text)


BEFORE = _pattern(
    rb'\{"kind": ("(?:evaluation|select|test)"), "id": (TEXT), "iteration": (null|COUNT), "particle": (null|COUNT), '
    rb'"split": ("(?:search|select|test)"), "position": (\[[-+.,\de ]*\]), "status": ("(?:ok|stopped)"), '
    rb'"scores": (SCORES), "examples": \{'
)
AFTER = _pattern(
    rb'\}(?:, "soft": (SCORES))?, "n_examples": (COUNT), "tokens": (COUNT), "seconds": (SECONDS), '
    rb'"compose_seconds": (SECONDS), "forward_seconds": (SECONDS), "method": (TEXT), "worker": (TEXT)'
    rb'(?:, "same_as": (TEXT))?, "elapsed": (SECONDS)\}\n'
)
DEFAULTS = {"outputs": NOTHING, "guides": NO_SCORES, "margins": NO_SCORES, "error": ""}
FIELDS = (
    *DEFAULTS, "kind", "id", "iteration", "particle", "split", "packed_position", "status", "scores", "examples",
    "soft", "n_examples", "tokens", "seconds", "compose_seconds", "forward_seconds", "method", "worker", "same_as",
    "elapsed",
)  # fmt: skip
SETTERS = tuple(getattr(EvaluationRecord, name).__set__ for name in FIELDS)


def read_plainly(line: bytes) -> EvaluationRecord | None:
    """The record that a line holds; None where the line has another form, or is damaged."""
    before = BEFORE.match(line)
    if before is None:
        return None
    try:
        *names, position, status, scores = _values(before.groups())
        examples, at = _zeros_and_ones(line, before.end(), scores)
        after = AFTER.fullmatch(line, at)
        if after is None:
            return None
        soft, *counts, method, worker, same_as, elapsed = _values(after.groups(b"null"))
        packed = pack(position)
    except ValueError:
        return None
    if method not in METHODS:
        return None
    found = (
        packed,
        status,
        scores,
        PackedScores(examples),
        soft or NOTHING,
        *counts,
        method,
        worker,
        same_as or "",
        elapsed,
    )
    return _record((*DEFAULTS.values(), *names, *found))


def _values(texts: Iterable[bytes]) -> list[Any]:
    """What pieces of JSON hold. Raises ValueError."""
    found: list[Any] = from_json(b"[%b]" % b",".join(texts), allow_inf_nan=False)
    return found


def _zeros_and_ones(line: bytes, at: int, names: Iterable[str]) -> tuple[dict[str, bytes], int]:
    """Each objective's list, in the order of names, and where the last one ends. Raises ValueError."""
    lists: dict[str, bytes] = {}
    for name in names:
        key = b'%b"%b": [' % (b", " if lists else b"", name.encode())
        end = line.find(b"]", at)
        found = bits(line[at + len(key) : end]) if line.startswith(key, at) and end > 0 else b""
        if not found:
            raise ValueError("another form")
        lists[name] = found
        at = end + 1
    return lists, at


def _record(values: Iterable[object]) -> EvaluationRecord:
    """From the values of FIELDS. A frozen dataclass's own constructor takes twice the time."""
    record = object.__new__(EvaluationRecord)
    for set_value, value in zip(SETTERS, values, strict=True):
        set_value(record, value)
    return record

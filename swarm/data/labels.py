"""Which choice is the right one: by its key, its text or its index."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from swarm.data.files import Number
from swarm.data.rows import Row

Reading = Literal["index", "text", "both", "unknown"]  # of the numbers that answer a file's lists of choices

MOST_DIGITS = 6  # of an index: Python reads no number of thousands of digits


def reading_of(rows: Sequence[Row]) -> Reading:
    """How a file's numbers answer lists of choices, by those that can be only an index or only a text."""
    found = {reading for row in rows if (reading := _only(row)) is not None}
    return "both" if len(found) == 2 else found.pop() if found else "unknown"


def chosen(row: Row, choices: Mapping[str, str], reading: Reading) -> str:
    """The key of the right choice. Raises DataError where the answer is none of them, or may be two."""
    if isinstance(row.fields["answer"], list):
        row.fail("answer", "is a list, and of several choices one is right; give its key")
    answer = row.text("answer").strip()
    listed = isinstance(row.fields["choices"], list)
    keys = [key for key, text in choices.items() if text.strip() == answer]
    if listed and row.names.get("answer") == "label" and re.fullmatch(r"-?[0-9]+", answer):
        return _indexed(row, choices, answer)
    if listed and _is_index(row):
        return _numbered(row, choices, keys, reading)
    if answer in choices:
        if listed and keys not in ([], [answer]):
            row.fail(
                "answer", f"is the key of one choice and the text of {keys[0]}; give choices as a map from key to text"
            )
        return answer
    if len(keys) > 1:
        row.fail("answer", f"is the text of several choices ({', '.join(keys)}); give the key instead")
    if not keys:
        row.fail("answer", f"is not among the choices; give a key ({', '.join(choices)}) or the text of one")
    return keys[0]


def _indexed(row: Row, choices: Mapping[str, str], answer: str) -> str:
    if len(answer) > MOST_DIGITS or not 0 <= int(answer) < len(choices):
        row.fail("answer", f"is no index of a choice (0 to {len(choices) - 1}); correct it, or remove the example")
    return list(choices)[int(answer)]


def _numbered(row: Row, choices: Mapping[str, str], keys: Sequence[str], reading: Reading) -> str:
    """The choice that a number in range means: by its index, unless it is the text of another choice."""
    by_index = list(choices)[int(row.text("answer"))]
    if not keys and reading == "both":
        row.fail("answer", f"is an index, and other answers of the file are texts; give the key ({', '.join(choices)})")
    if keys in ([], [by_index]):
        return by_index
    if reading in ("both", "unknown"):
        row.fail(
            "answer",
            f"is the index of {by_index} (from 0) and the text of {keys[0]}; give the key ({', '.join(choices)}), "
            "or the index as `label`",
        )
    if reading == "text" and len(keys) > 1:
        row.fail("answer", f"is the text of several choices ({', '.join(keys)}); give the key instead")
    return by_index if reading == "index" else keys[0]


def _is_index(row: Row) -> bool:
    """Whether the answer is a number that may be the index of a choice."""
    answer, choices = row.fields.get("answer"), row.fields.get("choices")
    whole = isinstance(answer, Number) and re.fullmatch(f"[0-9]{{1,{MOST_DIGITS}}}", answer) is not None
    return whole and isinstance(choices, list) and int(str(answer)) < len(choices)


def _only(row: Row) -> Literal["index", "text"] | None:
    """What the row's answer must be, where it is a number and cannot be both."""
    answer, choices = row.fields.get("answer"), row.fields.get("choices")
    if not isinstance(answer, Number) or not isinstance(choices, list) or row.names.get("answer") == "label":
        return None
    is_text = any(isinstance(text, str) and text.strip() == answer for text in choices)
    if is_text == _is_index(row):
        return None
    return "text" if is_text else "index"

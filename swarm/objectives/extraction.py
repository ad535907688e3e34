"""Extracts the answer from what a model wrote, and compares answers strictly."""

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal

DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+"
NUMBER_IN_TEXT = re.compile(rf"((?<![\w)])-)?\$?({DIGITS})")
NUMBER = re.compile(r"([+-]?)((?:0|[1-9][0-9]{0,2}(?:,[0-9]{3})+|[1-9][0-9]*)(?:\.[0-9]+)?|\.[0-9]+)")  # not 007
STATED_LETTER = re.compile(r"answer(?:\s+is)?\s*:?\s*[\"'*(\[]*([A-Z])(?!\w)", re.IGNORECASE)
LEADING_LETTER = re.compile(r"[\"'*(\[\s]*([A-Z])(?:[.):,\]*\"]|[ \t]*(?:\n|$))")
LONE_LETTER = re.compile(r"(?<![\w'])([A-Z])(?![\w'])")


def first_line(text: str) -> str:
    """The first line that is not empty."""
    return text.strip().split("\n")[0]


def last_number(text: str) -> str:
    """The last number, without a dollar sign. A minus after a word, a number or a bracket is an operator."""
    found = NUMBER_IN_TEXT.findall(text.replace("\N{MINUS SIGN}", "-"))
    return "".join(found[-1]) if found else ""


def after_hash(text: str) -> str:
    """What follows the last `####` on its line, as GSM8K writes answers."""
    _, mark, rest = text.rpartition("####")
    return first_line(rest) if mark else ""


def boxed(text: str) -> str:
    r"""What is in the last \boxed{...}, with balanced braces, as MATH writes answers."""
    _, mark, rest = text.rpartition("\\boxed{")
    depth = 1
    for place, character in enumerate(rest if mark else ""):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth == 0:
            return rest[:place]
    return ""


def letter(text: str) -> str:
    """A choice's letter: after "answer", or at the start, or the only one that stands alone (where "I" is a word)."""
    stated = [found for found in STATED_LETTER.findall(text) if found.isupper()]
    leading = LEADING_LETTER.match(text)
    alone = set(LONE_LETTER.findall(text)) - {"I"}
    if stated:
        return str(stated[-1])
    if leading:
        return leading[1]
    return alone.pop() if len(alone) == 1 else ""


EXTRACTIONS: dict[str, Callable[[str], str]] = {
    "all": str.strip,
    "first_line": first_line,
    "last_number": last_number,
    "after_hash": after_hash,
    "boxed": boxed,
    "letter": letter,
}
FORMS = {
    "after_hash": "#### {}",
    "boxed": "\\boxed{{{}}}",
}  # how a model writes an answer so that it is found; others: as it is


def same(one: str, other: str, ignore_case: bool = False) -> bool:
    """Equal as numbers if both are numbers ("1,000" and "1000.0"); else as texts, with any whitespace between words."""
    if one == other:
        return True
    first, second = _normalised(one), _normalised(other)
    numbers = _number(first), _number(second)
    if None not in numbers:
        return numbers[0] == numbers[1]
    return first.casefold() == second.casefold() if ignore_case else first == second


def _normalised(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).replace("\N{MINUS SIGN}", "-").split())


def _number(text: str) -> Decimal | None:
    found = NUMBER.fullmatch(text)
    return Decimal(text.replace(",", "")) if found else None

"""Extracts the answer from what a model wrote, and compares answers strictly. docs/extraction.md has the rules."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from swarm.objectives import numbers
from swarm.objectives.latex import boxed, same_math, several_boxes
from swarm.objectives.numbers import PLAIN, last_number, leading_number, value

OPENING = r"(?:\\boxed\{|\\text\{|\\\(|[\"'*(\[$`_])*"
STATED = {  # the earlier kind counts, where there is one
    "answer": r"\banswer(?:\s+is)?\s*:?\s*(?:(?:option|choice)\s+)?",
    "option": r"\b(?:option|choice)(?:\s+is\s*:?|\s*:)\s*",
}
STATED_LETTER = [re.compile(rf"{words}({OPENING})([A-Za-z])(?![\w'])", re.IGNORECASE) for words in STATED.values()]
LEADING_LETTER = re.compile(
    r"[\"'*(\[\s]*(?:([A-Z])(?:[.):,\]*\"]|[ \t]*(?:\n|$))|([a-z])(?:[.):\]*\"]|[ \t]*(?:\n|$)))"
)
LONE_LETTER = re.compile(r"(?<![\w'])(?:([A-Z])(?![\w'])|(?<=[(\[])([a-z])(?=[)\]]))")
AT_ITS_END = re.compile(r"[)\]}\"'*$`_]*(?:\s*[.,;:!]?\s*$|\s*[.,;:!]?\s*\n|[.,;](?=\s)|[)\]}\"'*$`_])")
SPACE = re.compile(r"[^\S\n]+")
EMPTY_LINES = re.compile(r"\n[\n ]*")


def first_line(text: str) -> str:
    """The first line that is not empty."""
    return text.strip().split("\n")[0]


def after_hash(text: str) -> str:
    """What follows the first `####` on its line, as GSM8K writes answers. A model may run on."""
    _, mark, rest = text.partition("####")
    return first_line(rest.partition("####")[0]) if mark else ""


def letter(text: str) -> str:
    """A choice's letter: the last one stated as the answer, or at the start, or the only one that stands alone.

    A small letter counts where it is more than a word: "(b)", "b." or at the end of what states it. "I" is a word.
    """
    text = EMPTY_LINES.sub("\n", SPACE.sub(" ", text))  # patterns with several gaps are slow on long ones
    for pattern in STATED_LETTER:
        stated = [found[2] for found in pattern.finditer(text) if _is_letter(found, text)]
        if stated:
            return str(stated[-1]).upper()
    leading = LEADING_LETTER.match(text)
    if leading:
        return str(leading[1] or leading[2]).upper()
    alone = {(capital or small).upper() for capital, small in LONE_LETTER.findall(text)} - {"I"}
    return alone.pop() if len(alone) == 1 else ""


def _is_letter(found: re.Match[str], text: str) -> bool:
    """Whether a stated letter is no word: "the answer is a" at its end, but not "the answer is a dog"."""
    ends = bool(AT_ITS_END.match(text, found.end()))
    return ends if found[2].islower() or found[2] == "I" else True


def without_thinking(text: str) -> str:
    """The text after the model's thinking; nothing where <think> is not closed. The prompt may have opened it."""
    said = text.rpartition("</think>")[2]
    return "" if "<think>" in said else said


def same(one: str, other: str, ignore_case: bool = False) -> bool:
    """Equal as numbers if both are numbers ("1,000" and "1000.0"); else as texts, with any whitespace between words."""
    if one == other:
        return True
    first, second = _normalised(one), _normalised(other)
    plain = _number(first), _number(second)
    if None not in plain:
        return plain[0] == plain[1]
    return first.casefold() == second.casefold() if ignore_case else first == second


def same_number(found: str, right: str, ignore_case: bool = False) -> bool:
    """Equal as texts, or as numbers of any form: 1/2 and 0.5, 50% and 50."""
    values = value(found), value(right)
    return same(found, right, ignore_case) or (None not in values and values[0] == values[1])


def same_after_hash(found: str, right: str, ignore_case: bool = False) -> bool:
    """Where the right answer is a number, words may follow the one that was found."""
    return same_number(found, right, ignore_case) or (
        value(right) is not None and same_number(leading_number(found), right)
    )


def _normalised(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).replace("\N{MINUS SIGN}", "-").split())


def _number(text: str) -> Decimal | None:
    return Decimal(text.replace(",", "")) if PLAIN.fullmatch(text) else None


def _cut_by_hash(answer: str) -> str:
    """What is kept of an answer with several marks that differ."""
    marked = {first_line(part) for part in answer.split("####")[1:] if part.strip()}
    return after_hash(answer) if len(marked) > 1 else ""


def _cut_by_box(answer: str) -> str:
    return boxed(answer) if several_boxes(answer) else ""


@dataclass(frozen=True)
class Extraction:
    """How an answer is found in a text, and when it is right.

    find: the answer in a text; "" where there is none.
    same: whether what was found is the right answer; it may ignore case.
    form: how a model writes an answer so that it is found.
    reads_solutions: it is applied to the example's own answer too, which may be a worked solution.
    cut: what it keeps of a right answer, where that is only a part of it.
    """

    find: Callable[[str], str]
    same: Callable[[str, str, bool], bool] = same
    form: str = "{}"
    reads_solutions: bool = False
    cut: Callable[[str], str] = lambda answer: ""


HOW = {
    "all": Extraction(str.strip),
    "first_line": Extraction(first_line),
    "last_number": Extraction(last_number, same_number, reads_solutions=True, cut=numbers.cut),
    "after_hash": Extraction(after_hash, same_after_hash, "#### {}", True, _cut_by_hash),
    "boxed": Extraction(
        boxed, lambda found, right, _: same(found, right) or same_math(found, right), "\\boxed{{{}}}", True, _cut_by_box
    ),
    "letter": Extraction(letter, lambda found, right, _: same(found, right, True)),
}
EXTRACTIONS: dict[str, Callable[[str], str]] = {name: how.find for name, how in HOW.items()}

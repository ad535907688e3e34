"""Finds phrases in a text, whatever its case, its kind of quotes and its line breaks."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Annotated

from pydantic import AfterValidator

STRAIGHT = str.maketrans(dict.fromkeys("’‘ʼ‛`´′", "'") | dict.fromkeys("“”„‟″", '"'))


def _is_expression(pattern: str) -> str:
    try:
        matches_nothing = re.compile(pattern).search("")
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression ({error}); correct it") from None
    if matches_nothing:
        raise ValueError(f"{pattern!r} matches an empty text, and so every text; correct it")
    return pattern


Phrase = Annotated[str, AfterValidator(_is_expression)]  # a regular expression of the user's


def plain(text: str) -> str:
    """The text as phrases are compared with it: lower case, straight quotes, one space between words."""
    return " ".join(unicodedata.normalize("NFKC", text.translate(STRAIGHT)).casefold().split())


def phrase_in(text: str, phrases: tuple[str, ...]) -> str:
    """What the first of these regular expressions that is found in the text matches there; "" where none is."""
    said = plain(text)
    found = (each.search(said) for each in _compiled(phrases))
    return next((match[0].strip() for match in found if match), "")


def digest(phrases: Iterable[str]) -> str:
    """What tells one list of phrases from another, for the fingerprint of a run whose scores they decide."""
    return hashlib.sha256("\n".join(phrases).encode()).hexdigest()[:16]


@cache
def _compiled(phrases: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(each.translate(STRAIGHT), re.IGNORECASE) for each in phrases)

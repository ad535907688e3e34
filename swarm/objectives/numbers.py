r"""Numbers in texts: found whole, and compared by value.

A number is `1,234`, `-5`, `.5`, `1.6e-19`, `6.02 x 10^23`, `3/4`, `2 1/2` or `\frac{3}{4}`. A date, a time, a ratio and
a version are found whole too, but have no value: they are compared as texts.
"""

import re
from decimal import Decimal
from fractions import Fraction

DIGITS = r"(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)"
TIMES = r"(?:x|×|\*|·|\\times|\\cdot)"
POWER = r"(?:\^|\*\*)\s*(?:\{\s*[+-]?[0-9]+\s*\}|[+-]?[0-9]+)"
EXPONENT = rf"(?:[eE][+-]?[0-9]+(?!\w)|\s*{TIMES}\s*10\s*{POWER})"
VALUED = rf"(?:[0-9]+\ [0-9]+/[0-9]+|{DIGITS}/{DIGITS}|{DIGITS}{EXPONENT}?)"
UNVALUED = (
    r"(?<![\w.])(?:[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}|[0-9]{1,2}-[0-9]{1,2}-[0-9]{4}"
    r"|[0-9]+(?::[0-9]+)+|[0-9]+(?:/[0-9]+){2,}|[0-9]+(?:\.[0-9]+){2,})(?![0-9])"
)
IN_TEXT = re.compile(rf"(?P<whole>{UNVALUED})|(?P<sign>(?<![\w)])-)?\$?(?P<number>{VALUED})")
AT_START = re.compile(rf"[\s*(\[$=\\]*(?P<sign>[+-]?)\$?(?P<number>{VALUED})(?=[\s.,;%)\]*$}}\\]|$)")
LATEX_FRACTION = re.compile(r"\\[dt]?frac\{([0-9]+)\}\{([0-9]+)\}")
PLAIN = re.compile(r"([+-]?)((?:0|[1-9][0-9]{0,2}(?:,[0-9]{3})+|[1-9][0-9]*)(?:\.[0-9]+)?|\.[0-9]+)")  # not 007
MOST_DIGITS_OF_AN_EXPONENT = 4  # the value of 1e99999999 would fill the memory

WORKED_WORDS = 8  # an answer of so many words is a worked solution
BEFORE = re.compile(r"(?:.*[=:])?(?:[\"'*(\[{$€£¥+#~≈]|\\[([$]|\\boxed\{|\\,)*")
AFTER = re.compile(r"(?:[a-zA-Z]{2,}|[mgshlLVWJN]|°[CF]?|\^\\circ)?(?:[\"'*)\]}$€£¥%.,;?]|\\[)\]$%!,]|\\\\)*")
CHANGES = re.compile(  # words and signs that change the value of the number before them
    r"[\s-]*(?:(?:hundred|thousand|million|billion|trillion|dozen|bn|mn|bce?|ad|[ap]m)\b|[ap]\.m\.|\s[<>≤≥=*/^×±])",
    re.IGNORECASE,
)
INTRODUCED = re.compile(
    r"(?:[=:]|\b(?:is|are|was|answer|result|total|about|USD|EUR|GBP|Rs\.?))[\s\"'*(\[{$€£¥#]*$", re.I
)
SEVERAL = re.compile(r"[,;](?![0-9]{3})|\b(?:or|and|to)\b|±")


def plain(text: str) -> str:
    """The text with ASCII minus signs, and LaTeX fractions as a/b."""
    return LATEX_FRACTION.sub(r"\1/\2", text.replace("\N{MINUS SIGN}", "-"))


def last_number(text: str) -> str:
    """The last number, without a dollar or percent sign. A minus after a word, number or bracket is an operator."""
    found = _last(plain(text))
    return _written(found) if found else ""


def leading_number(text: str) -> str:
    """The number that the text starts with; "" where it starts with none."""
    found = AT_START.match(plain(text))
    return found["sign"] + found["number"] if found else ""


def value(text: str) -> Fraction | None:
    """The value of a text that is one number, with or without a dollar or percent sign; None for any other text."""
    bare = re.sub(r"^([+-]?)\\?\$", r"\1", plain(text).strip())
    bare = re.sub(r"\s*\\?%$", "", bare)
    if PLAIN.fullmatch(bare):
        return Fraction(_decimal(bare))
    sign, digits = (-1, bare[1:]) if bare.startswith("-") else (1, bare.removeprefix("+"))
    found = re.fullmatch(VALUED, digits)
    size = _size(digits) if found else None
    return None if size is None else sign * size


def cut(answer: str) -> str:
    """What `last_number` keeps of a right answer where that is only a part of it; "" where it keeps the answer whole.

    Words that follow a number are its unit. Of a worked solution the last number is the answer, unless it is a part of
    a longer expression, as 2 is in x^2.
    """
    text = plain(answer).strip()
    found = _last(text)
    if not found:
        return ""
    before, after = text[: found.start()], text[found.end() :]
    joined_before = (re.search(r"\S*$", before) or [""])[0]
    joined_after = (re.match(r"\S*", after) or [""])[0]
    part = not (BEFORE.fullmatch(joined_before) and AFTER.fullmatch(joined_after)) or CHANGES.match(after)
    rest = before + after
    lost = re.search("[0-9]", rest) or (re.search(r"[^\W\d_]", before) and not INTRODUCED.search(before))
    return _written(found) if part or (lost and not _worked(text, rest)) else ""


def _worked(text: str, rest: str) -> bool:
    """Whether the text is a solution that ends with its answer, rather than an answer."""
    words = re.findall(r"[^\W\d_]{2,}", text)
    return (
        "\n" in text
        or "####" in text
        or "\\boxed" in text
        or len(words) >= WORKED_WORDS
        or ("=" in text and not SEVERAL.search(rest))
    )


def _last(text: str) -> re.Match[str] | None:
    return next(reversed(list(IN_TEXT.finditer(text))), None)


def _written(found: re.Match[str]) -> str:
    return found["whole"] or (found["sign"] or "") + found["number"]


def _size(digits: str) -> Fraction | None:
    """The value of an unsigned number of any form."""
    whole, _, parts = digits.rpartition(" ") if "/" in digits else ("", "", digits)
    over, slash, under = parts.partition("/")
    if slash:
        if not _decimal(under):
            return None
        return Fraction(_decimal(whole or "0")) + Fraction(_decimal(over)) / Fraction(_decimal(under))
    found = re.fullmatch(rf"({DIGITS})({EXPONENT})", digits)
    if not found:  # 007
        return None
    exponent = re.search(r"([+-]?)0*([0-9]+)\s*\}?$", found[2])
    if not exponent or len(exponent[2]) > MOST_DIGITS_OF_AN_EXPONENT:
        return None
    return Fraction(_decimal(found[1])) * Fraction(10) ** int(exponent[1] + exponent[2])


def _decimal(digits: str) -> Decimal:
    return Decimal(digits.replace(",", ""))

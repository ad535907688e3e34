r"""Answers in LaTeX: found in \boxed{...}, and compared after the normalisation of Hendrycks' MATH.

Two answers are equal where their normal forms are, or their values where both are numbers. The normal form has
- one command for what looks alike: \dfrac and \tfrac are \frac, \le is \leq;
- braces around every argument (\frac12, \sqrt3), and none around a single exponent or index;
- a/b of whole numbers as \frac{a}{b}, and the right side of "x = 5";
- no spaces, sizes (\left), dollar, percent and degree signs, units, thousands separators or final full stop.
It departs from MATH's `is_equiv` where that is stricter without a reason; docs/extraction.md lists where.
"""

import re

from swarm.objectives.numbers import value

BOX = re.compile(r"\\(?:boxed|fbox)(?![a-zA-Z])\s*")
SPACES = re.compile(r"\\[!,;:>]|\\q?quad(?![a-zA-Z])|\\ |~|\s+")
SIZES = re.compile(r"\\(?:left|right|[bB]igg?[lr]?)(?![a-zA-Z])")
DEGREES = re.compile(r"\^\{?\\circ\}?|\\degree(?![a-zA-Z])|°")
WORDS = re.compile(r"\\(?:text(?:bf|it|rm|normal)?|mbox|mathrm|mathbf|mathit|operatorname)\s*\{([^{}]*)\}")
UNIT = re.compile(r"(?<=[\d})])\s*\\(?:text(?:rm)?|mbox|mathrm)\s*\{([^{}]*)\}(?:\^\{?[23]\}?)?$")
NO_UNIT = re.compile(r"(?:hundred|thousand|[mbtr]+illion|dozen|[ap]\.?m\.?|or|and|to|i)\b", re.IGNORECASE)
PLAIN_UNIT = re.compile(
    r"(?<=\d)\s*(?:square|sq\.?|cubic)?\s*(?:[ckm]m|inch(?:es)?|f(?:ee|oo)?t|miles?|kg|pounds?|degrees?|dollars?|cents?"
    r"|percent|hours?|minutes?|seconds?|days?|years?|units?|meters?|centimeters?|kilometers?|liters?)(?:\^\{?[23]\}?)?$"
)
NEW_ROW = "\N{SYMBOL FOR NEWLINE}"  # of a matrix; before a letter it is a backslash that was escaped twice
ALIKE = {
    r"\\[dtc]frac(?![a-zA-Z])": r"\\frac",
    r"\\le(?![a-zA-Z])": r"\\leq",
    r"\\ge(?![a-zA-Z])": r"\\geq",
    r"\\ne(?![a-zA-Z])": r"\\neq",
    r"\\(?:\(|\)|\[|\])|\\?\$|\\?%": "",  # the marks of formulas, dollars and percent
    r"\{,\}": ",",
}
ARGUMENT = r"(?:\{[^{}]*\}|\\[a-zA-Z]+|[^\s{}\\])"
FRACTION = re.compile(rf"\\frac\s*({ARGUMENT})\s*({ARGUMENT})")
ROOT = re.compile(rf"\\sqrt(?!\[)\s*({ARGUMENT})")
SLASH = re.compile(r"(-?)(\d+)/(-?\d+)")
THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
VALUE = re.compile(r"(-?)\\frac\{(-?\d+)\}\{(\d+)\}")


def boxed(text: str) -> str:
    r"""What is in the last \boxed{...} or \fbox{...}, with balanced braces, or follows it up to a space or $."""
    boxes = list(BOX.finditer(text))
    if not boxes:
        return ""
    rest = text[boxes[-1].end() :]
    return _in_braces(rest) if rest.startswith("{") else re.split(r"[\s$]", rest, maxsplit=1)[0].rstrip(".,;")


def several_boxes(text: str) -> bool:
    """Whether the answer is in several boxes, with no more than "and", "or" or a comma between them."""
    places = [found.end() for found in BOX.finditer(text)]
    if len(places) < 2:
        return False
    first = text[places[-2] :]
    between = first[len(_in_braces(first)) + 2 : places[-1] - places[-2]] if first.startswith("{") else first
    words = re.sub(r"\\(?:text|boxed|fbox)|[\s${},;&\\]", "", between)
    return words in ("", "and", "or")


def same_math(one: str, other: str) -> bool:
    """Whether two answers are equal as MATH compares them."""
    first, second = normal(one), normal(other)
    if first == second:
        return bool(first)
    values = _value(first), _value(second)
    return None not in values and values[0] == values[1]


def normal(text: str) -> str:
    """The normal form of an answer."""
    form = _without_marks(text)
    while (lone := re.fullmatch(r"\{([^{}]*)\}", form)) is not None:
        form = lone[1]
    left, equals, right = form.partition("=")
    if equals and len(left.strip()) <= 2 and "=" not in right and right.strip():
        form = right
    form = re.sub(r"(?<![\d])\.(?=\d)", "0.", form)
    form = SPACES.sub("", THOUSANDS.sub(lambda found: found[0].replace(",", ""), SPACES.sub("", form)))
    form = ROOT.sub(lambda found: rf"\sqrt{{{_bare(found[1])}}}", form)
    form = FRACTION.sub(lambda found: rf"\frac{{{_bare(found[1])}}}{{{_bare(found[2])}}}", form)
    form = re.sub(r"([\^_])\{([^{}\\])\}", r"\1\2", form)
    ratio = SLASH.fullmatch(form)
    return rf"{ratio[1]}\frac{{{ratio[2]}}}{{{ratio[3]}}}" if ratio else form


def _without_marks(text: str) -> str:
    """Without what does not change an answer: spaces at its ends, sizes, signs, units, a final full stop."""
    form = re.sub(r"\\\\(?=[a-zA-Z])", r"\\", text.strip()).replace(r"\\", NEW_ROW).replace("\N{MINUS SIGN}", "-")
    for pattern, plain in ALIKE.items():
        form = re.sub(pattern, plain, form)
    form = DEGREES.sub("", SIZES.sub("", re.sub(r"\\!", "", form))).strip()
    form = re.sub(r"(?<=\S)\.$", "", form).strip()
    unit = UNIT.search(form)
    if unit and not NO_UNIT.match(unit[1].strip()):
        form = form[: unit.start()]
    form = re.sub(r"(?:\\[,; ]|~)+$", "", form).strip()
    return PLAIN_UNIT.sub("", WORDS.sub(r"\1", form)).strip().removesuffix(".")


def _in_braces(text: str) -> str:
    """What is between the brace that the text starts with and the one that closes it; "" where none does."""
    depth = 0
    for found in re.finditer(r"\\.|[{}]", text, re.DOTALL):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if depth == 0 and found[0] == "}":
            return text[1 : found.start()]
    return ""


def _bare(argument: str) -> str:
    return argument[1:-1] if argument.startswith("{") else argument


def _value(form: str) -> object:
    ratio = VALUE.fullmatch(form)
    return value(f"{ratio[1]}{ratio[2]}/{ratio[3]}".replace("--", "")) if ratio else value(form)

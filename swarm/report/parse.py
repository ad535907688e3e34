"""From JSON's loose values to typed ones: what is absent becomes empty, a missing number NaN."""

import math
from collections.abc import Mapping, Sequence

Json = Mapping[str, object]


def mapping(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def sequence(value: object) -> Sequence[object]:
    return value if isinstance(value, (list, tuple)) else ()


def number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan


def whole(value: object) -> int:
    return int(value) if isinstance(value, (int, float)) else 0


def text(value: object) -> str:
    return "" if value is None else str(value)


def texts(value: object) -> tuple[str, ...]:
    return tuple(text(one) for one in sequence(value))


def numbers(value: object) -> tuple[float, ...]:
    return tuple(number(one) for one in sequence(value))

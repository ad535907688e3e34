"""How JSON holds values by objective: as a map, or bare where there is a single one; and NaN, which it holds as null.

In memory a bare value stands under the name "".
"""

import math
from collections.abc import Mapping

from pydantic import BeforeValidator, SerializerFunctionWrapHandler, WrapSerializer

NUMBERS = ("mean", "difference", "low", "high")  # of a score or a difference: these may be NaN


def wrapped(leaf: str = "") -> BeforeValidator:
    """A bare value becomes a map with the key "". It is bare where it is a number, or a map whose `leaf` is one."""

    def wrap(value: object) -> object:
        inner = value.get(leaf, value) if leaf and isinstance(value, Mapping) else value
        return {"": value} if inner is None or isinstance(inner, int | float) else value

    return BeforeValidator(wrap)


def _unwrap(value: object, dump: SerializerFunctionWrapHandler) -> object:
    dumped = dump(value)
    return next(iter(dumped.values())) if len(dumped) == 1 else dumped


def _unwrap_nameless(value: object, dump: SerializerFunctionWrapHandler) -> object:
    dumped = dump(value)
    return dumped[""] if list(dumped) == [""] else dumped


def _null_as_nan(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return value | {key: math.nan for key in NUMBERS if value.get(key, 0.0) is None}


unwrapped = WrapSerializer(_unwrap)
nameless_unwrapped = WrapSerializer(_unwrap_nameless)  # a single value keeps its name where it has one
nulls_as_nan = BeforeValidator(_null_as_nan)


def nan_as_null(value: object) -> object:
    """JSON content with NaN as null, at any depth of maps."""
    if isinstance(value, dict):
        return {key: nan_as_null(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value

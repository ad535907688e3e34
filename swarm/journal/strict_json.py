"""JSON as the standard has it: without NaN and infinities, and no number that is too large for a float."""

import json
import math
from typing import NoReturn


def read_json(content: bytes) -> object:
    """From UTF-8, in which paths that are no UTF-8 have their bytes. Raises ValueError, whatever the content is."""
    try:
        text = content.decode("utf-8-sig", "surrogateescape")
        return json.loads(text, parse_constant=_refused, parse_float=_float, parse_int=_int)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refused(text: str) -> NoReturn:
    raise ValueError(f"{text[:20]} is no finite number")


def _float(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refused(text)


def _int(text: str) -> int:
    return int(text) if math.isfinite(float(text)) else _refused(text)

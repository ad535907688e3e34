"""Floors: the least that an objective's mean score may be, by itself or compared with the base's."""

import math
import re
from dataclasses import dataclass

FROM_BASE = re.compile(r"base(?:\s*([+-])\s*(\d+(?:\.\d*)?|\.\d+))?")


@dataclass(frozen=True)
class Floor:
    """The least mean score.

    value: in the unit of the scores; where it counts from the base's score, what is added to that.
    from_base: whether it counts from there.
    """

    value: float
    from_base: bool = False

    @classmethod
    def read(cls, given: float | str) -> "Floor":
        """From a number, or a text such as "base - 0.02". Raises ValueError for anything else."""
        if isinstance(given, str):
            if (found := FROM_BASE.fullmatch(given.strip())) is not None:
                sign, amount = found.groups()
                return cls(float(f"{sign or ''}{amount or 0}"), from_base=True)
            try:
                given = float(given)
            except ValueError:
                raise ValueError('must be a number such as 0.9, or counted from the base: "base - 0.02"') from None
        if not math.isfinite(given):
            raise ValueError('must be a number such as 0.9, or counted from the base: "base - 0.02"')
        return cls(float(given))

    @property
    def negated(self) -> "Floor":
        """The floor of the negated scores where this is the most that the scores may be."""
        return Floor(-self.value, self.from_base)

    def __str__(self) -> str:
        if not self.from_base:
            return f"{self.value:g}"
        return "base" if self.value == 0 else f"base {'-' if self.value < 0 else '+'} {abs(self.value):g}"

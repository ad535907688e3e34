"""How scores and baselines are said: percentages or plain numbers, and names that stand in a sentence."""

import math
from collections.abc import Iterable
from dataclasses import dataclass


def signed(value: float, form: str) -> str:
    """A number with its true minus sign; `form` is a format spec."""
    return format(value, form).replace("-", "−")


@dataclass(frozen=True)
class Unit:
    """How an objective's scores are said: percentages when every score lies in [0, 1], else plain numbers."""

    percent: bool

    def bare(self, value: float) -> str:
        if not math.isfinite(value):
            return "–"
        return signed(100 * value, ".1f") if self.percent else signed(value, "#.4g").removesuffix(".")

    def score(self, value: float) -> str:
        return f"{self.bare(value)} %" if self.percent and math.isfinite(value) else self.bare(value)

    def interval(self, low: float, high: float) -> str:
        return f"{self.bare(low)} to {self.bare(high)}"

    def size(self, difference: float) -> str:
        """A difference without its sign: "11.0 points"."""
        return f"{self.bare(abs(difference))} points" if self.percent else self.bare(abs(difference))

    def change(self, difference: float) -> str:
        """A difference with its sign: "+11.0"."""
        return ("+" if difference > 0 else "") + self.bare(difference)

    def tick(self, value: float) -> str:
        return f"{signed(100 * value, '.6g')} %" if self.percent else signed(value, ".6g")


def unit_of(scores: Iterable[float]) -> Unit:
    return Unit(all(0 <= score <= 1 for score in scores if not math.isnan(score)))


def baseline_name(key: str) -> str:
    """A baseline's key in words, to stand after "above" or "than"."""
    kind, _, rest = key.partition(":")
    return {"base": "the base", "uniform": "the uniform average", "expert": f"expert {rest}"}.get(kind, key)


def capital(words: str) -> str:
    return words[:1].upper() + words[1:]

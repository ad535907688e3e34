"""Scores and baselines as words: percentages or plain numbers, and names of baselines for use in a sentence."""

import math
from collections.abc import Iterable
from dataclasses import dataclass


def signed(value: float, form: str) -> str:
    """A number with its true minus sign; `form` is a format spec."""
    return format(value, form).replace("-", "−")


@dataclass(frozen=True)
class Unit:
    """How an objective's scores are written.

    percent: percentages where every score lies in [0, 1], differences then in points; else plain numbers.
    """

    percent: bool

    def bare(self, value: float) -> str:
        """A number without its unit: "81.8", or a dash where it is not finite."""
        if not math.isfinite(value):
            return "–"
        return signed(100 * value, ".1f") if self.percent else signed(value, "#.4g").removesuffix(".")

    def score(self, value: float) -> str:
        """A score with its unit: "81.8 %"."""
        return f"{self.bare(value)} %" if self.percent and math.isfinite(value) else self.bare(value)

    def interval(self, low: float, high: float) -> str:
        """The two ends without their unit: "79.6 to 83.9"."""
        return f"{self.bare(low)} to {self.bare(high)}"

    def size(self, difference: float) -> str:
        """A difference without its sign: "11.0 points"."""
        return f"{self.bare(abs(difference))} points" if self.percent else self.bare(abs(difference))

    def change(self, difference: float) -> str:
        """A difference with its sign: "+11.0"."""
        return ("+" if difference > 0 else "") + self.bare(difference)

    def tick(self, value: float) -> str:
        """The label of an axis: as short as the number allows."""
        return f"{signed(100 * value, '.6g')} %" if self.percent else signed(value, ".6g")


def unit_of(scores: Iterable[float]) -> Unit:
    """Percentages where every score that is a number lies in [0, 1]."""
    return Unit(all(0 <= score <= 1 for score in scores if not math.isnan(score)))


def uniform_name(coefficient: float, tried: Iterable[float] = ()) -> str:
    """ "uniform weights, 0.4 each: the best on search of 0.2, 0.4, 0.6, 0.8"; without `tried`, the first part.

    Where the largest that was tried is the best, that is said too, as still larger ones may be better.
    """
    scales = sorted(tried)
    listed = ", ".join(f"{scale:.3g}" for scale in scales)
    edge = ", the largest that was tried" if scales and coefficient >= scales[-1] else ""
    chosen = f": the best on search of {listed}{edge}" if len(scales) > 1 else ""
    return f"uniform weights, {coefficient:.3g} each{chosen}"


def baseline_name(key: str) -> str:
    """A baseline's key ("uniform", "expert:maths") in words that can follow "above" or "than"."""
    kind, _, rest = key.partition(":")
    return {"base": "the base", "uniform": "uniform weights", "expert": f"expert {rest}"}.get(kind, key)


def capital(words: str) -> str:
    """The same words with a capital first letter."""
    return words[:1].upper() + words[1:]

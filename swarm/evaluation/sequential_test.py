"""The spread of a mean of paired differences, within strata: what a sequential test rests on."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """A variance and its degrees of freedom."""

    variance: float
    freedom: int


def spread_of(values: Sequence[float], strata: Sequence[str]) -> Spread:
    """The variance within strata; overall where there are none, or so many that few values are left to judge by.

    Overall, too, where every stratum is of one value: of right and wrong answers that is easily chance.
    """
    groups: dict[str, list[float]] = defaultdict(list)
    for value, stratum in zip(values, strata, strict=False):
        groups[stratum].append(value)
    within = _pooled(list(groups.values())) if 0 < len(groups) <= len(values) / 2 else None
    return within if within is not None and within.variance > 0 else _pooled([values])


def _pooled(groups: Sequence[Sequence[float]]) -> Spread:
    squares = [(x - math.fsum(group) / len(group)) ** 2 for group in groups for x in group]
    freedom = len(squares) - len(groups)
    return Spread(math.fsum(squares) / freedom, freedom)

"""Right or wrong, softened: what a search climbs where answers come with margins.

A mean of right-or-wrong answers moves in steps, one whenever an answer tips over, and says nothing between. Softened,
each answer counts as the chance that it stays right under a little noise, so a candidate that makes many answers surer
is worth more than one that is as often right by luck. The noise is a small share of the margins' own spread: with much,
what is climbed is no longer accuracy (docs/results/discovery.md).

Shape suffixes: P examples.
"""

from collections.abc import Sequence

import numpy as np

from swarm.core.space import Array

SHARE = 0.15  # of the margins' standard deviation
DIGITS = 4  # so that sums of another order hardly ever give another one: far finer than what it says of a candidate


def smoothed(margins_P: Sequence[float]) -> float:
    """The mean of 1 / (1 + exp(-m / t)), t = SHARE x the margins' standard deviation: in [0, 1]."""
    m_P: Array = np.asarray(margins_P, dtype=np.float64)
    spread = float(m_P.std())
    if spread == 0.0:
        return float((m_P > 0).mean())
    with np.errstate(over="ignore"):  # of a margin far below zero, whose chance is 0
        return round(float((1.0 / (1.0 + np.exp(-m_P / (SHARE * spread)))).mean()), DIGITS)

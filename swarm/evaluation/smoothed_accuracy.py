"""Smoothed accuracy: what a search climbs where right-or-wrong answers have margins.

Accuracy moves in steps, one whenever an answer turns right or wrong, and is constant in between. Smoothed, each answer
counts as the chance that it stays right under a little noise. So of two candidates that are right as often, the one
whose answers are surer is worth more. The noise is a small share of the margins' own standard deviation: with much
noise, what is climbed is no longer accuracy (docs/results/discovery.md).

Shape suffixes: P examples.
"""

from collections.abc import Sequence

import numpy as np

from swarm.core.space import Array

NOISE_SHARE = 0.15  # of the margins' standard deviation: with 0.3 and more, some searches end below those by accuracy
DIGITS = 4  # so that a sum in another order hardly ever differs: far finer than the differences between candidates


def smoothed(margins_P: Sequence[float]) -> float:
    """The mean of 1 / (1 + exp(-m / t)), t = NOISE_SHARE x the margins' standard deviation: in [0, 1]."""
    m_P: Array = np.asarray(margins_P, dtype=np.float64)
    spread = float(m_P.std())
    if spread == 0.0:
        return float((m_P > 0).mean())
    with np.errstate(over="ignore"):  # of a margin far below zero, whose chance is 0
        return round(float((1.0 / (1.0 + np.exp(-m_P / (NOISE_SHARE * spread)))).mean()), DIGITS)

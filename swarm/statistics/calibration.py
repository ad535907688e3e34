"""Whether probabilities mean what they say: expected calibration error and Brier score, with bootstrap intervals.

Shape suffixes: N items, E events of an item (one per expert), B bins, S resamples.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from swarm.core.space import Array
from swarm.statistics.intervals import CONFIDENCE, Score

BINS = 10
RESAMPLES = 1_000


def expected_calibration_error(p: ArrayLike, happened: ArrayLike, bins: int = BINS) -> float:
    """The mean distance between what is predicted and what happens (Naeini et al. 2015), in bins of equal mass.

    p: predicted probabilities of any shape. happened: 0 or 1 for each.

    The predictions, in order, are cut into `bins` parts of equal size, as far as equal predictions allow, which stay in
    one bin: ECE = sum over bins of n_B / n * |mean of p in it - mean of happened in it|.
    """
    p_N, happened_N = np.ravel(np.asarray(p, dtype=np.float64)), np.ravel(np.asarray(happened, dtype=np.float64))
    assert len(p_N) == len(happened_N) > 0, "one event per probability"
    cuts_B = np.sort(p_N)[[len(p_N) * k // bins for k in range(1, bins)]]  # the lowest prediction of each further bin
    bin_N = np.searchsorted(cuts_B, p_N, side="right")
    gaps_B = np.bincount(bin_N, p_N - happened_N, minlength=bins)
    return float(np.abs(gaps_B).sum() / len(p_N))


def brier_score(p: ArrayLike, happened: ArrayLike) -> float:
    """The mean squared distance between a probability and what happened (Brier 1950): 0 is perfect, .25 a coin's."""
    gaps = np.asarray(p, dtype=np.float64) - np.asarray(happened, dtype=np.float64)
    return float(np.mean(gaps**2))


def with_interval(
    statistic: Callable[[Array, Array], float], p_NE: ArrayLike, happened_NE: ArrayLike, seed: int = 0
) -> Score:
    """A statistic of predictions and events with its 95 % interval: percentiles over resampled items.

    An item's events are resampled together, as they are not independent.
    """
    p_NE, happened_NE = np.asarray(p_NE, dtype=np.float64), np.asarray(happened_NE, dtype=np.float64)
    n, random = len(p_NE), np.random.default_rng(seed)
    drawn = (random.integers(n, size=n) for _ in range(RESAMPLES))
    found_S = [statistic(p_NE[rows], happened_NE[rows]) for rows in drawn]
    low, high = np.quantile(found_S, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Score(statistic(p_NE, happened_NE), float(low), float(high), n)

"""Whether probabilities mean what they say: calibration errors and the Brier score, with bootstrap intervals.

The expected calibration error of few items is biased upwards, as each bin's mean gap is made positive whatever its sign
(Roelofs et al. 2022), and the more so the better calibrated the probabilities: a fall looks smaller than it is. The
squared error can be had without bias (Kumar et al. 2019), so changes should be judged by it.

Shape suffixes: N items, E events of an item (one per expert), B bins, S resamples.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarm.core.space import Array
from swarm.statistics.intervals import CONFIDENCE, Difference, Score

BINS = 10
RESAMPLES = 1_000

Rows = NDArray[np.integer]
Statistic = Callable[[Array, Array], float]


def expected_calibration_error(p: ArrayLike, happened: ArrayLike, bins: int = BINS) -> float:
    """The mean distance between what is predicted and what happens (Naeini et al. 2015), in bins of equal mass.

    p: predicted probabilities of any shape. happened: 0 or 1 for each.

    The predictions, in order, are cut into `bins` parts of equal size, as far as equal predictions allow, which stay in
    one bin: ECE = sum over bins of n_B / n * |mean of p in it - mean of happened in it|.
    """
    p_N, happened_N = np.ravel(np.asarray(p, dtype=np.float64)), np.ravel(np.asarray(happened, dtype=np.float64))
    assert len(p_N) == len(happened_N) > 0, "one event per probability"
    gaps_B = np.bincount(_bin_of(p_N, bins), p_N - happened_N, minlength=bins)
    return float(np.abs(gaps_B).sum() / len(p_N))


def squared_calibration_error(p_NE: ArrayLike, happened_NE: ArrayLike, bins: int = BINS) -> float:
    """Sum over bins of n_B / n * (mean of p - mean of happened)^2, in the bins of `expected_calibration_error`.

    It is the part of the Brier score that calibration can mend, its reliability (Murphy 1973). Biased upwards.
    """
    sum_B, _, n_B = _gaps(p_NE, happened_NE, bins)
    return float((sum_B**2 / n_B).sum() / n_B.sum())


def debiased_squared_error(p_NE: ArrayLike, happened_NE: ArrayLike, bins: int = BINS) -> float:
    """The same without its bias, after Kumar et al. (2019); by chance below 0 where probabilities are calibrated.

    p_NE, happened_NE: of two items at least.

    The square of a bin's summed gaps is taken over pairs of different items alone,
    N / (N - 1) (sum^2 - sum of squares), with an item's own gaps added up first. Kumar et al. subtract the variance of
    independent events, which gives the same for one event per item; those of one item, such as which expert is the
    best, are not independent.
    """
    sum_B, squares_B, n_B = _gaps(p_NE, happened_NE, bins)
    n = len(np.asarray(p_NE))
    return float((n / (n - 1) * (sum_B**2 - squares_B) / n_B).sum() / n_B.sum())


def brier_score(p: ArrayLike, happened: ArrayLike) -> float:
    """The mean squared distance between a probability and what happened (Brier 1950): 0 is perfect, .25 a coin's."""
    gaps = np.asarray(p, dtype=np.float64) - np.asarray(happened, dtype=np.float64)
    return float(np.mean(gaps**2))


@dataclass(frozen=True)
class Measure:
    """A statistic of predictions and events.

    estimate: what is reported.
    plug_in: what resamples are compared with, the same quantity of the items as if there were no others. It is the
        estimate itself unless that takes a bias away.
    least: the lowest value of the estimate.
    """

    estimate: Statistic
    plug_in: Statistic
    least: float = 0.0


ECE = Measure(expected_calibration_error, expected_calibration_error)
SQUARED = Measure(debiased_squared_error, squared_calibration_error, least=-math.inf)
BRIER = Measure(brier_score, brier_score)


def with_interval(measure: Measure, p_NE: ArrayLike, happened_NE: ArrayLike, seed: int = 0) -> Score:
    """A measure with its 95 % interval: a pivotal bootstrap over items.

    What is estimated is never below 0. The estimate of SQUARED may be, by chance, and so may the ends of its interval;
    those of the others are cut off at 0. An item's events are resampled together, as they are not independent.
    """
    p_NE, happened_NE = np.asarray(p_NE, dtype=np.float64), np.asarray(happened_NE, dtype=np.float64)

    def of(statistic: Statistic, rows: Rows) -> float:
        return statistic(p_NE[rows], happened_NE[rows])

    found = _pivotal(measure, of, len(p_NE), seed)
    return Score(found.difference, max(measure.least, found.low), max(measure.least, found.high), len(p_NE))


def change(
    measure: Measure, before_NE: ArrayLike, after_NE: ArrayLike, happened_NE: ArrayLike, seed: int = 0
) -> Difference:
    """A measure of `after_NE` minus that of `before_NE`, two predictions of the same events; interval as above."""
    before_NE, after_NE, happened_NE = (np.asarray(x, dtype=np.float64) for x in (before_NE, after_NE, happened_NE))

    def of(statistic: Statistic, rows: Rows) -> float:
        return statistic(after_NE[rows], happened_NE[rows]) - statistic(before_NE[rows], happened_NE[rows])

    return _pivotal(measure, of, len(happened_NE), seed)


def _pivotal(measure: Measure, of: Callable[[Statistic, Rows], float], n: int, seed: int) -> Difference:
    """The estimate, less the upper and the lower error that resamples have (Davison and Hinkley 1997, section 5.2).

    A resample is off from the items' own value as the items are from the truth, its bias included, which percentiles of
    the resamples would double.
    """
    random, rows_N = np.random.default_rng(seed), np.arange(n)
    error_S = np.array([of(measure.estimate, random.integers(n, size=n)) for _ in range(RESAMPLES)])
    error_S -= of(measure.plug_in, rows_N)
    least, most = np.quantile(error_S, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    estimate = of(measure.estimate, rows_N)
    return Difference(estimate, estimate - float(most), estimate - float(least))


def _bin_of(p_N: Array, bins: int) -> NDArray[np.intp]:
    """The bin of each prediction: equal numbers in each as far as equal predictions allow."""
    cuts_B = np.sort(p_N)[[len(p_N) * k // bins for k in range(1, bins)]]  # the lowest prediction of each further bin
    return np.searchsorted(cuts_B, p_N, side="right")


def _gaps(p_NE: ArrayLike, happened_NE: ArrayLike, bins: int) -> tuple[Array, Array, Array]:
    """Of each bin that is not empty: the sum of the gaps, the sum of squares of each item's sum, and its size."""
    p, happened = np.asarray(p_NE, dtype=np.float64), np.asarray(happened_NE, dtype=np.float64)
    assert p.shape == happened.shape, "one event per probability"
    bin_N = _bin_of(p.ravel(), bins)
    n_B = np.bincount(bin_N, minlength=bins).astype(np.float64)
    item_N = np.arange(p.size) // (p.size // len(p))
    own = np.bincount(item_N * bins + bin_N, (p - happened).ravel(), minlength=len(p) * bins)
    own_NB = own.reshape(len(p), bins)[:, n_B > 0]
    return own_NB.sum(axis=0), (own_NB**2).sum(axis=0), n_B[n_B > 0]

"""How certain a score is: means and paired differences with 95 % intervals, and emergence.

Shape suffixes: P examples, E experts.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats

from swarm.core.space import Array

CONFIDENCE = 0.95
RESAMPLES = 5_000  # of a bootstrap
BOOTSTRAP_EXAMPLES = 2_000  # with more, the mean is close to normal and no bootstrap is needed
Range = tuple[float, float]  # the lowest and the highest score that there can be
ANY: Range = (-math.inf, math.inf)
ROUNDING = 1e-12  # relative; smaller differences come from the order of a sum, not from the model


@dataclass(frozen=True)
class Score:
    """A mean with its 95 % interval.

    mean: over the examples, in the unit of the scores.
    low, high: the ends of the interval; NaN where it is not known.
    n: the number of examples.
    """

    mean: float
    low: float
    high: float
    n: int

    @property
    def has_interval(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)


@dataclass(frozen=True)
class Difference:
    """A mean paired difference with its 95 % interval; NaN at its ends where it is not known."""

    difference: float
    low: float
    high: float

    @property
    def has_interval(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)


@dataclass(frozen=True)
class Emergence:
    """What the best gets right or wrong, compared with every source (the base and each single expert).

    newly_right: examples that the best gets right and no source does.
    newly_wrong: examples that the best gets wrong and at least one source gets right.
    n: the number of examples.
    chance: how many examples an expert gets right that no other source does, on average over the experts: what one
        more expert of the same kind would add.
    """

    newly_right: int
    newly_wrong: int
    n: int
    chance: float


def mean_interval(scores_P: Sequence[float], within: Range = ANY) -> Score:
    """The mean with its interval, where every score is an end of the range Wilson's, else a BCa bootstrap.

    scores_P: one score per example, at least one.
    within: the lowest and the highest score that there can be; where an end is infinite, scores of both 0 and 1 alone
        are taken for right and wrong.

    Scores that are all equal show no spread, and no resample of them does. What n of them say is that 0 of n differ:
    of others there are a share q, with 95 % confidence at most Wilson's upper end of 0 of n, q = z^2 / (n + z^2). These
    may be anywhere in the range, so the mean is from c - q (c - lowest) to c + q (highest - c), which at the ends of
    the range is Wilson's own interval. It holds for graded scores, too: of all scores in a range with the same mean,
    those at its two ends alone are the likeliest to look all lowest or all highest, since P(x > lowest) is at least
    (mean - lowest) / (highest - lowest) (Markov's inequality). Seven scores or more that all have a certain value
    miss the mean with at most 5 % (tests/statistics/test_intervals.py). Without a finite range they say nothing of the
    mean: the ends are NaN.
    """
    x_P = np.asarray(scores_P, dtype=np.float64)
    low, high = _ends(x_P, *within)
    return Score(float(x_P.mean()), low, high, len(x_P))


def _ends(x_P: Array, lowest: float, highest: float) -> tuple[float, float]:
    known = math.isfinite(lowest) and math.isfinite(highest) and lowest < highest
    if not known and np.array_equal(np.unique(x_P), (0.0, 1.0)):
        lowest, highest, known = 0.0, 1.0, True
    if known and np.isin(x_P, (lowest, highest)).all():
        low, high = _wilson(int((x_P == highest).sum()), len(x_P))
        return lowest + low * (highest - lowest), lowest + high * (highest - lowest)
    if has_spread(x_P):
        return _bootstrap(x_P)
    if not known:
        return math.nan, math.nan
    c, others = float(x_P[0]), _wilson(0, len(x_P))[1]
    return c - others * max(c - lowest, 0.0), c + others * max(highest - c, 0.0)


def t_interval(values_P: Sequence[float] | Array) -> Score:
    """The mean with Student's interval: much faster than a bootstrap, for many means of unbounded numbers."""
    x_P = np.asarray(values_P, dtype=np.float64)
    mean = float(x_P.mean())
    if len(x_P) < 2 or not has_spread(x_P):
        return Score(mean, mean, mean, len(x_P))
    half = _t_quantile(len(x_P) - 1) * float(x_P.std(ddof=1)) / math.sqrt(len(x_P))
    return Score(mean, mean - half, mean + half, len(x_P))


@lru_cache(maxsize=4096)  # a sweep asks for thousands, of few different numbers
def _wilson(right: int, n: int) -> tuple[float, float]:
    interval = stats.binomtest(right, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


@lru_cache(maxsize=256)
def _t_quantile(freedom: int) -> float:
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom))


def paired_bootstrap(ours_P: Sequence[float], theirs_P: Sequence[float]) -> Difference:
    """The mean of ours minus theirs on the same P examples, with a BCa bootstrap interval over the examples."""
    d_P = differences(np.asarray(ours_P, dtype=np.float64), np.asarray(theirs_P, dtype=np.float64))
    low, high = _bootstrap(d_P)
    return Difference(float(d_P.mean()), low, high)


def emergence(
    best_P: Sequence[float], base_P: Sequence[float], experts_EP: Sequence[Sequence[float]]
) -> Emergence | None:
    """Counts of examples newly right and newly wrong; a score above 0.5 is right.

    best_P, base_P: one score per example. experts_EP: a row per expert.
    None where a score lies outside [0, 1], for then nothing is right or wrong.
    """
    best, base, experts = np.asarray(best_P), np.asarray(base_P), np.asarray(experts_EP)
    everything = np.vstack([best, base, experts])
    if everything.min() < 0.0 or everything.max() > 1.0:
        return None
    right, known, solo_EP = best > 0.5, base > 0.5, experts > 0.5
    others_EP = solo_EP.sum(axis=0) - solo_EP
    only_E = (solo_EP & (others_EP == 0) & ~known).sum(axis=1)
    anyone = known | solo_EP.any(axis=0)
    return Emergence(int((right & ~anyone).sum()), int((~right & anyone).sum()), len(best), float(only_E.mean()))


def concatenate(examples: Mapping[str, Sequence[float]]) -> list[float]:
    """The per-example scores of all objectives, one after the other in the order of their names."""
    return [value for name in sorted(examples) for value in examples[name]]


def differences(ours: Array, theirs: Array) -> Array:
    """Ours minus theirs, example by example; a difference within rounding is zero. Shapes broadcast."""
    d = ours - theirs
    return np.where(np.abs(d) <= ROUNDING * np.maximum(np.abs(ours), np.abs(theirs)), 0.0, d)


def has_spread(x_P: Array) -> bool:
    """Whether the values differ by more than rounding. Where they do not, every bootstrap resample is the same."""
    return bool(np.ptp(x_P) > ROUNDING * np.abs(x_P).max())


def _bootstrap(x_P: Array) -> tuple[float, float]:
    if not has_spread(x_P):
        return float(x_P.mean()), float(x_P.mean())
    if len(x_P) > BOOTSTRAP_EXAMPLES:  # the jackknife of BCa is quadratic in P, and the mean is close to normal
        low, high = stats.t.interval(CONFIDENCE, len(x_P) - 1, loc=x_P.mean(), scale=stats.sem(x_P))
        return max(float(low), float(x_P.min())), min(float(high), float(x_P.max()))  # as resamples would
    result = stats.bootstrap(
        (x_P,),
        np.mean,
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(0),
        method="BCa",
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)

"""How sure a score is: means with 95 % intervals, paired differences, optimism, emergence.

Shape suffixes: P examples.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from swarm.core.space import Array

RESAMPLES = 5_000
CONFIDENCE = 0.95
BOOTSTRAP_EXAMPLES = 2_000
ROUNDING = 1e-12


@dataclass(frozen=True)
class Score:
    """A mean over n examples with its 95 % interval (NaN where it is not known)."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def has_interval(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)


@dataclass(frozen=True)
class Difference:
    """A mean paired difference with its 95 % interval."""

    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Emergence:
    """Items that no single expert nor the base got right and the best does, and those lost.

    chance: how many items an ordinary expert gets right that neither the base nor any other expert does,
    on average over the experts: what one more expert of the same kind would bring.
    """

    newly_right: int
    newly_wrong: int
    n: int
    chance: float


def score(scores_P: Sequence[float]) -> Score:
    """The mean with its interval: Wilson's for right-or-wrong scores, else a BCa bootstrap."""
    x_P = np.asarray(scores_P, dtype=np.float64)
    if np.isin(x_P, (0.0, 1.0)).all():
        interval = stats.binomtest(int(x_P.sum()), len(x_P)).proportion_ci(CONFIDENCE, method="wilson")
        return Score(float(x_P.mean()), float(interval.low), float(interval.high), len(x_P))
    low, high = _bootstrap(x_P)
    return Score(float(x_P.mean()), low, high, len(x_P))


def paired(ours_P: Sequence[float], theirs_P: Sequence[float]) -> Difference:
    """Ours minus theirs on the same examples, with a BCa bootstrap interval."""
    d_P = differences(np.asarray(ours_P, dtype=np.float64), np.asarray(theirs_P, dtype=np.float64))
    low, high = _bootstrap(d_P)
    return Difference(float(d_P.mean()), low, high)


def emergence(
    best_P: Sequence[float], base_P: Sequence[float], experts_EP: Sequence[Sequence[float]]
) -> Emergence | None:
    """Counts of items newly right and newly wrong, or None where scores are not shares of right (0 to 1)."""
    best, base, experts = np.asarray(best_P), np.asarray(base_P), np.asarray(experts_EP)
    everything = np.vstack([best, base, experts])
    if everything.min() < 0.0 or everything.max() > 1.0:
        return None
    right, known, solo_EP = best > 0.5, base > 0.5, experts > 0.5
    others_EP = solo_EP.sum(axis=0) - solo_EP
    only_E = (solo_EP & (others_EP == 0) & ~known).sum(axis=1)
    anyone = known | solo_EP.any(axis=0)
    return Emergence(int((right & ~anyone).sum()), int((~right & anyone).sum()), len(best), float(only_E.mean()))


def join(examples: Mapping[str, Sequence[float]]) -> list[float]:
    """The per-example scores of all objectives, one after the other."""
    return [value for name in sorted(examples) for value in examples[name]]


def differences(ours: Array, theirs: Array) -> Array:
    """Ours minus theirs, example by example; what is rounding alone is none."""
    d = ours - theirs
    return np.where(np.abs(d) <= ROUNDING * np.maximum(np.abs(ours), np.abs(theirs)), 0.0, d)


def has_spread(x_P: Array) -> bool:
    """Whether the values differ by more than rounding does; where they do not, every resample is the same."""
    return bool(np.ptp(x_P) > ROUNDING * np.abs(x_P).max())


def _bootstrap(x_P: Array) -> tuple[float, float]:
    if not has_spread(x_P):
        return float(x_P.mean()), float(x_P.mean())
    if len(x_P) > BOOTSTRAP_EXAMPLES:  # the bootstrap's jackknife is quadratic, and the mean's distribution normal
        low, high = stats.t.interval(CONFIDENCE, len(x_P) - 1, loc=x_P.mean(), scale=stats.sem(x_P))
        return float(low), float(high)
    result = stats.bootstrap(
        (x_P,),
        np.mean,
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(0),
        method="BCa",
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)

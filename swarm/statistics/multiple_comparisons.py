"""The best against every baseline at once: intervals that allow for how many comparisons there are.

With ten baselines one 95 % interval or another misses by chance in every third run. Here all of them hold
together in 95 %: the single-step max-|t| bootstrap (Westfall & Young 1993; Romano & Wolf 2005). Examples are drawn
anew for all baselines alike: what these share is not paid for twice, as by Bonferroni.

Shape suffixes: B baselines, P examples, R resamples.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from swarm.core.space import Array
from swarm.statistics.intervals import (
    BOOTSTRAP_EXAMPLES,
    CONFIDENCE,
    RESAMPLES,
    Difference,
    differences,
    has_spread,
    paired,
)

BLOCK = 500  # resamples held at a time
LEAST_SPREAD = 0.5  # of a resample, as a share of the data's


@dataclass(frozen=True)
class Interval:
    """From low to high."""

    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """Best minus one baseline: with its own interval, and the corrected one, which holds for all baselines together."""

    alone: Difference
    corrected: Interval

    @property
    def better(self) -> bool:
        return self.corrected.low > 0

    @property
    def worse(self) -> bool:
        return self.corrected.high < 0


SAME = Comparison(Difference(0.0, 0.0, 0.0), Interval(0.0, 0.0))  # a baseline that is the best, with itself


def compare(ours_P: Sequence[float], theirs: Mapping[str, Sequence[float]]) -> dict[str, Comparison]:
    """Ours minus each of theirs on the same examples. A corrected interval holds the one that stands alone."""
    if not theirs:
        return {}
    ours, theirs_BP = np.asarray(ours_P, dtype=np.float64), np.array(list(theirs.values()), dtype=np.float64)
    found = zip(theirs, (paired(ours_P, one) for one in theirs.values()), reaches(ours, theirs_BP), strict=True)
    return {name: Comparison(alone, _around(alone, float(reach))) for name, alone, reach in found}


def _around(alone: Difference, reach: float) -> Interval:
    return Interval(min(alone.low, alone.difference - reach), max(alone.high, alone.difference + reach))


def reaches(ours_P: Array, theirs_BP: Array) -> Array:
    """How far each corrected interval reaches to either side of its difference: (B,)."""
    d_BP = differences(ours_P, theirs_BP)
    reach_B = np.array([_unseen(ours_P, theirs_P, len(theirs_BP)) for theirs_P in theirs_BP])
    spread_B = np.array([has_spread(d_P) for d_P in d_BP])
    if spread_B.any():
        moving_BP = d_BP[spread_B]
        reach_B[spread_B] = _critical(moving_BP) * moving_BP.std(axis=1, ddof=1) / np.sqrt(d_BP.shape[1])
    return reach_B


def _unseen(ours_P: Array, theirs_P: Array, comparisons: int) -> float:
    """Half the width where all examples differ alike, so that a bootstrap sees no spread.

    The share of examples that may yet differ is bounded exactly (Clopper & Pearson 1934, none of P seen, Bonferroni):
    by as much as scores do, or by turning round. Zero is then outside just where the sign test says so.
    """
    share = 1.0 - ((1.0 - CONFIDENCE) / (2 * comparisons)) ** (1.0 / len(ours_P))
    both = np.concatenate([ours_P, theirs_P])
    return float(share * max(np.ptp(both), 2 * abs(ours_P.mean() - theirs_P.mean())))


def _critical(d_BP: Array) -> float:
    """What the largest |t| of all baselines stays below in 95 % of resamples.

    No less than Student's t of one comparison: a few examples have too few resamples to show what is rare.
    """
    rng, n = np.random.default_rng(0), d_BP.shape[1]
    if n > BOOTSTRAP_EXAMPLES:  # the means' distribution is normal
        correlation_BB = np.atleast_2d(np.corrcoef(d_BP))
        t_RB = rng.multivariate_normal(
            np.zeros(len(d_BP)), correlation_BB, RESAMPLES, check_valid="ignore", method="eigh"
        )
    else:
        t_RB = np.concatenate(list(_resampled(d_BP, rng)))
    largest = np.quantile(np.abs(t_RB).max(axis=1), CONFIDENCE)
    return float(max(largest, stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)))


def _resampled(d_BP: Array, rng: np.random.Generator) -> Iterator[Array]:
    """Studentised means of resamples, the true ones being zero: (BLOCK, B) at a time.

    Where hardly an example differs, a resample may hold none that does: its spread is taken as no smaller than
    LEAST_SPREAD of the data's, or its t would be without bound and every baseline's interval with it.
    """
    n = d_BP.shape[1]
    centred_BP = d_BP - d_BP.mean(axis=1, keepdims=True)
    squared_BP = np.square(centred_BP)
    least_B = LEAST_SPREAD * d_BP.std(axis=1, ddof=1)
    for _ in range(RESAMPLES // BLOCK):
        drawn_RP = rng.integers(n, size=(BLOCK, n)) + n * np.arange(BLOCK)[:, None]
        counts_RP = np.bincount(drawn_RP.ravel(), minlength=BLOCK * n).reshape(BLOCK, n).astype(np.float64)
        mean_RB = counts_RP @ centred_BP.T / n
        variance_RB = (counts_RP @ squared_BP.T / n - np.square(mean_RB)) * n / (n - 1)
        spread_RB = np.maximum(np.sqrt(np.maximum(variance_RB, 0.0)), least_B)
        yield mean_RB / spread_RB * np.sqrt(n)

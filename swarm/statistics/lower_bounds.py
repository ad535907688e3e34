"""How low a mean may be: one-sided lower confidence bounds, by which floors are held.

Where every score is right or wrong, few wrong ones say little of how many there may be, so Student's bound would be too
high: the bounds are the exact one, and of paired differences the score bound.

Shape suffixes: P examples.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy import optimize, stats

from swarm.core.space import Array
from swarm.statistics.intervals import differences, has_spread

TINY = 1e-12  # below the observed difference, where the statistic may be 0 over 0


def lower_bound(scores_P: Sequence[float], confidence: float, lowest: float = 0.0) -> float:
    """Of the mean: the exact binomial bound (Clopper & Pearson 1934) where every score is `lowest` or 1 more, else
    Student's.

    lowest: the lowest score that there can be: -1 of negated right and wrong answers. Of other scores that are all
        equal 0 of n differ; as many as the exact bound of that allows are taken for `lowest`, where this is finite.
    A single score that is neither says nothing of the spread: -inf.
    """
    x_P = np.asarray(scores_P, dtype=np.float64)
    if math.isfinite(lowest) and np.isin(x_P - lowest, (0.0, 1.0)).all():
        right = int((x_P - lowest).sum())
        return lowest + (float(stats.beta.ppf(1 - confidence, right, len(x_P) - right + 1)) if right else 0.0)
    if math.isfinite(lowest) and len(x_P) > 1 and not has_spread(x_P):
        differ = 1.0 - math.pow(1.0 - confidence, 1.0 / len(x_P))
        return float(x_P[0]) - differ * max(float(x_P[0]) - lowest, 0.0)
    return _student(x_P, confidence)


def paired_lower_bound(ours_P: Sequence[float] | Array, theirs_P: Sequence[float] | Array, confidence: float) -> float:
    """Of the mean of ours minus theirs, on the same examples: the score bound for right and wrong answers (Tango 1998,
    Statistics in Medicine 17, 891-908), else Student's."""
    ours, theirs = np.asarray(ours_P, dtype=np.float64), np.asarray(theirs_P, dtype=np.float64)
    d_P = differences(ours, theirs)
    values = np.unique(np.concatenate([ours, theirs]))
    if len(values) <= 2 and np.ptp(values) in (0.0, 1.0):
        return _tango(int((d_P > 0).sum()), int((d_P < 0).sum()), len(d_P), float(stats.norm.ppf(confidence)))
    return _student(d_P, confidence)


def _tango(won: int, lost: int, n: int, z: float) -> float:
    """The difference at which the score statistic of `won` and `lost` among n pairs is z."""

    def excess(d: float) -> float:
        b, c = (2 * n - won + lost) * d - won - lost, -lost * d * (1 - d)
        q = (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)  # the likeliest share of losses, given d
        variance = n * (2 * q + d * (1 - d))
        return won - lost - n * d - z * math.sqrt(max(variance, 0.0))

    below = (won - lost) / n - TINY
    return -1.0 if excess(-1.0) <= 0.0 else float(optimize.brentq(excess, -1.0, below))


def _student(x_P: Array, confidence: float) -> float:
    n = len(x_P)
    if n < 2:
        return -math.inf
    if not x_P.any() or not has_spread(x_P):
        return float(x_P.mean())
    return float(x_P.mean() - stats.t.ppf(confidence, n - 1) * x_P.std(ddof=1) / math.sqrt(n))

"""How low a mean may be: one-sided lower confidence bounds, by which floors are held.

Shape suffixes: P examples.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from swarm.core.space import Array
from swarm.statistics.intervals import differences, has_spread


def lower_bound(scores_P: Sequence[float], confidence: float) -> float:
    """Of the mean: the exact binomial bound (Clopper & Pearson 1934) where every score is 0 or 1, else Student's.

    A single score that is neither says nothing of the spread: -inf.
    """
    x_P = np.asarray(scores_P, dtype=np.float64)
    if np.isin(x_P, (0.0, 1.0)).all():
        right = int(x_P.sum())
        return float(stats.beta.ppf(1 - confidence, right, len(x_P) - right + 1)) if right else 0.0
    return _student(x_P, confidence)


def paired_lower_bound(ours_P: Sequence[float], theirs_P: Sequence[float], confidence: float) -> float:
    """Of the mean of ours minus theirs, on the same examples: Student's. The same scores differ by exactly 0."""
    d_P = differences(np.asarray(ours_P, dtype=np.float64), np.asarray(theirs_P, dtype=np.float64))
    return _student(d_P, confidence) if d_P.any() else 0.0


def _student(x_P: Array, confidence: float) -> float:
    n = len(x_P)
    if n < 2:
        return -math.inf
    if not has_spread(x_P):
        return float(x_P.mean())
    return float(x_P.mean() - stats.t.ppf(confidence, n - 1) * x_P.std(ddof=1) / math.sqrt(n))

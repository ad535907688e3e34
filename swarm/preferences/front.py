"""What a front is: who dominates whom, for certain or with significance, and how much a front covers.

Higher is better on every objective. Shape suffixes: M members, K objectives, B baselines, P examples of an objective.
"""

from collections.abc import Mapping

import numpy as np

from swarm.core.dominance import non_dominated as non_dominated
from swarm.core.space import Array
from swarm.preferences.members import ROUNDING, Rows

SIGNIFICANCE = 0.05


def dominates(a_K: Array, b_K: Array) -> bool:
    """Whether a is at least as good as b on every objective and better on at least one."""
    return bool((a_K >= b_K).all() and (a_K > b_K).any())


def reference_point(baseline_scores_BK: Array) -> Array:
    """The lowest score of the baselines on each objective, shape K."""
    lowest_K: Array = baseline_scores_BK.min(axis=0)
    return lowest_K


def hypervolume(scores_MK: Array, reference_K: Array) -> float:
    """The volume that the rows dominate above the reference point (Zitzler & Thiele 1998), in the product of units.

    Rows that do not exceed the reference point on every objective add nothing.
    """
    import moocore  # loaded only where a front is measured

    return float(moocore.hypervolume(scores_MK, ref=reference_K, maximise=True))


def significantly_dominated(examples: Mapping[str, Array]) -> Rows:
    """For each member the row of one that dominates it with significance, or -1; shape M.

    examples: objective -> scores of all members on the same examples, shape MP; P may differ between objectives.
    j dominates m where j's mean is at least m's on every objective, and on at least one the lower bound of the mean
    paired difference is above 0: Student's t, one-sided, 5 % shared among the objectives (Bonferroni). Differences that
    are all equal have no spread to judge by: they count where as many equal signs are as unlikely (sign test). No
    correction for the number of pairs of members. Of several that dominate, one that none dominates comes first.
    """
    members = len(next(iter(examples.values())))
    as_good_MM, better_MM = np.ones((members, members), dtype=bool), np.zeros((members, members), dtype=bool)
    for scores_MP in examples.values():
        for row in range(members):
            means_M, bounds_M = _lower_bounds(scores_MP[row] - scores_MP, SIGNIFICANCE / len(examples))
            as_good_MM[row] &= means_M >= 0
            better_MM[row] |= bounds_M > 0
    dominates_MM = as_good_MM & better_MM
    dominated_M = np.asarray(dominates_MM.any(axis=0))
    free_first_MM = dominates_MM * np.where(dominated_M, 1, 2)[:, None]
    return np.where(dominated_M, free_first_MM.argmax(axis=0), -1)


def _lower_bounds(differences_MP: Array, significance: float) -> tuple[Array, Array]:
    """Means and one-sided lower bounds of the rows; a mean that only rounding makes is 0."""
    n = differences_MP.shape[1]
    from scipy.special import stdtrit  # as above: every command that compares evaluations imports this room

    size_M = np.abs(differences_MP).max(axis=1)
    mean_M = differences_MP.mean(axis=1)
    mean_M[np.abs(mean_M) <= ROUNDING * size_M] = 0.0
    if n < 2:
        return mean_M, np.full_like(mean_M, -np.inf)
    spread_M = differences_MP.std(axis=1, ddof=1)
    bound_M = mean_M - stdtrit(n - 1, 1 - significance) * spread_M / np.sqrt(n)
    equal_M = spread_M <= ROUNDING * size_M
    return mean_M, np.where(equal_M & (0.5**n > significance), -np.inf, bound_M)

"""The knee: where giving up a little of one objective no longer buys much of another.

Between the best members of each objective, the one farthest beyond the hyperplane through them (Das 1999, "On
characterizing the knee of the Pareto curve based on normal-boundary intersection", Structural Optimization 18; other
definitions in Branke et al. 2004, "Finding knees in multi-objective optimization", PPSN VIII).

Shape suffixes: M members, K objectives.
"""

from typing import Literal

import numpy as np

from swarm.core.space import Array
from swarm.preferences.base import Rule, gains_in_words
from swarm.preferences.front import non_dominated
from swarm.preferences.members import ROUNDING, Members


class Knee(Rule):
    """max n.(g - e) / |n|: the distance of the normalised gains g beyond the hyperplane with the normal n through e.

    The hyperplane holds the best member of each objective. With two objectives it is the line through the two ends of
    the front. Where these members determine none that slopes down in every objective (one is the best on two, or there
    is only one objective), it is the plane sum_k g_k = 1, so that the sum of the gains decides. A knee is no end: the
    best members of the objectives come after all others of the front, even if those lie on this side of the plane.
    """

    type: Literal["knee"] = "knee"

    def criteria(self, members: Members) -> Array:
        between_M = non_dominated(members.scores_MK)
        between_M[list(members.extremes)] = False
        return np.column_stack([between_M, self.value(members)])

    def value(self, members: Members) -> Array:
        """The distance, shape M; below 0 where a member lies on this side of the plane."""
        gains_MK = members.normalised_gains_MK
        extremes_KK = gains_MK[list(members.extremes)]
        normal_K = _normal(extremes_KK)
        if normal_K is None:
            normal_K = np.ones(len(extremes_KK))
            extremes_KK = np.eye(len(extremes_KK))
        beyond_M: Array = (gains_MK - extremes_KK[0]) @ normal_K / np.linalg.norm(normal_K)
        return beyond_M

    def inputs(self, members: Members) -> str:
        gains_MK, extremes = members.normalised_gains_MK, list(members.extremes)
        through = f"the plane through {', '.join(members.ids[row] for row in extremes)}"
        return f"{gains_in_words(members)}; {through if _normal(gains_MK[extremes]) is not None else 'sum of gains'}"


def _normal(points_KK: Array) -> Array | None:
    """The normal of the hyperplane through K points; None unless it is the only one and positive throughout."""
    if len(points_KK) == 1:
        return None
    _, sizes, right_KK = np.linalg.svd(points_KK[1:] - points_KK[0])
    normal_K: Array = right_KK[-1] * np.sign(right_KK[-1].sum())
    unique = sizes[-1] > ROUNDING * max(sizes[0], 1.0)
    return normal_K if unique and (normal_K > ROUNDING).all() else None

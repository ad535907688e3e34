"""The members of a finished search's front, as the rules of choice see them.

Shape suffixes: M members, K objectives, P examples of an objective.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from swarm.core.space import Array

Rows = NDArray[np.intp]
ROUNDING = 1e-12  # relative; smaller differences come from the order of a sum, not from the models


@dataclass(frozen=True, eq=False)
class Members:
    """What is known of the members. Higher is better throughout.

    ids: of the members, in the order of the rows.
    objectives: names, in the order of the columns.
    scores_MK: the mean score of each member on each objective, finite.
    reference_K: the reference point d, which gains are counted from, in the unit of the scores.
    weights_K: the objectives' weights in the utility that the search maximised; rules without weights of their own
        use them.
    groups: label of a group -> the mean utility of each member in it, shape M; empty where the data name no groups.
    gains: objective -> improvements of each member over the base, example by example, shape MP; empty where no rule
        asks for them.
    """

    ids: tuple[str, ...]
    objectives: tuple[str, ...]
    scores_MK: Array
    reference_K: Array
    weights_K: Array
    groups: Mapping[str, Array] = field(default_factory=dict)
    gains: Mapping[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        m, k = len(self.ids), len(self.objectives)
        assert m > 0, "a front has at least one member"
        assert k > 0, "a front has at least one objective"
        assert self.scores_MK.shape == (m, k)
        assert self.reference_K.shape == self.weights_K.shape == (k,)
        assert np.isfinite(self.scores_MK).all()
        assert np.isfinite(self.reference_K).all()
        assert (self.weights_K >= 0).all()
        assert self.weights_K.any()
        assert all(utility_M.shape == (m,) for utility_M in self.groups.values())
        assert all(gains_MP.ndim == 2 and len(gains_MP) == m for gains_MP in self.gains.values())

    def only(self, rows: Rows) -> "Members":
        """The members of these rows, in this order."""
        return replace(
            self,
            ids=tuple(self.ids[row] for row in rows),
            scores_MK=self.scores_MK[rows],
            groups={label: utility_M[rows] for label, utility_M in self.groups.items()},
            gains={name: gains_MP[rows] for name, gains_MP in self.gains.items()},
        )

    @cached_property
    def ideal_K(self) -> Array:
        """The best score of the members on each objective; seldom does one member have them all."""
        best_K: Array = self.scores_MK.max(axis=0)
        return best_K

    @cached_property
    def normalised_gains_MK(self) -> Array:
        """g_k = (u_k - d_k) / (ideal_k - d_k): 0 at the reference point, 1 at the ideal, below 0 under the reference.

        Where no member exceeds the reference point there is nothing to gain: g_k is 0 for all members.
        """
        span_K = self.ideal_K - self.reference_K
        size_K = np.maximum(np.abs(self.ideal_K), np.abs(self.reference_K))
        gained_K = span_K > ROUNDING * size_K
        gains_MK: Array = (self.scores_MK - self.reference_K) / np.where(gained_K, span_K, 1.0)
        return np.where(gained_K, gains_MK, 0.0)

    @cached_property
    def range_shares_MK(self) -> Array:
        """Scores as shares of the members' own range: 0 the lowest of them, 1 the highest; 0 where all are equal."""
        low_K = self.scores_MK.min(axis=0)
        span_K = self.ideal_K - low_K
        shares_MK: Array = (self.scores_MK - low_K) / np.where(span_K > 0, span_K, 1.0)
        return shares_MK

    @cached_property
    def extremes(self) -> tuple[int, ...]:
        """For each objective the row of its best member; of equals the one with the highest mean share of the range."""
        shares_M = self.range_shares_MK.mean(axis=1)
        return tuple(int(np.lexsort((-shares_M, -score_M))[0]) for score_M in self.scores_MK.T)

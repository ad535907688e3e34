"""Tchebycheff's distance to the ideal: the largest weighted shortfall is to be small.

Unlike a weighted sum it reaches every member of a front, also where the front sags (Steuer & Choo 1983, "An interactive
weighted Tchebycheff procedure for multiple objective programming", Mathematical Programming 26).
"""

from typing import Literal

from pydantic import Field

from swarm.core.space import Array
from swarm.preferences.base import WeightedRule, gains_in_words, listed
from swarm.preferences.members import Members


class Tchebycheff(WeightedRule):
    """min max_k w_k (1 - g_k) + rho sum_k (1 - g_k) over objectives of positive weight (Steuer & Choo 1983).

    g: normalised gains, so that 1 - g_k is the shortfall from the ideal. The weights sum to 1. The sum decides among
    members that are equal in their largest shortfall, so that none that is dominated is chosen.
    """

    type: Literal["tchebycheff"] = "tchebycheff"
    rho: float = Field(1e-3, ge=0, le=1, description="weight of the sum of all shortfalls beside the largest")

    def criteria(self, members: Members) -> Array:
        weights_K = self.weights_K(members)
        counted_K = weights_K > 0
        shortfalls_MK = 1.0 - members.normalised_gains_MK[:, counted_K]
        largest_M = (weights_K[counted_K] * shortfalls_MK).max(axis=1)
        value_M: Array = -(largest_M + self.rho * shortfalls_MK.sum(axis=1))
        return value_M[:, None]

    def inputs(self, members: Members) -> str:
        weights = listed(members.objectives, self.weights_K(members))
        return f"{gains_in_words(members)}; weights {weights}; rho={self.rho:g}"

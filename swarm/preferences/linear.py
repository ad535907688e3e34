"""The weighted sum of mean scores: the utility of the search, with its weights or with others.

Where a front bulges outward, each of its members is the best for some weights. A member below the line between two
others never is, whatever the weights (Das & Dennis 1997, "A closer look at drawbacks of minimizing weighted sums of
objectives for Pareto set generation", Structural Optimization 14).
"""

from typing import Literal

from swarm.core.space import Array
from swarm.preferences.base import WeightedRule, listed
from swarm.preferences.members import Members


class WeightedSum(WeightedRule):
    """max sum_k w_k u_k over the raw mean scores, the weights summing to 1; no reference point."""

    type: Literal["weighted_sum"] = "weighted_sum"

    def criteria(self, members: Members) -> Array:
        return (members.scores_MK @ self.weights_K(members))[:, None]

    def inputs(self, members: Members) -> str:
        return f"mean scores; weights {listed(members.objectives, self.weights_K(members))}; no reference point"

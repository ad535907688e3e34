"""Power means of the gains: one number p leads from the mean (1) over Nash's product (0) to the minimum (-inf).

Shape suffixes: M members, K objectives.
"""

import math
from typing import Literal

import numpy as np
from pydantic import Field, field_serializer

from swarm.core.space import Array
from swarm.preferences.base import WeightedRule, gains_in_words, listed
from swarm.preferences.members import Members


class PMean(WeightedRule):
    """max M_p(g) = (sum_k w_k g_k^p)^(1/p) over normalised gains, the weights summing to 1.

    p below 1 prefers even gains, the more so the lower it is (Atkinson 1970; Moulin 2003, ch. 3). At p = 0 it is the
    geometric mean, at -inf the minimum. Powers need gains of at least 0: unless p is 1 or -inf, a gain below 0 counts
    as 0. Among equals, as where a mean is 0 because a gain is: more positive gains, then the mean of those alone.
    """

    type: Literal["p_mean"] = "p_mean"
    p: float = Field(
        -1.0, le=1, allow_inf_nan=True, description="exponent: 1 mean, 0 Nash's product, -1 harmonic, -.inf minimum"
    )

    @field_serializer("p", when_used="json")
    def _json_has_no_infinity(self, p: float) -> float | str:
        return p if math.isfinite(p) else str(p)

    def criteria(self, members: Members) -> Array:
        return power_criteria(members.normalised_gains_MK, self.weights_K(members), self.p)

    def inputs(self, members: Members) -> str:
        return f"{gains_in_words(members)}; weights {listed(members.objectives, self.weights_K(members))}; p={self.p:g}"


class Nash(WeightedRule):
    """max prod_k g_k^w_k, which is max sum_k w_k log g_k, over normalised gains (Nash 1950, "The bargaining problem",
    Econometrica 18; with weights Kalai 1977).

    The value is the geometric mean. It does not depend on the unit of any objective's gains. Members that gain nothing
    on some objective come last: more positive gains first, then the geometric mean of those alone.
    """

    type: Literal["nash"] = "nash"

    def criteria(self, members: Members) -> Array:
        return power_criteria(members.normalised_gains_MK, self.weights_K(members), 0.0)

    def inputs(self, members: Members) -> str:
        return f"{gains_in_words(members)}; weights {listed(members.objectives, self.weights_K(members))}"


def power_criteria(gains_MK: Array, weights_K: Array, p: float) -> Array:
    """The weighted power mean of each row, the number of positive gains, and the mean of those alone; shape M3."""
    counted_K = weights_K > 0
    gains_MK, weights_K = gains_MK[:, counted_K], weights_K[counted_K]
    positive_MK = gains_MK > 0
    alone_M = np.array([_mean(gains_K[gains_K > 0], weights_K[gains_K > 0], p) for gains_K in gains_MK])
    if p == 1:
        mean_M = gains_MK @ weights_K
    elif p == -math.inf:
        mean_M = gains_MK.min(axis=1)
    elif p <= 0:  # the limit where a gain goes to 0
        mean_M = np.where(positive_MK.all(axis=1), alone_M, 0.0)
    else:
        mean_M = alone_M * np.where(positive_MK.all(axis=1), 1.0, positive_MK @ weights_K) ** (1 / p)
    return np.column_stack([mean_M, positive_MK.sum(axis=1), alone_M])


def _mean(gains_K: Array, weights_K: Array, p: float) -> float:
    """The power mean of positive gains; 0 of none. In logarithms, so that no power overflows."""
    if len(gains_K) == 0:
        return 0.0
    if p == -math.inf:
        return float(gains_K.min())
    weights_K = weights_K / weights_K.sum()
    powers_K = p * np.log(gains_K)
    if abs(p) < 1e-12:
        return math.exp(weights_K @ np.log(gains_K))
    if np.abs(powers_K).max() < 1e-3:  # near 1 a sum of exponentials would lose its digits
        return math.exp(math.log1p(weights_K @ np.expm1(powers_K)) / p)
    terms_K = powers_K + np.log(weights_K)
    return math.exp((terms_K.max() + math.log(np.exp(terms_K - terms_K.max()).sum())) / p)

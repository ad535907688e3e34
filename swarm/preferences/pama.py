"""PAMA without gradients: the improvement over the base, example by example, that every objective is sure of.

In the spirit of PAMA ("Pareto multi-objective alignment for language models", arXiv 2508.07768), whose gradient steps
have no place here: the choice is among members that a search has found already.

Shape suffixes: M members, P examples of an objective.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from swarm.core.space import Array
from swarm.preferences.base import Rule
from swarm.preferences.members import ROUNDING, Members


class PAMA(Rule):
    """max min_k mean_p max(0, gain_kp) over the raw improvements over the base; among equals the mean over objectives.

    What is worse than the base counts as 0, not as a loss: a member that wins some examples and loses as many has a
    positive value. `mixed_in_sign` says whether the unclipped means tell another story.
    """

    type: Literal["pama"] = "pama"

    needs_examples: ClassVar[bool] = True

    def criteria(self, members: Members) -> Array:
        gains = [members.gains[name] for name in members.objectives]
        clipped_MK = np.column_stack([np.maximum(gains_MP, 0.0).mean(axis=1) for gains_MP in gains])
        return np.column_stack([clipped_MK.min(axis=1), clipped_MK.mean(axis=1)])

    def inputs(self, members: Members) -> str:
        counts = ", ".join(f"{name}: {members.gains[name].shape[1]}" for name in members.objectives)
        return f"improvements over the base as the reference, example by example, clipped at 0; examples {counts}"


def mixed_in_sign(gains: Mapping[str, Array]) -> NDArray[np.bool_]:
    """Whether each member's mean improvements, unclipped, are positive on one objective and negative on another.

    gains: objective -> improvements over the base, shape MP. Returns shape M. Where that holds of every member, no
    known move from the base improves all objectives: the base is Pareto-stationary as far as the members tell.
    """
    means = [gains_MP.mean(axis=1) for gains_MP in gains.values()]
    least = [ROUNDING * np.abs(gains_MP).max(axis=1) for gains_MP in gains.values()]
    means_MK, least_MK = np.column_stack(means), np.column_stack(least)
    return np.asarray((means_MK > least_MK).any(axis=1) & (means_MK < -least_MK).any(axis=1))

"""LoraHub (Huang et al. 2023, arXiv 2307.13269): coefficients from 0 within [-1.5, 1.5], by a gradient-free optimizer.

As the authors coded it, 40 steps of nevergrad's NGOpt minimise -utility (in their code: the loss on a few examples) +
0.05 times the mean of |w|. For so few sequential steps NGOpt picks COBYLA (Powell 1994) with a first step of a sixth of
the bounds' width, mirrored at them. This is scipy's COBYLA instead, which goes through the same positions; in other
cases NGOpt draws from a global generator. One candidate per generation: more workers do not help.

Shape suffixes: D coordinates.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field
from scipy.optimize import minimize

from swarm.core.space import Array, Space
from swarm.optimizers.base import MOST_EVALUATIONS
from swarm.optimizers.generational import Generational, ParticleGeneration
from swarm.optimizers.history import HistoryState, appended
from swarm.optimizers.positions import clip
from swarm.optimizers.pso import reflect

COEFFICIENT_BOUND = (
    1.5  # the authors' bound on a coefficient, to either side of the base, where the space's bounds allow it
)
TOLERANCE = 1e-6  # COBYLA ends by itself below this share of its first step; the same in nevergrad


class UnscoredError(Exception):
    """Leaves the minimiser, which has no ask, at the first position whose utility is unknown."""

    def __init__(self, x_D: Array) -> None:
        self.x_D = x_D


class LoraHub(Generational[HistoryState]):
    """Settings and steps of LoraHub. Its w are coordinates relative to the base, which is the paper's w = 0."""

    type: Literal["lorahub"] = "lorahub"
    iterations: int = Field(40, ge=1, le=MOST_EVALUATIONS, description="generations at most, of one candidate each")
    l1: float = Field(0.05, ge=0, description="weight of the mean absolute coefficient, in utility")

    def init(self, space: Space, seed: int) -> HistoryState:
        space = within_lorahub_bounds(space)
        return HistoryState(
            space=space, seed=seed, generation=ParticleGeneration.fresh(0, clip(space.neutral_D, space)[None])
        )

    def advance(self, state: HistoryState) -> HistoryState:
        state = appended(state)
        x_ND = self.next_position(state)
        return replace(state, generation=ParticleGeneration.fresh(state.generation.iteration + 1, x_ND))

    def next_position(self, state: HistoryState) -> Array:
        """COBYLA's next position: it runs anew over the known costs. Shape 1 x D; 0 x D once it has ended."""
        costs = iter(self.costs(state))
        start_D, step_D = clip(state.space.neutral_D, state.space), (state.space.high_D - state.space.low_D) / 6

        def cost(z_D: Array) -> float:
            known = next(costs, None)
            if known is None:
                x_D = start_D + z_D * step_D
                raise UnscoredError(reflect(x_D, np.zeros_like(x_D), state.space).x_D)
            return known

        at_least = state.space.dimensions + 3  # fewer evaluations COBYLA does not accept
        limit = max(len(state.history) + 1, at_least)
        try:
            minimize(cost, np.zeros_like(start_D), method="COBYLA", tol=TOLERANCE, options={"maxiter": limit})
        except UnscoredError as unscored:
            return unscored.x_D[None]
        return np.empty((0, state.space.dimensions))

    def costs(self, state: HistoryState) -> list[float]:
        """What is minimised, by generation. A position without a utility costs as much as the worst before it."""
        costs: list[float] = []
        for generation in state.history:
            penalty = self.l1 * float(np.abs(generation.x_ND[0] - state.space.neutral_D).mean())
            utility = float(generation.utilities_N[0])
            costs.append(max(costs, default=0.0) if np.isnan(utility) else penalty - utility)
        return costs


def within_lorahub_bounds(space: Space) -> Space:
    """The space with the bounds that it and LoraHub both allow."""
    low_D, high_D = clip(space.neutral_D - COEFFICIENT_BOUND, space), clip(space.neutral_D + COEFFICIENT_BOUND, space)
    return replace(space, low_D=low_D, high_D=high_D)

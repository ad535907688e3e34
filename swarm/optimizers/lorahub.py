"""LoraHub (Huang et al. 2023, arXiv 2307.13269): coefficients from 0 within [-1.5, 1.5], by a gradient-free optimizer.

As the authors coded it: what is minimised is -utility (there: the loss of a few examples) + 0.05 times the mean of |w|,
in 40 steps by nevergrad's NGOpt. For so few, one after another, NGOpt picks COBYLA (Powell 1994) with a first step of a
sixth of the bounds' width, mirrored at them. This is scipy's COBYLA in its place, and goes through the same positions;
NGOpt itself draws from a global generator elsewhere. One candidate a generation: more workers do not help.

Shape suffixes: D coordinates.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field
from scipy.optimize import minimize

from swarm.core.space import Array, Space
from swarm.optimizers.generational import Generation, Generational
from swarm.optimizers.history import HistoryState, appended
from swarm.optimizers.initial_design import clip
from swarm.optimizers.pso import reflect

REACH = 1.5  # of a coefficient to either side of the base, where the space's bounds allow it
TOLERANCE = 1e-6  # COBYLA ends by itself below this share of its first step; nevergrad's, too


class UnscoredError(Exception):
    """Leaves the minimiser, which has no ask, at the first position that nobody was told of."""

    def __init__(self, x_D: Array) -> None:
        self.x_D = x_D


class LoraHub(Generational[HistoryState]):
    """Settings and steps of LoraHub. Coordinates count from the base: its coefficients are the paper's w = 0."""

    type: Literal["lorahub"] = "lorahub"
    iterations: int = Field(40, ge=1, description="generations at most, of one candidate each")
    l1: float = Field(0.05, ge=0, description="what the mean absolute coefficient costs, in utility")

    def init(self, space: Space, seed: int) -> HistoryState:
        space = within_reach(space)
        return HistoryState(space=space, seed=seed, generation=Generation.fresh(0, clip(space.neutral_D, space)[None]))

    def advance(self, state: HistoryState) -> HistoryState:
        state = appended(state)
        x_ND = self.next_position(state)
        return replace(state, generation=Generation.fresh(state.generation.iteration + 1, x_ND))

    def next_position(self, state: HistoryState) -> Array:
        """Where COBYLA goes after all that was told: it runs anew over what is known. Shape 1D, or 0D in the end."""
        costs = iter(self.costs(state))
        start_D, step_D = clip(state.space.neutral_D, state.space), (state.space.high_D - state.space.low_D) / 6

        def cost(z_D: Array) -> float:
            known = next(costs, None)
            if known is None:
                x_D = start_D + z_D * step_D
                raise UnscoredError(reflect(x_D, np.zeros_like(x_D), state.space).x_D)
            return known

        at_least = state.space.dimensions + 3  # what COBYLA asks for
        limit = max(len(state.history) + 1, at_least)
        try:
            minimize(cost, np.zeros_like(start_D), method="COBYLA", tol=TOLERANCE, options={"maxiter": limit})
        except UnscoredError as unscored:
            return unscored.x_D[None]
        return np.empty((0, state.space.dimensions))

    def costs(self, state: HistoryState) -> list[float]:
        """What is minimised, generation by generation. What has no utility costs as much as the worst before it."""
        costs: list[float] = []
        for generation in state.history:
            penalty = self.l1 * float(np.abs(generation.x_ND[0] - state.space.neutral_D).mean())
            utility = float(generation.utilities_N[0])
            costs.append(max(costs, default=0.0) if np.isnan(utility) else penalty - utility)
        return costs


def within_reach(space: Space) -> Space:
    """The space with the bounds that both it and LoraHub allow."""
    low_D, high_D = clip(space.neutral_D - REACH, space), clip(space.neutral_D + REACH, space)
    return replace(space, low_D=low_D, high_D=high_D)

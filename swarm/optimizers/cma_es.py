"""CMA-ES (Hansen & Ostermeier 2001), by the package cmaes, started at the best of the initial design.

It adapts its covariance to the ranking of each generation, so every candidate's utility matters and racing stops none.
"""

from typing import Literal

import numpy as np
from cmaes import CMA
from pydantic import Field

from swarm.core.errors import ConfigError
from swarm.core.space import Space
from swarm.optimizers.base import MOST_PARTICLES
from swarm.optimizers.generational import Generational
from swarm.optimizers.history import HistoryState, appended, costs, initial_state, proposed
from swarm.optimizers.positions import to_unit_cube


class CMAES(Generational[HistoryState]):
    """Settings and steps of CMA-ES. The distribution starts at the best of the first generation, which is PSO's."""

    type: Literal["cma_es"] = "cma_es"
    particles: int = Field(10, ge=3, le=MOST_PARTICLES, description="lambda: samples per generation")
    patience: int | None = Field(10, ge=1, description="stop after so many generations without a new best")
    sigma: float = Field(0.15, gt=0, le=1, description="first step, as a share of the bounds' width")

    def init(self, space: Space, seed: int) -> HistoryState:
        if space.dimensions < 2:
            raise ConfigError("optimizer.type: cma_es needs at least two dimensions; take optimizer.type: grid")
        return initial_state(space, seed, self.particles)

    def advance(self, state: HistoryState) -> HistoryState:
        state = appended(state)
        strategy = self.replayed(state)
        return proposed(state, np.stack([strategy.ask() for _ in range(self.particles)]))

    def replayed(self, state: HistoryState) -> CMA:
        """The strategy after the whole history. It draws the same samples again, as its seed is the same."""
        first, *generations = state.history
        bounds_D2 = np.tile([0.0, 1.0], (state.space.dimensions, 1))
        best_D = to_unit_cube(state.space, first.x_ND)[costs(first).argmin()]
        strategy = CMA(best_D, self.sigma, bounds_D2, seed=_seed(state.seed), population_size=self.particles)
        for generation in generations:
            samples = [strategy.ask() for _ in range(self.particles)]
            strategy.tell(list(zip(samples, costs(generation).tolist(), strict=True)))
        return strategy


def _seed(seed: int) -> int:
    """The seed as the package takes it: numbers of more than 32 bits are hashed to 32."""
    return seed if seed < 2**32 else int(np.random.SeedSequence(seed).generate_state(1)[0])

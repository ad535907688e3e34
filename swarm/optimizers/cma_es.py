"""CMA-ES (Hansen & Ostermeier 2001), by the package cmaes, started at the best of the initial design.

It adapts its covariance to the ranking of each generation, so every candidate's utility matters and racing stops none.

The package's strategy changes with each generation. It is kept beside the states, for the state that continues the
history from which it was made, and otherwise made again: so ask and tell are pure.

Shape suffixes: D coordinates.
"""

from typing import Any, Literal

import numpy as np
from cmaes import CMA
from pydantic import Field

from swarm.core.errors import ConfigError
from swarm.core.space import Array, Space
from swarm.optimizers.base import MOST_PARTICLES
from swarm.optimizers.generational import Generational
from swarm.optimizers.history import HistoryState, appended, costs, initial_state, proposed
from swarm.optimizers.history_cache import HistoryCache
from swarm.optimizers.positions import to_unit_cube
from swarm.optimizers.thread_limits import one_blas_thread


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
        key = self, state.seed, state.space.low_D.tobytes(), state.space.high_D.tobytes()
        with one_blas_thread():  # with more the last bits of large matrices depend on their number
            strategy, told = _strategies.take(key, state.history) or (self.started(state), 1)
            for generation in state.history[told:]:
                strategy.tell_costs(costs(generation))
            unit_ND = strategy.asked()
        _strategies.put(key, state.history, strategy)
        return proposed(state, unit_ND)

    def started(self, state: HistoryState) -> "Strategy":
        """The strategy after the first generation."""
        first = state.history[0]
        bounds_D2 = np.tile([0.0, 1.0], (state.space.dimensions, 1))
        best_D = to_unit_cube(state.space, first.x_ND)[costs(first).argmin()]
        return Strategy(best_D, self.sigma, bounds_D2, seed=_seed(state.seed), population_size=self.particles)


class Strategy(CMA):  # type: ignore[misc]  # the package has no types
    """The package's strategy, which remembers what it was asked for.

    A sample takes it the product of two matrices, the same for a whole generation, and up to a hundred samples until
    one is within the bounds. So the product is kept: with 300 coordinates a sample takes a hundredth of the time.
    """

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._samples: list[Array] = []
        self._root: tuple[Array, Array] | None = None

    def asked(self) -> Array:
        """The samples of the generation, in the unit cube. Shape: population x D."""
        self._samples = self._samples or [self.ask() for _ in range(self.population_size)]
        return np.stack(self._samples)

    def tell_costs(self, costs_N: Array) -> None:
        """What the samples of the generation cost."""
        self.asked()
        self.tell(list(zip(self._samples, costs_N.tolist(), strict=True)))
        self._samples = []

    def _sample_solution(self) -> Array:
        vectors_DD, roots_D = self._eigen_decomposition()
        if self._root is None or self._root[0] is not vectors_DD:
            self._root = vectors_DD, vectors_DD * roots_D
        sample_D: Array = self._mean + self._sigma * self._root[1].dot(self._rng.randn(self._n_dim))
        return sample_D


_strategies: HistoryCache[Strategy] = HistoryCache()


def _seed(seed: int) -> int:
    """The seed as the package takes it: numbers of more than 32 bits are hashed to 32."""
    return seed if seed < 2**32 else int(np.random.SeedSequence(seed).generate_state(1)[0])

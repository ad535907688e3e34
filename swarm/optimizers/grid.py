"""Grid search: the reference points, then every combination of evenly spaced values, the last coordinate fastest.

With `refine` a coordinate search, coarse to fine, takes the place of the combinations (`coordinate_search`).

Shape suffixes: M candidates, R reference points, D coordinates.
"""

from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from swarm.core.errors import ConfigError
from swarm.core.space import Array, Space
from swarm.optimizers.base import MOST_EVALUATIONS, MOST_PARTICLES, Observation, Proposal
from swarm.optimizers.coordinate_search import Sweep, after_generation, next_axis, spacing
from swarm.optimizers.generational import Generational, GenerationState, ParticleGeneration, always_prunable
from swarm.optimizers.initial_design import reference_points
from swarm.optimizers.positions import distinct_rows


@dataclass(frozen=True, kw_only=True)
class GridState(GenerationState):
    """The grid, or how far its refinement has come.

    candidates_MD: all positions in their order; a generation is a slice of them.
    sweep: with `refine`, the coordinate search.
    """

    candidates_MD: Array
    sweep: Sweep | None = None


class Grid(Generational[GridState]):
    """Settings and steps of grid search, which ends by itself.

    Without `refine` it refuses to start if the budget would end it before the grid is complete.
    """

    type: Literal["grid"] = "grid"
    iterations: int = Field(
        500, ge=1, le=MOST_EVALUATIONS, description="generations at most; without refine the whole grid has to fit"
    )
    particles: int = Field(20, ge=1, le=MOST_PARTICLES, description="candidates per iteration, without refine")
    points: int = Field(5, ge=2, le=10_000, description="values per coordinate, both bounds among them")
    refine: float | None = Field(
        None,
        gt=0,
        description="finest step of a coefficient: axis by axis, coarse to fine; none: the whole coarse grid",
    )

    @model_validator(mode="after")
    def _together(self) -> "Grid":
        if self.refine is not None and self.schedule == "async":
            raise ValueError("schedule: with refine all candidates move together; take sync")
        return self

    def most_positions(self, space: Space, seed: int) -> int:
        """The whole grid. With `refine` the reference points, every axis of the coarse grid, then two neighbours in
        each iteration: far more than it mostly takes until a sweep finds nothing better."""
        state = self.init(space, seed)
        if state.sweep is None:
            return len(state.candidates_MD)
        later = self.iterations - 1
        coarse = min(later, space.dimensions)
        return len(state.candidates_MD) + coarse * self.points + 2 * (later - coarse)

    def init(self, space: Space, seed: int) -> GridState:
        axes = [
            np.unique(np.linspace(low, high, self.points)) for low, high in zip(space.low_D, space.high_D, strict=True)
        ]
        if self.refine is not None:
            return self._coarse(space, seed, axes, self.refine)
        self._check(prod(len(axis) for axis in axes), len(axes))
        candidates_MD = np.vstack([reference_points(space), np.array(list(product(*axes)))])
        candidates_MD = candidates_MD[distinct_rows(candidates_MD)]
        self._check(len(candidates_MD), len(axes))
        return GridState(space=space, seed=seed, candidates_MD=candidates_MD, generation=self._slice(candidates_MD, 0))

    def with_pruning_bounds(self, state: GridState, proposal: Proposal) -> Proposal:
        sweep = state.sweep
        if sweep is None:
            return always_prunable(proposal)
        if sweep.best_utility == -np.inf:
            return proposal
        return replace(proposal, low=-np.inf, high=sweep.best_utility, personal_D=sweep.best_D.copy())

    def step(self, state: GridState, observation: Observation) -> tuple[GridState, list[Proposal]]:
        iteration, i = observation.iteration + 1, observation.particle
        x_ND = self._slice(state.candidates_MD, iteration).x_ND
        return state, [self.with_pruning_bounds(state, Proposal(iteration, i, x_ND[i].copy()))] if i < len(x_ND) else []

    def advance(self, state: GridState) -> GridState:
        iteration = state.generation.iteration + 1
        if state.sweep is None:
            return replace(state, generation=self._slice(state.candidates_MD, iteration))
        sweep, x_ND = next_axis(after_generation(state.sweep, state.generation), state.space)
        return replace(state, sweep=sweep, generation=ParticleGeneration.fresh(iteration, x_ND))

    def _coarse(self, space: Space, seed: int, axes: list[Array], finest: float) -> GridState:
        """The state before a coordinate search: the reference points are to be scored."""
        coarse = max(map(spacing, axes))
        if finest >= coarse:
            raise ConfigError(
                f"optimizer.refine: {finest:g} is not finer than the coarse grid's step of {coarse:g};"
                " take a smaller one, or fewer optimizer.points"
            )
        x_RD = reference_points(space)
        return GridState(
            space=space,
            seed=seed,
            candidates_MD=x_RD,
            sweep=Sweep(tuple(axes), finest, best_D=x_RD[0]),
            generation=ParticleGeneration.fresh(0, x_RD),
        )

    def _slice(self, candidates_MD: Array, iteration: int) -> ParticleGeneration:
        return ParticleGeneration.fresh(
            iteration, candidates_MD[iteration * self.particles : (iteration + 1) * self.particles]
        )

    def _check(self, candidates: int, dimensions: int) -> None:
        budget = self.iterations * self.particles
        key = "optimizer.iterations x optimizer.particles"
        if self.evaluations is not None and self.evaluations < budget:
            budget, key = self.evaluations, "optimizer.evaluations"
        if candidates > budget:
            raise ConfigError(
                f"optimizer.points: {self.points} values for each of {dimensions} dimensions make {candidates:,}"
                f" candidates, more than the {budget:,} of {key}; take fewer points or dimensions, raise that,"
                " or take optimizer.type: pso"
            )

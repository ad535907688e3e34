"""Grid search: the anchors, then every combination of evenly spaced values, the last coordinate fastest.

With `refine` the combinations are left out: coordinate by coordinate, coarse to fine (`refining.py`).

Shape suffixes: M candidates, N particles, D coordinates.
"""

from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from swarm.core.errors import ConfigError
from swarm.core.space import Array, Space
from swarm.optimizers.base import Proposal, Result
from swarm.optimizers.coordinate_search import Sweep, moved_on, spacing, with_generation
from swarm.optimizers.generational import Generation, Generational, GenerationState, indifferent
from swarm.optimizers.initial_design import distinct, reference_points


@dataclass(frozen=True, kw_only=True)
class GridState(GenerationState):
    """candidates_MD: all positions in their order; a generation is a slice of them. sweep: how far a refinement is."""

    candidates_MD: Array
    sweep: Sweep | None = None


class Grid(Generational[GridState]):
    """Settings and steps of grid search. It ends by itself.

    A grid without `refine` refuses to start where the budget would end it earlier.
    """

    type: Literal["grid"] = "grid"
    iterations: int = Field(500, ge=1, description="generations at most; without refine the whole grid has to fit")
    particles: int = Field(20, ge=1, description="candidates an iteration, without refine")
    points: int = Field(5, ge=2, description="values a coordinate, both bounds among them")
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

    def init(self, space: Space, seed: int) -> GridState:
        axes = [
            np.unique(np.linspace(low, high, self.points)) for low, high in zip(space.low_D, space.high_D, strict=True)
        ]
        if self.refine is not None:
            return self._coarse(space, seed, axes, self.refine)
        self._check(prod(len(axis) for axis in axes), len(axes))
        candidates_MD = distinct(np.vstack([reference_points(space), np.array(list(product(*axes)))]))
        self._check(len(candidates_MD), len(axes))
        return GridState(space=space, seed=seed, candidates_MD=candidates_MD, generation=self._slice(candidates_MD, 0))

    def with_bounds(self, state: GridState, proposal: Proposal) -> Proposal:
        sweep = state.sweep
        if sweep is None:
            return indifferent(proposal)
        if sweep.best_utility == -np.inf:
            return proposal
        return replace(proposal, low=-np.inf, high=sweep.best_utility, personal_D=sweep.best_D.copy())

    def step(self, state: GridState, result: Result) -> tuple[GridState, list[Proposal]]:
        iteration, i = result.iteration + 1, result.particle
        ahead = self._slice(state.candidates_MD, iteration).x_ND
        return state, [self.with_bounds(state, Proposal(iteration, i, ahead[i].copy()))] if i < len(ahead) else []

    def advance(self, state: GridState) -> GridState:
        iteration = state.generation.iteration + 1
        if state.sweep is None:
            return replace(state, generation=self._slice(state.candidates_MD, iteration))
        sweep, x_ND = moved_on(with_generation(state.sweep, state.generation), state.space)
        return replace(state, sweep=sweep, generation=Generation.fresh(iteration, x_ND))

    def _coarse(self, space: Space, seed: int, axes: list[Array], finest: float) -> GridState:
        """The state before a refinement: the anchors are to be scored."""
        coarse = max(map(spacing, axes))
        if finest >= coarse:
            raise ConfigError(
                f"optimizer.refine: {finest:g} is no finer than the coarse grid's step of {coarse:g}; take a smaller"
                " one, or fewer optimizer.points"
            )
        known_AD = reference_points(space)
        return GridState(
            space=space,
            seed=seed,
            candidates_MD=known_AD,
            sweep=Sweep(tuple(axes), finest, best_D=known_AD[0]),
            generation=Generation.fresh(0, known_AD),
        )

    def _slice(self, candidates_MD: Array, iteration: int) -> Generation:
        return Generation.fresh(iteration, candidates_MD[iteration * self.particles : (iteration + 1) * self.particles])

    def _check(self, candidates: int, dimensions: int) -> None:
        budget = self.iterations * self.particles
        key = "optimizer.iterations x optimizer.particles"
        if self.evaluations is not None and self.evaluations < budget:
            budget, key = self.evaluations, "optimizer.evaluations"
        if candidates > budget:
            raise ConfigError(
                f"optimizer.points: {self.points} values for each of {dimensions} coordinates make {candidates:,}"
                f" candidates, more than the {budget:,} of {key}; take fewer points or coordinates, raise that,"
                " or take optimizer.type: pso"
            )

"""Grid search: the anchors, then every combination of evenly spaced values, the last coordinate fastest.

Shape suffixes: M candidates, N particles, D coordinates.
"""

from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Literal

import numpy as np
from pydantic import Field

from swarm.errors import ConfigError
from swarm.optimizers.base import Proposal, Result
from swarm.optimizers.generations import Generation, Generational, GenerationState, indifferent
from swarm.optimizers.starts import anchors, distinct
from swarm.types import Array, Space


@dataclass(frozen=True, kw_only=True)
class GridState(GenerationState):
    """candidates_MD: all positions in their order; a generation is a slice of them."""

    candidates_MD: Array


class Grid(Generational[GridState]):
    """Settings and steps of grid search. It ends by itself, and refuses to start where the budget ends it earlier."""

    type: Literal["grid"] = "grid"
    iterations: int = Field(500, ge=1, description="generations at most; the whole grid has to fit")
    particles: int = Field(20, ge=1, description="candidates an iteration")
    points: int = Field(5, ge=2, description="values a coordinate, both bounds among them")

    def init(self, space: Space, seed: int) -> GridState:
        axes = [
            np.unique(np.linspace(low, high, self.points)) for low, high in zip(space.low_D, space.high_D, strict=True)
        ]
        self._check(prod(len(axis) for axis in axes), len(axes))
        candidates_MD = distinct(np.vstack([anchors(space), np.array(list(product(*axes)))]))
        self._check(len(candidates_MD), len(axes))
        return GridState(space=space, seed=seed, candidates_MD=candidates_MD, generation=self._slice(candidates_MD, 0))

    def stake(self, state: GridState, proposal: Proposal) -> Proposal:
        return indifferent(proposal)

    def step(self, state: GridState, result: Result) -> tuple[GridState, list[Proposal]]:
        iteration, i = result.iteration + 1, result.particle
        ahead = self._slice(state.candidates_MD, iteration).x_ND
        return state, [self.stake(state, Proposal(iteration, i, ahead[i].copy()))] if i < len(ahead) else []

    def advance(self, state: GridState) -> GridState:
        return replace(state, generation=self._slice(state.candidates_MD, state.generation.iteration + 1))

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

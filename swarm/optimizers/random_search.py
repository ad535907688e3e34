"""Random search: the anchors, then independent samples; what any swarm has to beat at equal budget."""

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field

from swarm.core.space import Array, Space
from swarm.optimizers.base import Proposal, Result
from swarm.optimizers.generational import Generation, Generational, GenerationState, indifferent
from swarm.optimizers.initial_design import combination, initial_design
from swarm.optimizers.randomness import Stream, draw


class RandomSearch(Generational[GenerationState]):
    """Settings and steps of random search. The first generation is PSO's."""

    type: Literal["random"] = "random"
    particles: int = Field(20, ge=1, description="samples an iteration")

    def init(self, space: Space, seed: int) -> GenerationState:
        return GenerationState(
            space=space, seed=seed, generation=Generation.fresh(0, initial_design(space, seed, self.particles))
        )

    def with_bounds(self, state: GenerationState, proposal: Proposal) -> Proposal:
        return indifferent(proposal)

    def step(self, state: GenerationState, result: Result) -> tuple[GenerationState, list[Proposal]]:
        iteration, i = result.iteration + 1, result.particle
        x_D = sample(state.space, draw(state.seed, iteration, i, Stream.START))
        return state, [self.with_bounds(state, Proposal(iteration, i, x_D))]

    def advance(self, state: GenerationState) -> GenerationState:
        iteration = state.generation.iteration + 1
        samples = [sample(state.space, draw(state.seed, iteration, i, Stream.START)) for i in range(self.particles)]
        return replace(state, generation=Generation.fresh(iteration, np.stack(samples)))


def sample(space: Space, rng: np.random.Generator) -> Array:
    """Half the time a combination of the experts, where good ones are many; else uniform in the bounds. Shape D."""
    return combination(space, rng) if rng.uniform() < 0.5 else rng.uniform(space.low_D, space.high_D)

"""Random search: the reference points, then independent samples. Every swarm has to beat it at equal budget."""

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field

from swarm.core.space import Array, Space
from swarm.optimizers.base import MOST_PARTICLES, Observation, Proposal
from swarm.optimizers.generational import Generational, GenerationState, ParticleGeneration, always_prunable
from swarm.optimizers.initial_design import combination, initial_design
from swarm.optimizers.randomness import Stream, draw


class RandomSearch(Generational[GenerationState]):
    """Settings and steps of random search. The first generation is PSO's."""

    type: Literal["random"] = "random"
    particles: int = Field(20, ge=1, le=MOST_PARTICLES, description="samples per iteration")

    def init(self, space: Space, seed: int) -> GenerationState:
        x_ND = initial_design(space, seed, self.particles)
        return GenerationState(space=space, seed=seed, generation=ParticleGeneration.fresh(0, x_ND))

    def with_pruning_bounds(self, state: GenerationState, proposal: Proposal) -> Proposal:
        return always_prunable(proposal)

    def step(self, state: GenerationState, observation: Observation) -> tuple[GenerationState, list[Proposal]]:
        iteration, i = observation.iteration + 1, observation.particle
        x_D = sample(state.space, draw(state.seed, iteration, i, Stream.START))
        return state, [self.with_pruning_bounds(state, Proposal(iteration, i, x_D))]

    def advance(self, state: GenerationState) -> GenerationState:
        iteration = state.generation.iteration + 1
        samples = [sample(state.space, draw(state.seed, iteration, i, Stream.START)) for i in range(self.particles)]
        return replace(state, generation=ParticleGeneration.fresh(iteration, np.stack(samples)))


def sample(space: Space, rng: np.random.Generator) -> Array:
    """Half the time a combination of the experts, many of which are good; else uniform in the bounds. Shape D."""
    return combination(space, rng) if rng.uniform() < 0.5 else rng.uniform(space.low_D, space.high_D)

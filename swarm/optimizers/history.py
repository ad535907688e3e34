"""The history of complete generations, from which an optimizer of another package is rebuilt on every call.

So a state holds arrays alone, and ask and tell are pure, whatever that package does.

Shape suffixes: N particles, D coordinates.
"""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from swarm.core.space import Array, Space
from swarm.optimizers.generational import GenerationState, ParticleGeneration
from swarm.optimizers.initial_design import initial_design
from swarm.optimizers.positions import from_unit_cube


@dataclass(frozen=True, kw_only=True)
class HistoryState(GenerationState):
    """history: the complete generations; the first one is the initial design."""

    history: tuple[ParticleGeneration, ...] = ()


H = TypeVar("H", bound=HistoryState)


def initial_state(space: Space, seed: int, particles: int, overlap: int = 0) -> HistoryState:
    """The state before anything is scored: the first generation is the initial design, as PSO's.

    overlap: so many particles at the end of the initial design are the second generation, which is pending.
    """
    x_ND = initial_design(space, seed, particles)
    first = particles - overlap
    return HistoryState(
        space=space,
        seed=seed,
        generation=ParticleGeneration.fresh(0, x_ND[:first]),
        pending=ParticleGeneration.fresh(1, x_ND[first:]) if overlap else None,
    )


def appended(state: H) -> H:
    """The state with its complete generation appended to the history."""
    return replace(state, history=(*state.history, state.generation))


def told(state: HistoryState) -> int:
    """How many results the history holds."""
    return sum(len(generation.x_ND) for generation in state.history)


def proposed(state: HistoryState, unit_ND: Array) -> HistoryState:
    """The state with the next generation, given as points of the unit cube."""
    x_ND = from_unit_cube(state.space, unit_ND)
    return replace(state, generation=ParticleGeneration.fresh(state.generation.iteration + 1, x_ND))


def costs(generation: ParticleGeneration) -> Array:
    """What is minimised: -utility; inf for what was not scored, which ranks last. Shape N."""
    return np.where(np.isnan(generation.utilities_N), np.inf, -generation.utilities_N)

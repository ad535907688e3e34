"""What an optimizer of another package remembers: every generation, from which its own object is made anew.

So a state holds arrays alone, and ask and tell are pure, whatever the package does.

Shape suffixes: N particles, D coordinates.
"""

from dataclasses import dataclass, replace

import numpy as np

from swarm.core.space import Array, Space
from swarm.optimizers.generational import Generation, GenerationState
from swarm.optimizers.initial_design import initial_design


@dataclass(frozen=True, kw_only=True)
class HistoryState(GenerationState):
    """told: the generations that are complete, the first one at the starts."""

    history: tuple[Generation, ...] = ()


def initial_state(space: Space, seed: int, particles: int) -> HistoryState:
    """The state before anything is scored: PSO's first generation."""
    return HistoryState(space=space, seed=seed, generation=Generation.fresh(0, initial_design(space, seed, particles)))


def appended(state: HistoryState) -> HistoryState:
    """The state with its complete generation among those told."""
    return replace(state, history=(*state.history, state.generation))


def proposed(state: HistoryState, unit_ND: Array) -> HistoryState:
    """The state with the next generation, from shares of the bounds' width."""
    x_ND = within(state.space, unit_ND)
    return replace(state, generation=Generation.fresh(state.generation.iteration + 1, x_ND))


def within(space: Space, unit_ND: Array) -> Array:
    """The positions at these shares of the bounds' width."""
    x_ND: Array = space.low_D + unit_ND * (space.high_D - space.low_D)
    return x_ND


def unit(space: Space, x_ND: Array) -> Array:
    """Positions as shares of the bounds' width, 0 to 1; 0 where a bound leaves no room."""
    width_D = space.high_D - space.low_D
    shares_ND: Array = np.divide(x_ND - space.low_D, width_D, out=np.zeros_like(x_ND), where=width_D > 0)
    return np.clip(shares_ND, 0.0, 1.0)


def costs(generation: Generation) -> Array:
    """What is minimised: -utility; inf for what was not scored, the last in any ranking. Shape N."""
    return np.where(np.isnan(generation.utilities_N), np.inf, -generation.utilities_N)

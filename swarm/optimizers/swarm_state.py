"""The state that swarms share, and how a complete generation becomes bests.

Shape suffixes: N particles, D coordinates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from swarm.core.space import Array, Space
from swarm.optimizers.base import Proposal
from swarm.optimizers.generational import Generation, GenerationState, Mask

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True)
class Movement:
    """Where one particle goes and how fast it went there. Shape D each."""

    x_D: Array
    v_D: Array


@dataclass(frozen=True, kw_only=True)
class SwarmState(GenerationState):
    """Velocities, personal bests, global best and worst; positions are the generation's.

    A utility of -inf (of +inf for the worst) says that there is none yet. stale_N: iterations since the personal
    best was found or the particle restarted.
    """

    v_ND: Array
    personal_best_ND: Array
    personal_utility_N: Array
    stale_N: NDArray[np.int64]
    global_best_D: Array
    global_utility: float
    global_worst_D: Array
    worst_utility: float


def launch(space: Space, seed: int, x_ND: Array, v_ND: Array) -> SwarmState:
    """The state before anything is scored."""
    n = len(x_ND)
    return SwarmState(
        space=space,
        seed=seed,
        generation=Generation.fresh(0, x_ND),
        v_ND=v_ND,
        personal_best_ND=x_ND,
        personal_utility_N=np.full(n, -np.inf),
        stale_N=np.zeros(n, np.int64),
        global_best_D=x_ND[0],
        global_utility=-np.inf,
        global_worst_D=x_ND[0],
        worst_utility=np.inf,
    )


def with_results(state: SwarmState) -> SwarmState:
    """Bests and worst after the generation: only a strictly better result replaces one; of equals, the first."""
    x_ND, utilities_N = state.generation.x_ND, state.generation.utilities_N
    better_N = utilities_N > state.personal_utility_N  # false for nan: a failed evaluation is never a best
    state = replace(
        state,
        personal_best_ND=np.where(better_N[:, None], x_ND, state.personal_best_ND),
        personal_utility_N=np.where(better_N, utilities_N, state.personal_utility_N),
        stale_N=np.where(better_N, 0, state.stale_N + 1),
    )
    scored = np.flatnonzero(~np.isnan(utilities_N))
    if scored.size:
        state = _remember_best(state, int(scored[utilities_N[scored].argmax()]))
        state = _remember_worst(state, int(scored[utilities_N[scored].argmin()]))
    return state


def _remember_best(state: SwarmState, i: int) -> SwarmState:
    utility = float(state.generation.utilities_N[i])
    if utility <= state.global_utility:
        return state
    return replace(state, global_best_D=state.generation.x_ND[i], global_utility=utility)


def _remember_worst(state: SwarmState, i: int) -> SwarmState:
    utility = float(state.generation.utilities_N[i])
    if utility >= state.worst_utility:
        return state
    return replace(state, global_worst_D=state.generation.x_ND[i], worst_utility=utility)


def with_result_of_one(state: SwarmState, i: int, utility: float) -> SwarmState:
    """Bests and worst after particle i alone was scored (nan: it was not)."""
    x_D = state.generation.x_ND[i]
    better = utility > state.personal_utility_N[i]
    state = replace(state, stale_N=_with(state.stale_N, i, 0 if better else state.stale_N[i] + 1))
    if better:
        state = replace(
            state,
            personal_best_ND=_with(state.personal_best_ND, i, x_D),
            personal_utility_N=_with(state.personal_utility_N, i, utility),
        )
    if utility > state.global_utility:
        state = replace(state, global_best_D=x_D, global_utility=utility)
    if utility < state.worst_utility:
        state = replace(state, global_worst_D=x_D, worst_utility=utility)
    return state


def restart_one(state: SwarmState, i: int) -> SwarmState:
    """Particle i at its personal best, at rest."""
    x_ND = _with(state.generation.x_ND, i, personal_best(state, i))
    return replace(
        state,
        generation=replace(state.generation, x_ND=x_ND),
        v_ND=_with(state.v_ND, i, 0.0),
        stale_N=_with(state.stale_N, i, 0),
    )


def moved(state: SwarmState, i: int, movement: Movement) -> SwarmState:
    """The state after particle i alone moved, into the iteration after the state's."""
    x_ND = _with(state.generation.x_ND, i, movement.x_D)
    generation = replace(state.generation, iteration=state.generation.iteration + 1, x_ND=x_ND)
    return replace(state, v_ND=_with(state.v_ND, i, movement.v_D), generation=generation)


def at_iteration(state: SwarmState, iteration: int) -> SwarmState:
    """The state as a particle in another iteration sees it."""
    return replace(state, generation=replace(state.generation, iteration=iteration))


def below_personal_best(state: SwarmState, proposal: Proposal) -> Proposal:
    """What is no better than the particle's best, and so than the swarm's, changes neither."""
    best = float(state.personal_utility_N[proposal.particle])
    known_D = state.personal_best_ND[proposal.particle].copy() if best > -np.inf else None
    return replace(proposal, low=-np.inf, high=best, personal_D=known_D)


def personal_best(state: SwarmState, i: int) -> Array:
    """The particle's best position; its own position, whose pull is nil, while it has none. Shape D."""
    best_ND = state.personal_best_ND if state.personal_utility_N[i] > -np.inf else state.generation.x_ND
    best_D: Array = best_ND[i]
    return best_D


def global_best(state: SwarmState, i: int) -> Array:
    """The swarm's best position; particle i's own while there is none. Shape D."""
    return state.global_best_D if state.global_utility > -np.inf else state.generation.x_ND[i]


def global_worst(state: SwarmState, i: int) -> Array:
    """The worst position ever scored; particle i's own while there is none. Shape D."""
    return state.global_worst_D if state.worst_utility < np.inf else state.generation.x_ND[i]


def next_generation(state: SwarmState, movements: Sequence[Movement], open_N: Mask | None = None) -> SwarmState:
    """The state after all particles moved, with the new positions to be scored."""
    x_ND = np.stack([movement.x_D for movement in movements])
    v_ND = np.stack([movement.v_D for movement in movements])
    return replace(state, v_ND=v_ND, generation=Generation.fresh(state.generation.iteration + 1, x_ND, open_N))


def _with(rows: NDArray[T], i: int, row: Array | float) -> NDArray[T]:
    changed = rows.copy()
    changed[i] = row
    return changed

"""What PSO and Model Swarms share: the state of a swarm, and the rules by which results become bests and moves.

Each rule takes the particles that it applies to: all of them under sync, one at a time under async.

Shape suffixes: N particles of the swarm, K particles that a rule applies to, D coordinates.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from swarm.core.space import Array, Space
from swarm.optimizers.base import Observation, PriorResult, Proposal
from swarm.optimizers.generational import Generational, GenerationState, Mask, ParticleGeneration

Indices = NDArray[np.int64]
T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True)
class Movement:
    """One particle's new position and the velocity that took it there. Shape D each."""

    x_D: Array
    v_D: Array


@dataclass(frozen=True, kw_only=True)
class SwarmState(GenerationState):
    """Velocities, personal bests, global best and worst; the positions are the generation's.

    v_ND: velocities.
    personal_best_ND, personal_utility_N: each particle's best; a utility of -inf means that there is none yet.
    stale_N: iterations since the personal best was found or the particle restarted.
    global_best_D, global_utility: the swarm's best; -inf means that there is none yet.
    global_worst_D, worst_utility: the worst ever scored; +inf means that there is none yet.
    """

    v_ND: Array
    personal_best_ND: Array
    personal_utility_N: Array
    stale_N: Indices
    global_best_D: Array
    global_utility: float
    global_worst_D: Array
    worst_utility: float


class ParticleSwarm(Generational[SwarmState]):
    """An optimizer whose particles move by their own bests and the swarm's."""

    @abstractmethod
    def move(self, state: SwarmState, i: int) -> Movement:
        """Particle i into the iteration after the state's."""

    def restarted(self, state: SwarmState, particles_K: Indices) -> SwarmState:
        """The state in which those particles that are due to restart did, before they move. By default none is due."""
        return state

    def scored(self, seed: int, iteration: int, particles_K: Indices) -> Mask:
        """Which of the particles are scored in an iteration. By default all are. Shape K."""
        return np.ones(len(particles_K), bool)

    def advance(self, state: SwarmState) -> SwarmState:
        everyone_N = np.arange(len(state.generation.x_ND))
        state = self._moved(state, everyone_N, state.generation.utilities_N)
        open_N = self.scored(state.seed, state.generation.iteration, everyone_N)
        return replace(state, generation=replace(state.generation, open_N=open_N))

    def step(self, state: SwarmState, observation: Observation) -> tuple[SwarmState, list[Proposal]]:
        i = np.array([observation.particle])
        state = replace(state, generation=replace(state.generation, iteration=observation.iteration))
        state = self._moved(state, i, np.array([observation.utility]))
        while not self.scored(state.seed, state.generation.iteration, i).all():
            state = self._moved(state, i, np.array([np.nan]))
        proposal = Proposal(state.generation.iteration, observation.particle, state.generation.x_ND[i[0]].copy())
        return state, [self.with_pruning_bounds(state, proposal)]

    def _moved(self, state: SwarmState, particles_K: Indices, utilities_K: Array) -> SwarmState:
        """All movements are computed against the bests after all K results."""
        state = self.restarted(with_utilities(state, particles_K, utilities_K), particles_K)
        return with_movements(state, particles_K, [self.move(state, int(i)) for i in particles_K])


def initial_swarm(space: Space, seed: int, x_ND: Array, v_ND: Array) -> SwarmState:
    """The state before anything is scored."""
    n = len(x_ND)
    return SwarmState(
        space=space,
        seed=seed,
        generation=ParticleGeneration.fresh(0, x_ND),
        v_ND=v_ND,
        personal_best_ND=x_ND,
        personal_utility_N=np.full(n, -np.inf),
        stale_N=np.zeros(n, np.int64),
        global_best_D=x_ND[0],
        global_utility=-np.inf,
        global_worst_D=x_ND[0],
        worst_utility=np.inf,
    )


def with_known_bests(state: SwarmState, known: Sequence[PriorResult]) -> SwarmState:
    """The initial state with the bests and the worst of another search: the k-th best is particle k's personal best."""
    scored = {each.x_D.tobytes(): each for each in known if not np.isnan(each.utility)}
    if not scored:
        return state
    ranked = sorted(scored.values(), key=lambda each: -each.utility)
    best, worst, first = ranked[0], ranked[-1], ranked[: len(state.generation.x_ND)]
    particles = np.arange(len(first))
    utilities_K = np.array([each.utility for each in first])
    return replace(
        state,
        personal_best_ND=_replaced(state.personal_best_ND, particles, np.stack([each.x_D for each in first])),
        personal_utility_N=_replaced(state.personal_utility_N, particles, utilities_K),
        global_best_D=best.x_D,
        global_utility=best.utility,
        global_worst_D=worst.x_D,
        worst_utility=worst.utility,
    )


def with_utilities(state: SwarmState, particles_K: Indices, utilities_K: Array) -> SwarmState:
    """Bests and worst after these particles' results. Only a strictly better one replaces another; of equals the first.

    A utility of nan, of a particle that failed or was not scored, is neither better nor worse than any.
    """
    x_KD = state.generation.x_ND[particles_K]
    better_K = utilities_K > state.personal_utility_N[particles_K]
    stale_K = np.where(better_K, 0, state.stale_N[particles_K] + 1)
    improved = particles_K[better_K]
    state = replace(
        state,
        personal_best_ND=_replaced(state.personal_best_ND, improved, x_KD[better_K]),
        personal_utility_N=_replaced(state.personal_utility_N, improved, utilities_K[better_K]),
        stale_N=_replaced(state.stale_N, particles_K, stale_K),
    )
    if np.isnan(utilities_K).all():
        return state
    best, worst = int(np.nanargmax(utilities_K)), int(np.nanargmin(utilities_K))
    if utilities_K[best] > state.global_utility:
        state = replace(state, global_best_D=x_KD[best], global_utility=float(utilities_K[best]))
    if utilities_K[worst] < state.worst_utility:
        state = replace(state, global_worst_D=x_KD[worst], worst_utility=float(utilities_K[worst]))
    return state


def at_personal_bests(state: SwarmState, particles_K: Indices) -> SwarmState:
    """The state with these particles at their personal bests, at rest."""
    if not len(particles_K):
        return state
    x_KD = np.stack([personal_best(state, int(i)) for i in particles_K])
    return replace(
        state,
        generation=replace(state.generation, x_ND=_replaced(state.generation.x_ND, particles_K, x_KD)),
        v_ND=_replaced(state.v_ND, particles_K, 0.0),
        stale_N=_replaced(state.stale_N, particles_K, 0),
    )


def with_movements(state: SwarmState, particles_K: Indices, movements: Sequence[Movement]) -> SwarmState:
    """The state in the next iteration, with these particles' new positions to be scored."""
    x_ND = _replaced(state.generation.x_ND, particles_K, np.stack([movement.x_D for movement in movements]))
    v_ND = _replaced(state.v_ND, particles_K, np.stack([movement.v_D for movement in movements]))
    return replace(state, v_ND=v_ND, generation=ParticleGeneration.fresh(state.generation.iteration + 1, x_ND))


def below_personal_best(state: SwarmState, proposal: Proposal) -> Proposal:
    """A utility up to the particle's personal best changes neither that nor the global best, which is no lower."""
    best = float(state.personal_utility_N[proposal.particle])
    personal_D = state.personal_best_ND[proposal.particle].copy() if best > -np.inf else None
    return replace(proposal, low=-np.inf, high=best, personal_D=personal_D)


def personal_best(state: SwarmState, i: int) -> Array:
    """The particle's best position; its own position, which exerts no pull, while it has none. Shape D."""
    best_ND = state.personal_best_ND if state.personal_utility_N[i] > -np.inf else state.generation.x_ND
    best_D: Array = best_ND[i]
    return best_D


def global_best(state: SwarmState, i: int) -> Array:
    """The swarm's best position; particle i's own while there is none. Shape D."""
    return state.global_best_D if state.global_utility > -np.inf else state.generation.x_ND[i]


def global_worst(state: SwarmState, i: int) -> Array:
    """The worst position ever scored; particle i's own while there is none. Shape D."""
    return state.global_worst_D if state.worst_utility < np.inf else state.generation.x_ND[i]


def _replaced(rows: NDArray[T], indices: Indices, values: NDArray[T] | float) -> NDArray[T]:
    changed = rows.copy()
    changed[indices] = values
    return changed

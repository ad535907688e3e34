"""Generations: positions that are scored together, and ask and tell for every optimizer that moves by generations.

Shape suffixes: N particles, D coordinates.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from swarm.core.measured import Measured
from swarm.core.space import Array, Space
from swarm.optimizers.base import Observation, Optimizer, Proposal

Mask = NDArray[np.bool_]


def always_prunable(proposal: Proposal) -> Proposal:
    """For an optimizer whose trajectory does not depend on this utility: it may be anything."""
    return replace(proposal, low=-np.inf, high=np.inf)


@dataclass(frozen=True)
class ParticleGeneration:
    """Positions that are scored together.

    x_ND: one position per particle.
    open_N: which are still to be scored.
    utilities_N: nan where there is none, or none yet.
    measured: row -> what else was measured, where the search is for a front or has floors.
    """

    iteration: int
    x_ND: Array
    open_N: Mask
    utilities_N: Array
    measured: Mapping[int, Measured] = field(default_factory=dict)

    @classmethod
    def fresh(cls, iteration: int, x_ND: Array) -> "ParticleGeneration":
        """A generation of which nothing is scored yet."""
        n = len(x_ND)
        return cls(iteration, x_ND, np.ones(n, bool), np.full(n, np.nan))

    @property
    def complete(self) -> bool:
        """Whether nothing is left to be scored. A generation without particles ends the search: False."""
        return self.open_N.size > 0 and not self.open_N.any()

    def proposals(self) -> list[Proposal]:
        return [Proposal(self.iteration, int(i), self.x_ND[i].copy()) for i in np.flatnonzero(self.open_N)]

    def with_observation(self, observation: Observation) -> "ParticleGeneration":
        assert observation.iteration == self.iteration, f"{observation} in iteration {self.iteration}"
        assert observation.particle in np.flatnonzero(self.open_N), f"{observation} answers no open proposal"
        open_N, utilities_N = self.open_N.copy(), self.utilities_N.copy()
        open_N[observation.particle] = False
        utilities_N[observation.particle] = observation.utility
        if observation.measured is None:
            return replace(self, open_N=open_N, utilities_N=utilities_N)
        measured = {**self.measured, observation.particle: observation.measured}
        return replace(self, open_N=open_N, utilities_N=utilities_N, measured=measured)


@dataclass(frozen=True, kw_only=True)
class GenerationState:
    """What every state of a generational optimizer holds.

    space, seed: what `init` was given.
    generation: the generation being scored.
    pending: the one after it, which is being scored too; None where generations do not overlap.
    """

    space: Space
    seed: int
    generation: ParticleGeneration
    pending: ParticleGeneration | None = None

    @property
    def pending_KD(self) -> Array:
        """The positions of the pending generation; none where there is no such generation."""
        return np.empty((0, self.space.dimensions)) if self.pending is None else self.pending.x_ND


S = TypeVar("S", bound=GenerationState)


class Generational(Optimizer[S], Generic[S]):
    """An optimizer whose particles move together once all of them are scored, or as soon as those before them are.

    Generations overlap where the state that `init` or `remember` returns has a pending one.

    `tell` also takes the observations of several generations at once, as replaying a journal gives them. An observation
    that answers no open proposal, or answers one twice, is a bug of the caller and fails an assertion.
    """

    def ask(self, state: S) -> list[Proposal]:
        pending = state.pending.proposals() if state.pending else []
        return [self.with_pruning_bounds(state, proposal) for proposal in (*state.generation.proposals(), *pending)]

    def tell(self, state: S, observations: Sequence[Observation]) -> S:
        for observation in sorted(observations, key=lambda observation: observation.iteration):
            if state.pending and observation.iteration == state.pending.iteration:
                state = replace(state, pending=state.pending.with_observation(observation))
            else:
                state = replace(state, generation=state.generation.with_observation(observation))
            while state.generation.complete:
                state = self._advanced(state)
        return state

    def _advanced(self, state: S) -> S:
        """The state after a complete generation: the pending one is the next, and another one is pending."""
        if (pending := state.pending) is None:
            return self.advance(state)
        # What is known of the pending one depends on the workers, so the optimizer does not see it.
        unknown = ParticleGeneration.fresh(pending.iteration, pending.x_ND)
        state = self.advance(replace(state, pending=unknown))
        proposed = replace(state.generation, iteration=pending.iteration + 1)
        return replace(state, generation=pending, pending=proposed)

    def with_pruning_bounds(self, state: S, proposal: Proposal) -> Proposal:
        """The proposal with the utilities that change nothing in this state. By default every utility matters."""
        return proposal

    @abstractmethod
    def advance(self, state: S) -> S:
        """The state with the generation to be scored next, from one whose generation is complete.

        Under overlap the pending generation is in the state, with its positions alone. What is returned as the
        generation comes after it.
        """

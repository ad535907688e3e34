"""Generations: positions scored together. What every optimizer that moves in steps does with ask and tell.

Shape suffixes: N particles, D coordinates.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from swarm.core.space import Array, Space
from swarm.optimizers.base import Optimizer, Proposal, Result

Mask = NDArray[np.bool_]


def indifferent(proposal: Proposal) -> Proposal:
    """For an optimizer that goes its way whatever is scored."""
    return replace(proposal, low=-np.inf, high=np.inf)


@dataclass(frozen=True)
class Generation:
    """Positions scored together. open_N: still to be scored. utilities_N: nan where there is none, or none yet."""

    iteration: int
    x_ND: Array
    open_N: Mask
    utilities_N: Array

    @classmethod
    def fresh(cls, iteration: int, x_ND: Array, open_N: Mask | None = None) -> "Generation":
        """Nothing scored yet. Particles that are not in open_N are skipped: never asked for."""
        n = len(x_ND)
        return cls(iteration, x_ND, np.ones(n, bool) if open_N is None else open_N, np.full(n, np.nan))

    @property
    def complete(self) -> bool:
        """Nothing is left to be scored. False for a generation of no particles: that one ends the search."""
        return self.open_N.size > 0 and not self.open_N.any()

    def proposals(self) -> list[Proposal]:
        return [Proposal(self.iteration, int(i), self.x_ND[i].copy()) for i in np.flatnonzero(self.open_N)]

    def with_result(self, result: Result) -> "Generation":
        assert result.iteration == self.iteration, f"{result} in iteration {self.iteration}"
        assert result.particle in np.flatnonzero(self.open_N), f"{result} answers no open proposal"
        open_N, utilities_N = self.open_N.copy(), self.utilities_N.copy()
        open_N[result.particle] = False
        utilities_N[result.particle] = result.utility
        return replace(self, open_N=open_N, utilities_N=utilities_N)


@dataclass(frozen=True, kw_only=True)
class GenerationState:
    """What every state holds: where it searches, its seed, and the generation being scored."""

    space: Space
    seed: int
    generation: Generation


S = TypeVar("S", bound=GenerationState)


class Generational(Optimizer[S], Generic[S]):
    """An optimizer whose particles move together once all of them are scored.

    `tell` also takes the results of several generations at once, as a replayed journal has them. A result that
    answers no open proposal, or answers one twice, is a bug of the caller and fails an assertion.
    """

    def ask(self, state: S) -> list[Proposal]:
        return [self.with_bounds(state, proposal) for proposal in state.generation.proposals()]

    def tell(self, state: S, results: Sequence[Result]) -> S:
        for result in sorted(results, key=lambda result: result.iteration):
            state = replace(state, generation=state.generation.with_result(result))
            while state.generation.complete:
                state = self.advance(state)
        return state

    def with_bounds(self, state: S, proposal: Proposal) -> Proposal:
        """The proposal with the utilities that change nothing in this state. Without a word every one does."""
        return proposal

    @abstractmethod
    def advance(self, state: S) -> S:
        """The state with the next generation, from one whose generation is complete."""

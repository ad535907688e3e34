"""A problem of fronts.py: a space, several objectives with true values, floors, and observations with noise.

The true value of an objective is the share of right answers over a population that no search sees. A candidate is
observed by ITEMS answers for each objective, each right with the true value's probability, independent of all others.
Higher is better, and a floor is kept where its slack is not below zero.

Shape suffixes: N positions, D coordinates, K objectives, C floors.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from swarm.core.space import Array, Space
from swarm.optimizers.initial_design import combinations, initial_design

ITEMS = 200  # answers for each objective


@dataclass(frozen=True)
class Scores:
    """What is observed of some positions.

    values_NK: mean scores.
    errors_NK: their standard errors.
    slacks_NC: by how much each floor is kept.
    """

    values_NK: Array
    errors_NK: Array
    slacks_NC: Array

    @property
    def feasible_N(self) -> np.ndarray:
        """Whether all floors are kept, as observed."""
        return np.asarray((self.slacks_NC >= 0.0).all(axis=1))

    def joined(self, other: "Scores") -> "Scores":
        return Scores(
            np.vstack([self.values_NK, other.values_NK]),
            np.vstack([self.errors_NK, other.errors_NK]),
            np.vstack([self.slacks_NC, other.slacks_NC]),
        )


Scorer = Callable[[Array], Scores]
"""Positions (shape ND) -> what is observed of them."""


class FrontProblem(ABC):
    """One problem.

    name: by which it is chosen.
    dense: how long its best known front is searched for: population and generations.
    """

    name: str
    dense: tuple[int, int] = (200, 300)
    noisy = True

    @property
    @abstractmethod
    def space(self) -> Space:
        """Where a search moves."""

    @abstractmethod
    def truth(self, x_ND: Array) -> Array:
        """The true values. Shape NK."""

    def slacks(self, x_ND: Array) -> Array:
        """By how much each floor is truly kept; none by default. Shape NC."""
        return np.empty((len(x_ND), 0))

    @cached_property
    def reference_K(self) -> Array:
        """The reference point of the hypervolume: the lowest true values of the space's baselines."""
        positions_BD = np.array([baseline.position_D for baseline in self.space.baselines])
        lowest_K: Array = self.truth(positions_BD).min(axis=0)
        return lowest_K

    @property
    def objectives(self) -> int:
        return len(self.reference_K)

    def scorer(self, seed: int) -> Scorer:
        """A function that observes positions with the noise that the seed draws."""
        rng = np.random.default_rng([seed, 7])
        return lambda x_ND: counted(rng.binomial(ITEMS, self.truth(x_ND)), np.full(1, ITEMS), self.slacks(x_ND))

    def start(self, seed: int, count: int) -> Array:
        """The first positions of every compared method that has a choice. Shape: count x D."""
        return initial_design(self.space, seed, count)

    def dense_start(self, count: int) -> Array:
        """The first positions of the search for the best known front. Shape: count x D."""
        return combinations(self.space, count, np.random.default_rng(1))


def counted(right_NK: np.ndarray, items_K: np.ndarray, slacks_NC: Array) -> Scores:
    """The scores of counts of right answers; the errors are of shares with one more right and one more wrong answer,
    so that none is zero (Agresti & Coull 1998)."""
    share_NK = (right_NK + 1.0) / (items_K + 2.0)
    return Scores(right_NK / items_K, np.sqrt(share_NK * (1.0 - share_NK) / items_K), slacks_NC)

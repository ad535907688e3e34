"""Synthetic problems: examples with margins on a landscape with a known optimum, with the noise of 200 examples.

An answer is right where its margin is positive. A margin is the skill of a position at the example's task, plus the
example's own response to the position, minus the example's difficulty. So nearby candidates are right on the same
examples, as they are with real models.

Shape suffixes: P examples, T tasks, D dimensions.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bed.problem import SIZE, Sampled, Scorer, box
from swarm.core.space import Array, Space

POPULATION = 20_000


@dataclass(frozen=True)
class Terrain:
    """The parameters of a landscape.

    experts: D.
    tasks: T.
    useful: how many experts the optima use; None: all.
    total: the sum of the coefficients at the centre of the tasks' optima.
    spread: the standard deviation of the tasks' optima around it; half of it is used where `useful` is set.
    steepness: the curvature away from an optimum, its smallest and largest over the axes.
    peak: the skill at a task's optimum.
    own: the standard deviation of the examples' own response to a position.
    ripple: the height of the waves on the landscape.
    """

    experts: int
    tasks: int = 8
    useful: int | None = None
    total: float = 1.4
    spread: float = 0.2
    steepness: tuple[float, float] = (4.0, 4.0)
    peak: float = 2.5
    own: float = 1.0
    ripple: float = 0.0


@dataclass(frozen=True)
class Examples:
    """Examples drawn on a landscape.

    task_P: the task of each.
    difficulty_P: what its margin is reduced by.
    own_PD: its own response to each coefficient.
    """

    task_P: np.ndarray
    difficulty_P: Array
    own_PD: Array


@dataclass(frozen=True)
class Synthetic:
    """A problem on a landscape that `seed` draws."""

    name: str
    terrain: Terrain
    seed: int

    @cached_property
    def space(self) -> Space:
        return box([f"expert{i}" for i in range(self.terrain.experts)])

    @cached_property
    def best(self) -> Array:
        """The optimum of each task. Shape TD."""
        t, rng = self.terrain, self._rng(0)
        share_D = np.zeros(t.experts)
        useful = rng.permutation(t.experts)[: t.useful or t.experts]
        share_D[useful] = rng.dirichlet(np.full(len(useful), 3.0))
        centre_D = t.total * share_D
        return centre_D + rng.normal(0.0, t.spread, (t.tasks, t.experts)) * (1.0 if t.useful is None else 0.5)

    @cached_property
    def steep(self) -> Array:
        """The quadratic form of the loss away from an optimum, with random axes. Shape DD."""
        t, rng = self.terrain, self._rng(1)
        axes_DD, _ = np.linalg.qr(rng.normal(size=(t.experts, t.experts)))
        costs_D = np.geomspace(*t.steepness, t.experts)
        return axes_DD * costs_D @ axes_DD.T

    @cached_property
    def population(self) -> Examples:
        return self._drawn(self._rng(2), POPULATION)

    def scorer(self, seed: int, split: Sampled) -> Scorer:
        examples = self._drawn(self._rng(3 if split == "search" else 4, seed), SIZE)
        return lambda x_D: self._margins(x_D, examples)

    def truth(self, x_D: Array) -> float:
        return float((self._margins(x_D, self.population) > 0).mean())

    def _margins(self, x_D: Array, examples: Examples) -> Array:
        off_TD = x_D - self.best
        skill_T = self.terrain.peak - np.einsum("td,de,te->t", off_TD, self.steep, off_TD)
        if self.terrain.ripple:
            skill_T = skill_T + self.terrain.ripple * np.cos(7.0 * off_TD).mean(axis=1)
        margins_P: Array = skill_T[examples.task_P] + examples.own_PD @ x_D - examples.difficulty_P
        return margins_P

    def _drawn(self, rng: np.random.Generator, n: int) -> Examples:
        t = self.terrain
        own_PD = rng.normal(0.0, t.own, (n, t.experts))
        return Examples(rng.integers(t.tasks, size=n), rng.normal(0.0, 2.0, n), own_PD)

    def _rng(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *stream])


DEVELOPMENT = (
    Synthetic("sphere", Terrain(5), 1),
    Synthetic("valley", Terrain(8, steepness=(1.0, 16.0)), 2),
    Synthetic("sparse", Terrain(10, useful=3, total=1.2, steepness=(2.0, 8.0)), 4),
    Synthetic("flat", Terrain(4, steepness=(0.5, 1.0), peak=1.0), 7),
)
CONFIRMATION = (
    Synthetic("rugged", Terrain(7, ripple=1.2, total=1.1), 23),
    Synthetic("conflict", Terrain(6, tasks=5, spread=0.4, peak=3.0, steepness=(2.0, 6.0)), 25),
    Synthetic("wide", Terrain(14, total=1.5, steepness=(1.5, 8.0), spread=0.12), 26),
)

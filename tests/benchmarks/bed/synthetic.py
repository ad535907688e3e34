"""Synthetic problems: examples with margins over a landscape whose best is known, to the noise of 200 examples.

An example is answered rightly where its margin is positive. A margin is the skill that a position has at its task, what
this example makes of the position, less the example's own difficulty. So candidates near each other are right on the
same examples, as they are with real models.

Shape suffixes: P examples, T tasks, D coordinates.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bed.problem import SIZE, Sampled, Scorer, box
from swarm.core.space import Array, Space

POPULATION = 20_000


@dataclass(frozen=True)
class Terrain:
    """What the skill at a task is made of.

    experts: D. tasks: T. useful: how many experts any task wants. total: what the coefficients of the best sum to.
    spread: how far the tasks' bests lie apart. steepness: what a step off the best costs (least and greatest of the
    axes). peak: skill at a task's best. own: how differently examples take a position. ripple: height of the waves.
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
    """task_P, difficulty_P, own_PD: see the module."""

    task_P: np.ndarray
    difficulty_P: Array
    own_PD: Array


@dataclass(frozen=True)
class Synthetic:
    """A problem on a terrain, which `seed` draws."""

    name: str
    terrain: Terrain
    seed: int

    @cached_property
    def space(self) -> Space:
        return box([f"expert{i}" for i in range(self.terrain.experts)])

    @cached_property
    def best(self) -> Array:
        """Where each task is done best. Shape TD."""
        t, rng = self.terrain, self._rng(0)
        share_D = np.zeros(t.experts)
        useful = rng.permutation(t.experts)[: t.useful or t.experts]
        share_D[useful] = rng.dirichlet(np.full(len(useful), 3.0))
        centre_D = t.total * share_D
        return centre_D + rng.normal(0.0, t.spread, (t.tasks, t.experts)) * (1.0 if t.useful is None else 0.5)

    @cached_property
    def steep(self) -> Array:
        """The quadratic form of what a step off the best costs: random axes. Shape DD."""
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

"""Problems with a coefficient for each expert and group of parameters, each with its twin of one coefficient an expert.

A synthetic one is a landscape of synthetic.py whose coefficients act group by group: each group has its share of an
expert's effect. Where groups matter, the optimum of some experts differs from group to group, and `lost` is the skill
that the twin's optimum lacks. The twin has the same landscape, examples and optimum, whatever `lost` is.

Shape suffixes: E experts, G groups, T tasks, P examples, D = E * G coordinates (expert-major).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bed.live import Live
from bed.problem import SIZE, Sampled, Scorer, box
from bed.reference import best_known, polished
from bed.synthetic import POPULATION, Examples, Synthetic, Terrain
from swarm.compositions.weights import Weights
from swarm.core.space import Array, Space


@dataclass(frozen=True)
class Grouped:
    """A landscape with `groups` coefficients an expert.

    differing: how many experts have an optimum that differs from group to group.
    lost: the skill that one coefficient an expert lacks at its best.
    """

    name: str
    terrain: Terrain
    groups: int
    differing: int
    lost: float
    seed: int

    @cached_property
    def space(self) -> Space:
        return box([f"expert{i}" for i in range(self.terrain.experts)], self.groups)

    @cached_property
    def twin(self) -> "Twin":
        return Twin(self, box([f"expert{i}" for i in range(self.terrain.experts)]))

    @cached_property
    def share_G(self) -> Array:
        """Each group's share of an expert's effect."""
        shares: Array = self._rng(10).dirichlet(np.full(self.groups, 4.0))
        return shares

    @cached_property
    def best_TEG(self) -> Array:
        """The optimum of each task."""
        rng, n = self._rng(11), self.terrain.experts
        apart_EG = rng.normal(size=(n, self.groups))
        apart_EG[rng.permutation(n)[self.differing :]] = 0.0
        apart_EG -= (apart_EG @ self.share_G)[:, None] * (apart_EG != 0)  # so that the twin's optimum stays
        if self.differing:
            apart_EG *= np.sqrt(self.lost / self._loss(apart_EG))
        best_TEG: Array = self._plain.best[:, :, None] + apart_EG
        return best_TEG

    @cached_property
    def population(self) -> Examples:
        return self._drawn(self._rng(2), POPULATION)

    def scorer(self, seed: int, split: Sampled) -> Scorer:
        examples = self._drawn(self._rng(3 if split == "search" else 4, seed), SIZE)
        return lambda x_D: self._margins(x_D, examples)

    def truth(self, x_D: Array) -> float:
        return float((self._margins(x_D, self.population) > 0).mean())

    def best_known(self) -> float:
        """From the centre of the tasks' optima."""
        centre_D = self.best_TEG.mean(axis=0).ravel()
        return max(self.truth(centre_D), polished(self, centre_D))

    @cached_property
    def _plain(self) -> Synthetic:
        return Synthetic(self.name, self.terrain, self.seed)

    def _loss(self, off_EG: Array) -> float:
        return float(np.einsum("g,dg,de,eg->", self.share_G, off_EG, self._plain.steep, off_EG))

    def _margins(self, x_D: Array, examples: Examples) -> Array:
        off_TEG = x_D.reshape(-1, self.groups) - self.best_TEG
        skill_T = self.terrain.peak - np.array([self._loss(off_EG) for off_EG in off_TEG])
        margins_P: Array = skill_T[examples.task_P] + examples.own_PD @ x_D - examples.difficulty_P
        return margins_P

    def _drawn(self, rng: np.random.Generator, n: int) -> Examples:
        own_D = self.terrain.own * np.tile(np.sqrt(self.share_G), self.terrain.experts)
        own_PD = rng.normal(0.0, 1.0, (n, len(own_D))) * own_D
        return Examples(rng.integers(self.terrain.tasks, size=n), rng.normal(0.0, 2.0, n), own_PD)

    def _rng(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *stream])


@dataclass(frozen=True)
class Twin:
    """A grouped problem with one coefficient an expert."""

    problem: "GroupedProblem"
    space: Space

    @property
    def name(self) -> str:
        return f"{self.problem.name}, ungrouped"

    def scorer(self, seed: int, split: Sampled) -> Scorer:
        score = self.problem.scorer(seed, split)
        return lambda x_E: score(self.repeated(x_E))

    def truth(self, x_E: Array) -> float:
        return self.problem.truth(self.repeated(x_E))

    def repeated(self, x_E: Array) -> Array:
        return np.repeat(x_E, self.problem.space.dimensions // self.space.dimensions)


@dataclass(frozen=True)
class LiveGrouped(Live):
    """A problem on a zoo with groups of parameters."""

    patterns: tuple[tuple[str, tuple[str, ...]], ...] | str = "all"

    @property
    def composition(self) -> Weights:
        return Weights(groups=self.patterns if isinstance(self.patterns, str) else dict(self.patterns))

    @cached_property
    def twin(self) -> Twin:
        return Twin(self, box(self.experts))


GroupedProblem = Grouped | LiveGrouped


@dataclass(frozen=True)
class GroupedReference:
    """True scores. `ungrouped` and `grouped` are from searches on the true score itself; NaN for live problems."""

    base: float
    expert: float
    ungrouped: float
    grouped: float


def grouped_reference(problem: GroupedProblem) -> GroupedReference:
    """The best known of a live problem is what searches deliver: searches on its true score would take hours."""
    space = problem.space
    return GroupedReference(
        base=problem.truth(space.neutral_D),
        expert=max(problem.truth(x_D) for x_D in space.experts_ED),
        ungrouped=float("nan") if isinstance(problem, LiveGrouped) else best_known(problem.twin),
        grouped=float("nan") if isinstance(problem, LiveGrouped) else problem.best_known(),
    )


def matrices(*parts: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Groups of the zoo's two layers by the names of their matrices: one for each layer and part."""
    return tuple(
        (f"{layer}.{part}", tuple(f"*layers.{layer}.*{word}*" for word in part.split("+")))
        for layer in (0, 1)
        for part in parts
    )


ALL, SOME = 1.0, 0.8  # skill that one coefficient an expert lacks
MILD = Terrain(10, steepness=(3.0, 6.0))
WIDE = Terrain(8, total=1.5, steepness=(1.5, 8.0))
CALM = Terrain(10, tasks=5, spread=0.15, total=1.2, steepness=(2.0, 8.0))
GROUPED_DEVELOPMENT: tuple[GroupedProblem, ...] = (
    Grouped("all-40", MILD, 4, 10, ALL, 101),
    Grouped("some-40", CALM, 4, 3, SOME, 102),
    Grouped("none-40", MILD, 4, 0, 0.0, 103),
    Grouped("all-120", MILD, 12, 10, ALL, 104),
    Grouped("some-120", WIDE, 15, 3, SOME, 105),
    Grouped("none-120", CALM, 12, 0, 0.0, 106),
    LiveGrouped("full-25", "full", matrices("attn", "mlp")),
    LiveGrouped("interfering-24", "interfering", matrices("attn", "mlp")),
)
GROUPED_CONFIRMATION: tuple[GroupedProblem, ...] = (
    Grouped("every-40", CALM, 4, 10, ALL, 201),
    Grouped("few-40", MILD, 4, 2, SOME, 202),
    Grouped("no-40", CALM, 4, 0, 0.0, 203),
    Grouped("every-120", WIDE, 15, 8, ALL, 204),
    Grouped("few-120", MILD, 12, 3, SOME, 205),
    Grouped("no-120", MILD, 12, 0, 0.0, 206),
    LiveGrouped("tiny-40", "tiny", matrices("attn", "mlp")),
    LiveGrouped("tiny-120", "tiny", matrices("q_proj", "k_proj", "v_proj", "o_proj", "gate+up", "down")),
    LiveGrouped("complementary-16", "complementary", "layers:2"),
)
GROUPED: dict[str, GroupedProblem] = {p.name: p for p in (*GROUPED_DEVELOPMENT, *GROUPED_CONFIRMATION)}

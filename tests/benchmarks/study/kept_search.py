"""A search without a run: an optimizer, one engine whose kept logits all searches share, and a pool of examples.

Logits do not depend on coefficients, so after the first candidate a search is arithmetic, whichever examples count.

Shape suffixes: P examples of the pool.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.compositions.base import Composition
from swarm.core.candidates import Candidate, Evaluation, Task
from swarm.core.space import Space
from swarm.evaluation.evaluator import Evaluator
from swarm.optimizers.base import Observation, Optimizer
from swarm.run.fit_router import config_of_routing
from swarm.run.plan import Plan, make_plan

Array = NDArray[np.float64]
Places = NDArray[np.intp]
FINALISTS = 8


@dataclass(frozen=True, eq=False)
class Pool:
    """Examples, and an engine that has read them or will. ids: in the order of all scores."""

    plan: Plan
    engine: Any
    ids: Sequence[str]

    @classmethod
    def open(cls, config: Path, overrides: Sequence[str], examples: int) -> "Pool":
        """Of the first objective's examples, drawn by the config's seed."""
        sets = [*overrides, f"splits.search={examples}", "splits.select=1", "splits.test=rest"]
        plan = make_plan(config_of_routing(config, sets), lambda step: None)
        ids = [each.example.id for each in plan.workloads["search"].examples["answers"]]
        return cls(plan, plan.spec.engine.open(plan.catalog), ids)

    def scorer(self, composition: Composition) -> "Scorer":
        evaluator = Evaluator(self.engine, self.plan.catalog, replace(self.plan.spec, composition=composition))
        evaluator.load("search", self.plan.workloads["search"])
        return Scorer(evaluator.evaluate, len(self.ids), {})


@dataclass(frozen=True, eq=False)
class Scorer:
    """Scores of positions, each computed once. examples: how many the pool has."""

    evaluate: Callable[[Sequence[Task]], Sequence[Evaluation]]
    examples: int
    known: dict[tuple[float, ...], Array]

    def __call__(self, position_D: Array) -> Array:
        """The score of every example of the pool, (P); all nan where the candidate failed."""
        position = tuple(map(float, position_D))
        if position not in self.known:
            (found,) = self.evaluate([Task(Candidate(str(len(self.known)), position))])
            failed_P = np.full(self.examples, np.nan)
            self.known[position] = np.array(found.examples["answers"]) if found.status == "ok" else failed_P
        return self.known[position]

    def affords(self, position_D: Array, evaluations: float) -> bool:
        """Whether a position is known or there is room for one more in so many evaluations."""
        return len(self.known) < evaluations or tuple(map(float, position_D)) in self.known

    def scored(self, positions: Iterable[Array]) -> list[Array]:
        """The scores of those that have not failed."""
        return [x_P for x_P in map(self, positions) if not np.isnan(x_P).any()]


def delivered(
    pool: Pool, composition: Composition, optimizer: Optimizer[Any], seed: int, search: Places, select: Places
) -> Array:
    """The scores, (P), of what a search delivers; the arguments of `best_of`."""
    return best_of(
        composition.space(pool.plan.catalog), pool.scorer(composition), optimizer, seed, search=search, select=select
    )


def best_of(
    space: Space, scorer: Scorer, optimizer: Optimizer[Any], seed: int, *, search: Places, select: Places
) -> Array:
    """The scores, (P), of what a search delivers.

    search, select: places of the examples that count. As in a run, a position that was scored before costs nothing, the
    last generation is cut to what is left of the evaluations, and the best on search and the baselines are compared by
    their mean over both splits.
    """
    state, most = optimizer.init(space, seed), optimizer.evaluations or math.inf
    while (asked := optimizer.ask(state)) and asked[0].iteration < optimizer.iterations:
        told = [
            Observation(p.iteration, p.particle, float(scorer(p.x_D)[search].mean()))
            for p in takewhile(lambda each: each.iteration == asked[0].iteration, asked)
            if scorer.affords(p.x_D, most)
        ]
        if not told:
            break
        state = optimizer.tell(state, told)
    found = sorted(scorer.scored(map(np.array, scorer.known)), key=lambda x_P: -float(x_P[search].mean()))[:FINALISTS]
    found += scorer.scored(each.position_D for each in (space.base, *space.experts, *space.uniforms))
    both = np.concatenate([search, select])
    return max(found, key=lambda x_P: float(x_P[both].mean()))


def uniform(pool: Pool, composition: Composition, search: Places) -> Array:
    """The scores, (P), of the uniform average that is the best on search."""
    averages = (each.position_D for each in composition.space(pool.plan.catalog).uniforms)
    return max(pool.scorer(composition).scored(averages), key=lambda x_P: float(x_P[search].mean()))

"""What the tests of racing share: landscapes of examples that are right or wrong, and a search over them, rung by rung.

An example is answered correctly where its margin is positive. A margin is the sum of the skill that a position has at
the example's task and of the example's own response to the position, minus its difficulty. So candidates near each
other are right on the same examples, and the margin's log-probability is the surrogate score.

Shape suffixes: P examples, T tasks, D coordinates.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from support.optimizer_runs import space
from support.runs import START
from swarm.core.candidates import Candidate, Evaluation, Task
from swarm.core.outcomes import Feed, Outcome
from swarm.core.space import Array
from swarm.evaluation.racing import Race, Racing, rung_sizes
from swarm.evaluation.smoothed_accuracy import smoothed
from swarm.journal.archive import Archive
from swarm.optimizers import Optimizer
from swarm.search import SCHEDULES
from swarm.search.baselines import Baselines
from swarm.search.loop import Loop
from swarm.search.selection import Selection

TASKS = 8
DIMENSIONS = 5
FINALISTS = 8


@dataclass(frozen=True)
class Examples:
    """One objective's examples; tasks take turns. own_PD: an example's own response to a position."""

    task_P: np.ndarray
    difficulty_P: Array
    own_PD: Array

    @classmethod
    def drawn(cls, rng: np.random.Generator, n: int) -> "Examples":
        return cls(np.arange(n) % TASKS, rng.normal(0.0, 2.0, n), rng.normal(0.0, 1.0, (n, DIMENSIONS)))

    def margins(self, x_D: Array, best_TD: Array) -> Array:
        skill_T = 2.5 - 4.0 * np.square(x_D - best_TD).sum(axis=1)
        margins_P: Array = skill_T[self.task_P] + self.own_PD @ x_D - self.difficulty_P
        return margins_P


@dataclass(frozen=True)
class Landscape:
    """The best position per task, and the examples of each split, by objective."""

    best_TD: Array
    search: Mapping[str, Examples]
    select: Mapping[str, Examples]
    test: Mapping[str, Examples]

    @classmethod
    def drawn(cls, seed: int, sizes: Mapping[str, int] = {"right": 200}) -> "Landscape":
        rng = np.random.default_rng([seed, 1])
        centre_D = rng.uniform(1.0, 1.5) * rng.dirichlet(np.ones(DIMENSIONS))
        best_TD = centre_D + rng.normal(0.0, 0.2, (TASKS, DIMENSIONS))
        search, select, test = (
            {name: Examples.drawn(rng, factor * n) for name, n in sizes.items()} for factor in (1, 1, 5)
        )
        return cls(best_TD, search, select, test)

    def right(self, position: Sequence[float], examples: Examples) -> Array:
        return (examples.margins(np.array(position), self.best_TD) > 0).astype(float)


@dataclass
class Scorer:
    """Scores tasks by the landscape, rung by rung as the evaluator does, and counts examples."""

    landscape: Landscape
    racing: Racing
    weights: Mapping[str, float]
    examples: int = 0
    stopped: list[Task] = field(default_factory=list)
    whole: list[Task] = field(default_factory=list)

    def __call__(self, tasks: Feed) -> Iterator[Outcome]:
        while tasks:
            yield self.score(tasks.popleft())

    def score(self, task: Task) -> Evaluation:
        sizes = {name: len(part.task_P) for name, part in self.landscape.search.items()}
        strata = {name: [str(task) for task in part.task_P] for name, part in self.landscape.search.items()}
        race = Race(self.racing, task.pruning, sizes, dict.fromkeys(sizes, (0.0, 1.0)), self.weights, strata)
        scores, surrogates = self.everything(task.candidate)
        k, part = 0, {name: scores[name][:0] for name in sizes}
        while k < sum(sizes.values()):
            k = race.next_rung(part)
            seen = rung_sizes(k, sizes)
            part = {name: scores[name][:n] for name, n in seen.items()}
            part_surrogates = {name: surrogates[name][:n] for name, n in seen.items()}
            if race.over(part, part_surrogates):
                self.stopped.append(task)
                break
        if part == scores:
            self.whole.append(task)
        self.examples += k
        return Evaluation(
            task.candidate,
            "ok" if part == scores else "stopped",
            {name: math.fsum(values) / len(values) for name, values in part.items()},
            part,
            surrogates=part_surrogates if self.racing.sequential else {},
            soft=self.smoothed(task.candidate, k),
        )

    def smoothed(self, candidate: Candidate, k: int) -> dict[str, float]:
        """Of the first k examples."""
        x_D, best_TD, search = np.array(candidate.position), self.landscape.best_TD, self.landscape.search
        seen = rung_sizes(k, {name: len(part.task_P) for name, part in search.items()})
        return {name: smoothed(search[name].margins(x_D, best_TD)[:count].tolist()) for name, count in seen.items()}

    def everything(self, candidate: Candidate) -> tuple[dict[str, tuple[float, ...]], dict[str, tuple[float, ...]]]:
        x_D = np.array(candidate.position)
        margins = {name: e.margins(x_D, self.landscape.best_TD) for name, e in self.landscape.search.items()}
        scores = {name: tuple((m_P > 0).astype(float).tolist()) for name, m_P in margins.items()}
        surrogates = {name: tuple(np.round(-np.logaddexp(0.0, -m_P), 6).tolist()) for name, m_P in margins.items()}
        return scores, surrogates


def loop(folder: Path, optimizer: Optimizer[Any], scorer: Scorer, seed: int) -> Loop:
    """Over what the folder's journal holds; a new journal begins with its start line."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = Archive(folder / "journal.jsonl")
    if archive.start is None:
        archive.append(START)
    return Loop(
        optimizer=optimizer,
        space=space(DIMENSIONS),
        seed=seed,
        weights=scorer.weights,
        archive=archive,
        evaluate=scorer,
        on_evaluation=lambda evaluation: None,
        finalists=FINALISTS,
        sequential=scorer.racing.sequential,
    )


@dataclass(frozen=True)
class Run:
    """A finished search and what it cost."""

    archive: Archive
    scorer: Scorer
    reason: str
    soft: bool

    @property
    def finalists(self) -> list[Candidate]:
        baselines = Baselines.of(space(DIMENSIONS))
        return Selection(self.archive, self.scorer.weights, baselines, self.soft).finalists(FINALISTS)

    @property
    def winner(self) -> Candidate:
        """The finalist that does best on fresh examples."""
        land = self.scorer.landscape

        def fresh(candidate: Candidate) -> float:
            return sum(float(land.right(candidate.position, part).mean()) for part in land.select.values())

        return max(self.finalists, key=fresh)

    def tested(self) -> list[float]:
        """The winner's scores on the test split."""
        land = self.scorer.landscape
        return [x for part in land.test.values() for x in land.right(self.winner.position, part).tolist()]


def run(
    folder: Path,
    optimizer: Optimizer[Any],
    landscape: Landscape,
    racing: Racing,
    seed: int,
    weights: Mapping[str, float] = {"right": 1.0},
) -> Run:
    scorer = Scorer(landscape, racing, weights)
    found = loop(folder, optimizer, scorer, seed)
    reason = SCHEDULES[optimizer.schedule](found).run()
    return Run(found.archive, scorer, reason, optimizer.climbs_soft)

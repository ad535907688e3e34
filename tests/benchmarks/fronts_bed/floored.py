"""A whole search under a floor on a problem with known true values: search, selection, and what is delivered.

Shape suffixes: N positions, D coordinates, K objectives, W directions.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fronts_bed import PROBLEMS
from fronts_bed.problem import ITEMS, FrontProblem
from swarm.core.candidates import Candidate, Evaluation
from swarm.core.examples import Split
from swarm.core.floors import Floor
from swarm.core.outcomes import Feed
from swarm.core.space import Array
from swarm.journal.archive import Archive
from swarm.journal.records import Source, StartRecord
from swarm.optimizers.front_acquisition import directions, scalarised
from swarm.optimizers.guided_pso import GuidedPSO
from swarm.preferences.goals import Goals
from swarm.preferences.linear import WeightedSum
from swarm.search.baselines import Baselines
from swarm.search.front_selection import FrontSelection
from swarm.search.generational import GenerationalSearch
from swarm.search.loop import Loop

EVALUATIONS, FINALISTS = 100, 16
MEMORY = Path("/dev/shm")  # journals are synced to disk line by line, which takes longer than the trials


@dataclass(frozen=True)
class Delivered:
    """True values of what a search delivered.

    kept: whether somebody kept the floor for certain.
    first, delivered: the first objective, and the floored one.
    luckiest: the floored objective of the luckiest candidate.
    """

    kept: bool
    first: float
    delivered: float
    luckiest: float


@dataclass(frozen=True)
class Floored:
    """A problem whose second objective has a floor: half the way from the reference point to the highest value.

    best: the highest first objective that keeps it, of a long search.
    """

    problem: FrontProblem
    floor: float
    best: float

    @classmethod
    def of(cls, name: str) -> "Floored":
        problem = PROBLEMS[name]
        dense_NK = problem.truth(_dense(problem))
        floor = float((problem.reference_K[1] + dense_NK[:, 1].max()) / 2)
        return cls(problem, floor, float(dense_NK[dense_NK[:, 1] >= floor, 0].max()))

    def trial(self, seed: int) -> Delivered:
        with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
            return self._trial(Archive(Path(folder) / "journal.jsonl"), seed)

    def _trial(self, archive: Archive, seed: int) -> Delivered:
        archive.append(
            StartRecord(
                time="",
                version="",
                seed=seed,
                optimizer="",
                coordinates=(),
                base=Source(path="base", fingerprint="0"),
                experts={},
                items={},
            )
        )
        weights = {name: float(name == "o0") for name in self._names}
        goals = Goals(weights, floors={"o1": Floor(self.floor)}, error_ratio={"o1": 1.0})
        self._search(archive, goals, seed)
        baselines = Baselines.of(self.problem.space)
        self._complete(archive, baselines.all(), "search", seed)
        space, rule = self.problem.space, WeightedSum()
        selection = FrontSelection(archive, weights, baselines, space=space, goals=goals, rule=rule, nearest=True)
        finalists = selection.finalists(FINALISTS)
        self._complete(archive, [*finalists, *selection.contenders()], "select", seed)
        front = selection.front(finalists)
        assert front is not None, "everybody was scored"
        positions = [selection.winner(finalists).position, self._luckiest(archive).position]
        (delivered_K, luckiest_K) = self.problem.truth(np.array(positions))
        kept = bool(front.keeps_floors().any())
        return Delivered(kept, float(delivered_K[0]), float(delivered_K[1]), float(luckiest_K[1]))

    def _search(self, archive: Archive, goals: Goals, seed: int) -> None:
        def evaluate(feed: Feed) -> Iterator[Evaluation]:
            while feed:
                yield self._scored(feed.popleft().candidate, "search", seed)

        optimizer = GuidedPSO(evaluations=EVALUATIONS, patience=None, soft=False)
        space, weights = self.problem.space, goals.weights
        loop = Loop(optimizer, space, seed, weights, archive, evaluate, lambda e: None, FINALISTS, goals=goals)
        GenerationalSearch(loop).run()

    def _complete(self, archive: Archive, candidates: list[Candidate], split: Split, seed: int) -> None:
        """Score those that have no score on the split yet, as a run does."""
        for candidate in candidates:
            if archive.at(candidate.position, split) is None:
                archive.append_evaluation("select", self._scored(candidate, split, seed), split)

    def _scored(self, candidate: Candidate, split: Split, seed: int) -> Evaluation:
        rng = np.random.default_rng([seed, ("search", "select").index(split), abs(hash(candidate.position)) % 2**31])
        truth_K = self.problem.truth(np.array([candidate.position]))[0]
        right = {n: rng.uniform(size=ITEMS) < p for n, p in zip(self._names, truth_K, strict=True)}
        examples = {name: tuple(map(float, each)) for name, each in right.items()}
        return Evaluation(candidate, "ok", {name: float(each.mean()) for name, each in right.items()}, examples)

    def _luckiest(self, archive: Archive) -> Candidate:
        """The highest first objective of those whose search score keeps the floor; where none does, the nearest."""

        def luck(evaluation: Evaluation) -> tuple[bool, float]:
            kept = evaluation.scores["o1"] >= self.floor
            return kept, evaluation.scores["o0" if kept else "o1"]

        return max(archive.searched(), key=luck).candidate

    @property
    def _names(self) -> list[str]:
        return [f"o{k}" for k in range(self.problem.objectives)]


def _dense(problem: FrontProblem) -> Array:
    """Positions of a long search on the true values of the first two objectives. Shape ND."""
    rng = np.random.default_rng(0)
    x_ND, w_WK = problem.dense_start(400), directions(60, 2, rng)
    low_D, high_D = problem.space.low_D, problem.space.high_D
    for step in np.geomspace(0.3, 0.01, 60):
        gains_NK = problem.truth(x_ND)[:, :2] - problem.reference_K[:2]
        best_WD = x_ND[scalarised(gains_NK, w_WK).argmax(axis=0)]
        moved = np.repeat(best_WD, 6, axis=0) + rng.normal(0, step, (360, len(low_D))) * (high_D - low_D)
        x_ND = np.vstack([best_WD, np.clip(moved, low_D, high_D)])
    return x_ND

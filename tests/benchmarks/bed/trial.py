"""One trial: an optimizer on a problem with a seed, by the program's own search, selection and prediction.

Shape suffixes: D coordinates, P examples.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bed.problem import Problem, Sampled
from swarm.archive import Archive
from swarm.optimizers import Optimizer
from swarm.pool import Feed, Outcome
from swarm.search import Search
from swarm.selection import Baselines, Selection
from swarm.softening import softened
from swarm.types import Candidate, Evaluation

WEIGHTS = {"right": 1.0}
START: dict[str, Any] = {"seed": 0, "base": {"path": "", "fingerprint": ""}, "experts": {}, "versions": {}}
MEMORY = Path("/dev/shm")
COURSE = (20, 40, 60, 80, 100, 130, 160, 200)


@dataclass(frozen=True)
class Trial:
    """What a search delivered. Scores are true means, but for `search` and `select`, what the winner had there.

    luckiest: the true score of the best of the search split, which a script would deliver. foretold, low, high: the
    prediction of the winner's true score and its interval. scored: candidates of the search. examples: example
    evaluations, search and select. course:
    after so many evaluations, the true score of the best so far.
    """

    delivered: float
    luckiest: float
    search: float
    select: float
    foretold: float
    low: float
    high: float
    scored: int
    examples: int
    course: dict[int, float]
    position: tuple[float, ...]


class Scoring:
    """Scores tasks on a problem's samples, and counts examples."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self._scorers = {split: problem.scorer(seed, split) for split in ("search", "select")}
        self.examples = 0

    def __call__(self, feed: Feed, split: Sampled) -> Iterator[Outcome]:
        while feed:
            yield self.score(feed.popleft().candidate, split)

    def score(self, candidate: Candidate, split: Sampled) -> Evaluation:
        margins_P = self._scorers[split](np.array(candidate.position))
        right_P = (margins_P > 0).astype(float)
        self.examples += len(right_P)
        examples, soft = {"right": tuple(right_P.tolist())}, {"right": softened(margins_P.tolist())}
        return Evaluation(candidate, "ok", {"right": float(right_P.mean())}, examples, soft=soft)


def run_trial(problem: Problem, optimizer: Optimizer[Any], seed: int, finalists: int = 8) -> Trial:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        return _trial(Archive(Path(folder) / "journal.jsonl"), problem, optimizer, seed, finalists)


def _trial(archive: Archive, problem: Problem, optimizer: Optimizer[Any], seed: int, finalists: int) -> Trial:
    scoring = Scoring(problem, seed)
    archive.append("start", **START)
    Search(
        optimizer=optimizer,
        space=problem.space,
        seed=seed,
        weights=WEIGHTS,
        archive=archive,
        evaluate=lambda feed: scoring(feed, "search"),
        on_evaluation=lambda evaluation: None,
        finalists=finalists,
    ).run()
    baselines = Baselines.of(problem.space, problem.space.coordinates)
    selection = Selection(archive, WEIGHTS, baselines, optimizer.climbs_soft)
    chosen = selection.finalists(finalists)
    complete(archive, scoring, baselines.all(), "search")
    complete(archive, scoring, [*chosen, *selection.contenders()], "select")
    winner = selection.winner(chosen)
    foretold = selection.predicted(chosen, winner)["right"]
    return Trial(
        delivered=problem.truth(np.array(winner.position)),
        luckiest=problem.truth(np.array(chosen[0].position)),
        search=mean_of(archive, winner, "search"),
        select=mean_of(archive, winner, "select"),
        foretold=foretold.mean,
        low=foretold.low,
        high=foretold.high,
        scored=archive.evaluations,
        examples=scoring.examples,
        course=course(archive, problem),
        position=winner.position,
    )


def course(archive: Archive, problem: Problem) -> dict[int, float]:
    made = sorted(archive.searched(), key=lambda evaluation: evaluation.candidate.age)
    found = {}
    for count in COURSE:
        if count <= len(made):
            best = max(made[:count], key=lambda evaluation: evaluation.scores["right"])
            found[count] = problem.truth(np.array(best.candidate.position))
    return found


def complete(archive: Archive, scoring: Scoring, candidates: list[Candidate], split: Sampled) -> None:
    """Score on a split what is not known there, as a run does."""
    for candidate in candidates:
        if archive.at(candidate.position, split) is None:
            archive.append_evaluation("select", scoring.score(candidate, split), split)


def mean_of(archive: Archive, candidate: Candidate, split: Sampled) -> float:
    evaluation = archive.at(candidate.position, split)
    return evaluation.scores["right"] if evaluation else float("nan")

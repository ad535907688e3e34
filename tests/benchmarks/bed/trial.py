"""One trial: an optimizer on a problem with a seed, by the program's own search, selection and prediction.

Shape suffixes: D dimensions, P examples.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bed.problem import Problem, Sampled
from swarm.core.candidates import Candidate, Evaluation, Task
from swarm.core.outcomes import Feed, Outcome
from swarm.core.space import Array
from swarm.evaluation.racing import Race, Racing
from swarm.evaluation.smoothed_accuracy import smoothed
from swarm.journal.archive import Archive
from swarm.journal.records import Source, StartRecord
from swarm.objectives.base import SURROGATE_DIGITS
from swarm.optimizers import Optimizer
from swarm.search.baselines import Baselines
from swarm.search.generational import GenerationalSearch
from swarm.search.loop import Loop
from swarm.search.selection import Selection

WEIGHTS = {"right": 1.0}
START = StartRecord(
    time="",
    version="",
    seed=0,
    optimizer="",
    coordinates=(),
    base=Source(path="", fingerprint=""),
    experts={},
    items={},
)
FINALISTS = 8
UNRACED = Racing(rungs=())
MEMORY = Path("/dev/shm")
COURSE = (20, 40, 60, 80, 100, 130, 160, 200)


@dataclass(frozen=True)
class Trial:
    """The outcome of one search.

    delivered: the true score of the winner.
    luckiest: the true score of the best candidate on the search split, which a script without selection would deliver.
    search, select: the winner's scores on these splits.
    predicted, low, high: the prediction of the winner's true score, and its 95 % interval.
    scored: candidates of the search.
    searched: its example evaluations.
    examples: its example evaluations and those of selection.
    course: number of evaluations -> the true score of the best so far.
    position: the winner's coefficients.
    """

    delivered: float
    luckiest: float
    search: float
    select: float
    predicted: float
    low: float
    high: float
    scored: int
    searched: int
    examples: int
    course: dict[int, float]
    position: tuple[float, ...]


class Scoring:
    """Scores tasks on a problem's samples, rung by rung under racing, and counts example evaluations.

    margins: whether answers have them; without there are no smoothed scores.
    """

    def __init__(self, problem: Problem, seed: int, racing: Racing, margins: bool = True) -> None:
        self._margins = margins
        self._scorers = {split: problem.scorer(seed, split) for split in ("search", "select")}
        self.racing = racing
        self.examples = 0

    def __call__(self, feed: Feed, split: Sampled) -> Iterator[Outcome]:
        while feed:
            yield self.score(feed.popleft(), split)

    def score(self, task: Task, split: Sampled) -> Evaluation:
        margins_P = self._scorers[split](np.array(task.candidate.position))
        count = self._raced(task, margins_P)
        self.examples += count
        right_P = (margins_P[:count] > 0).astype(float)
        return Evaluation(
            task.candidate,
            "ok" if count == len(margins_P) else "stopped",
            {"right": float(right_P.mean())},
            {"right": tuple(right_P.tolist())},
            surrogates={"right": surrogates(margins_P[:count])} if self.racing.sequential else {},
            soft={"right": smoothed(margins_P[:count].tolist())} if self._margins else {},
        )

    def _raced(self, task: Task, margins_P: Array) -> int:
        """The number of examples that are scored until the race is decided."""
        race = Race(self.racing, task.pruning, {"right": len(margins_P)}, {"right": (0.0, 1.0)}, WEIGHTS)
        right_P, surrogate_P, count = (margins_P > 0).astype(float).tolist(), surrogates(margins_P), 0
        while count < len(margins_P):
            count = race.next_rung({"right": right_P[:count]})
            if race.over({"right": right_P[:count]}, {"right": surrogate_P[:count]}):
                break
        return count


def surrogates(margins_P: Array) -> tuple[float, ...]:
    return tuple(np.round(-np.logaddexp(0.0, -margins_P), SURROGATE_DIGITS).tolist())


def run_trial(
    problem: Problem, optimizer: Optimizer[Any], seed: int, racing: Racing = UNRACED, margins: bool = True
) -> Trial:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        scoring = Scoring(problem, seed, racing, margins)
        return _trial(Archive(Path(folder) / "journal.jsonl"), problem, optimizer, scoring, seed)


def search(archive: Archive, problem: Problem, optimizer: Optimizer[Any], scoring: Scoring, seed: int) -> None:
    """Into an empty archive."""
    archive.append(START)
    loop = Loop(
        optimizer=optimizer,
        space=problem.space,
        seed=seed,
        weights=WEIGHTS,
        archive=archive,
        evaluate=lambda feed: scoring(feed, "search"),
        on_evaluation=lambda evaluation: None,
        finalists=FINALISTS,
        sequential=scoring.racing.sequential,
    )
    GenerationalSearch(loop).run()


def _trial(archive: Archive, problem: Problem, optimizer: Optimizer[Any], scoring: Scoring, seed: int) -> Trial:
    search(archive, problem, optimizer, scoring, seed)
    searched = scoring.examples
    baselines = Baselines.of(problem.space)
    smoothed_in = problem.space if optimizer.takes_estimates else None
    selection = Selection(archive, WEIGHTS, baselines, optimizer.climbs_soft, pooled=True, smoothed_in=smoothed_in)
    chosen = selection.finalists(FINALISTS)
    complete(archive, scoring, baselines.all(), "search")
    complete(archive, scoring, [*chosen, *selection.contenders()], "select")
    winner = selection.winner(chosen)
    predicted = selection.predicted(chosen, winner)["right"]
    return Trial(
        delivered=problem.truth(np.array(winner.position)),
        luckiest=problem.truth(np.array(chosen[0].position)),
        search=mean_of(archive, winner, "search"),
        select=mean_of(archive, winner, "select"),
        predicted=predicted.mean,
        low=predicted.low,
        high=predicted.high,
        scored=archive.evaluations,
        searched=searched,
        examples=scoring.examples,
        course=course(archive, problem),
        position=winner.position,
    )


def course(archive: Archive, problem: Problem) -> dict[int, float]:
    made = sorted(archive.searched(), key=lambda evaluation: evaluation.candidate.age)
    found = {}
    for count in COURSE:
        if count <= len(made):
            whole = [evaluation for evaluation in made[:count] if evaluation.status == "ok"]
            best = max(whole, key=lambda evaluation: evaluation.scores["right"])
            found[count] = problem.truth(np.array(best.candidate.position))
    return found


def complete(archive: Archive, scoring: Scoring, candidates: list[Candidate], split: Sampled) -> None:
    """Score the candidates that have no score on the split yet, as a run does."""
    for candidate in candidates:
        if archive.at(candidate.position, split) is None:
            archive.append_evaluation("select", scoring.score(Task(candidate), split), split)


def mean_of(archive: Archive, candidate: Candidate, split: Sampled) -> float:
    evaluation = archive.at(candidate.position, split)
    return evaluation.scores["right"] if evaluation else float("nan")

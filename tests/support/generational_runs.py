"""Searches by generations of points, without models."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from support.runs import journal, timeless
from support.searches import loop, scored
from swarm.core.candidates import Candidate
from swarm.core.outcomes import Feed, Outcome
from swarm.optimizers import Optimizer
from swarm.search.generational import GenerationalSearch
from swarm.search.loop import Evaluate


class Scorer:
    """Scores candidates and records them. outcome: what to answer instead of a score; None: the score."""

    def __init__(self, outcome: Callable[[Candidate], list[Outcome] | None] = lambda candidate: None) -> None:
        self.seen: list[Candidate] = []
        self._outcome = outcome

    def __call__(self, tasks: Feed) -> Iterator[Outcome]:
        while tasks:
            task = tasks.popleft()
            self.seen.append(task.candidate)
            yield from self._outcome(task.candidate) or [scored(task.candidate)]


def run(folder: Path, optimizer: Optimizer[Any], evaluate: Evaluate | None = None, seed: int = 0) -> str:
    return GenerationalSearch(loop(folder, optimizer, evaluate or Scorer(), seed)).run()


def evaluations(folder: Path) -> list[dict[str, Any]]:
    return [line for line in timeless(journal(folder)) if line["kind"] == "evaluation"]


def fresh(folder: Path) -> list[dict[str, Any]]:
    return [line for line in evaluations(folder) if "same_as" not in line]

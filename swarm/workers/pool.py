"""Pools: candidates go in, evaluations and failures come out, in any order."""

from collections.abc import Iterator
from typing import Protocol

from swarm.core.examples import Split
from swarm.core.outcomes import Feed, Outcome, take_bundle
from swarm.evaluation.evaluator import EvaluatorSpec
from swarm.evaluation.workload import Workload


class Pool(Protocol):
    """Workers that hold the base and the experts, and score the candidates of a feed."""

    @property
    def workers(self) -> int:
        """The number of candidates, or bundles of them, that are scored at the same time now."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of how the workers' engines run the base; the same for all workers of a kind."""

    def load(self, split: Split, workload: Workload) -> None:
        """Give the examples of a split to every worker."""

    def run(self, feed: Feed) -> Iterator[Outcome]:
        """Yield exactly one Evaluation per candidate, and a Failure per failed attempt before it.

        Tasks are taken out of the feed, and more may be added between two outcomes. The iterator ends when none is
        left; closing it cancels the rest, except that a background task that is being scored goes on: the next run
        takes it over where its feed has the same candidate and split.
        """

    def close(self) -> None:
        """End the workers."""


class LocalPool:
    """One evaluator in this process."""

    workers = 1

    def __init__(self, spec: EvaluatorSpec) -> None:
        self._evaluator = spec.open("local")

    @property
    def notes(self) -> tuple[str, ...]:
        return self._evaluator.notes

    def load(self, split: Split, workload: Workload) -> None:
        self._evaluator.load(split, workload)

    def run(self, feed: Feed) -> Iterator[Outcome]:
        while feed:
            yield from self._evaluator.evaluate(take_bundle(feed, len(feed)))

    def close(self) -> None:
        del self._evaluator

"""Pools: what candidates are handed to, and where evaluations and failures come out, in any order."""

from collections.abc import Iterator
from typing import Protocol

from swarm.core.examples import Split
from swarm.core.outcomes import Feed, Outcome, take
from swarm.evaluation.evaluator import EvaluatorSpec
from swarm.evaluation.workload import Workload


class Pool(Protocol):
    """Workers that hold base and experts; candidates go in, outcomes come out as they finish."""

    @property
    def workers(self) -> int:
        """How many candidates, or bundles of them, are scored at a time now."""

    def load(self, split: Split, workload: Workload) -> None:
        """Give every worker the examples of a split."""

    def run(self, feed: Feed, split: Split) -> Iterator[Outcome]:
        """Exactly one Evaluation for every candidate, Failures between them. Closing the iterator cancels the rest.

        Candidates are taken out of the feed; more may be put in between two outcomes. It ends when none is left.
        """

    def close(self) -> None:
        """Let the workers go."""


class LocalPool:
    """One evaluator in this process."""

    workers = 1

    def __init__(self, spec: EvaluatorSpec) -> None:
        self._evaluator = spec.open("local")
        self._together: dict[Split, int] = {}

    def load(self, split: Split, workload: Workload) -> None:
        self._together[split] = workload.together
        self._evaluator.load(split, workload)

    def run(self, feed: Feed, split: Split) -> Iterator[Outcome]:
        while bundle := take(feed, self._together[split]):
            yield from self._evaluator.evaluate(bundle, split)

    def close(self) -> None:
        del self._evaluator

"""How a search stands, counted as its evaluations come in: the ten-thousandth costs what the first did."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from swarm.core.candidates import Candidate, Evaluation
from swarm.optimizers.base import Optimizer
from swarm.preferences.weighted_sum import utility

RECENT_SECONDS = 60.0
RECENT_EVALUATIONS = 50


@dataclass(frozen=True)
class Status:
    """Where a search is. None: not known yet.

    best, best_id: the highest utility scored in full, and whose it is. mean: of every particle's latest utility, so of
    the latest generation once all of it is scored, and of the swarm as it is where particles move at their own pace.
    evaluations: positions paid for, `most` at most. evaluations_per_minute, tokens_per_second: over the last minute,
    or the last 50 evaluations (two a worker) where these took longer. busy: the share of the workers' time in this
    session that evaluations took, from 0 to 1. failures: attempts and candidates. seconds_left: at most, at this pace.
    """

    best: float | None
    best_id: str
    mean: float | None
    iteration: int
    evaluations: int
    most: int
    evaluations_per_minute: float | None
    tokens: int
    tokens_per_second: float | None
    workers: int
    busy: float | None
    failures: int
    seconds_left: float | None


@dataclass(frozen=True)
class Budget:
    """What a session may spend: evaluations of the whole search, and seconds from here on."""

    evaluations: int
    seconds: float = math.inf

    @classmethod
    def of(cls, optimizer: Optimizer[Any], worked: float = 0.0) -> "Budget":
        """worked: seconds that the search has taken in earlier sessions."""
        most = optimizer.iterations * optimizer.population
        return cls(
            evaluations=most if optimizer.evaluations is None else min(most, optimizer.evaluations),
            seconds=math.inf if optimizer.minutes is None else max(0.0, 60.0 * optimizer.minutes - worked),
        )


@dataclass(frozen=True)
class Counts:
    """What others count: the archive evaluations and failures, the pool its workers at this moment."""

    evaluations: int
    failures: int
    workers: int


@dataclass(frozen=True)
class Mark:
    """What had been counted at a moment."""

    time: float
    evaluations: int
    tokens: int


class StatusCounter:
    """Takes evaluations in, one at a time; a session's clock starts when it is made.

    known: what earlier sessions scored. evaluations: how many of them were paid for.
    """

    def __init__(
        self,
        weights: Mapping[str, float],
        budget: Budget,
        known: Iterable[Evaluation] = (),
        evaluations: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._weights = weights
        self._budget = budget
        self._clock = clock
        self._best: tuple[float, Candidate] | None = None
        self._latest: dict[int, float] = {}
        self._iteration = 0
        self._tokens = 0
        self._sum = 0.0
        for evaluation in known:
            self._count(evaluation)
        self._began = clock()
        self._before = evaluations
        self._busy_seconds = self._worker_seconds = 0.0
        self._marks = deque([Mark(self._began, evaluations, self._tokens)])

    def take(self, evaluation: Evaluation, counts: Counts) -> Status:
        """How the search stands with this evaluation."""
        self._count(evaluation)
        now = self._clock()
        self._worker_seconds += (now - self._marks[-1].time) * counts.workers
        self._busy_seconds += evaluation.seconds
        self._mark(Mark(now, counts.evaluations, self._tokens), counts.workers)
        return self._standing(counts)

    def workers(self, now: int) -> float:
        """How many workers there were on average in this session; `now` where nothing was scored in it."""
        seconds = self._marks[-1].time - self._began
        return self._worker_seconds / seconds if seconds > 0 else float(now)

    def _count(self, evaluation: Evaluation) -> None:
        candidate = evaluation.candidate
        self._tokens += evaluation.tokens
        self._iteration = max(self._iteration, candidate.iteration or 0)
        self._sum -= self._latest.pop(candidate.particle or 0, 0.0)
        if evaluation.status == "failed":
            return
        value = utility(evaluation.scores, self._weights)
        self._latest[candidate.particle or 0] = value
        self._sum += value
        if evaluation.status == "ok" and _beats(value, candidate, self._best):
            self._best = value, candidate

    def _mark(self, mark: Mark, workers: int) -> None:
        self._marks.append(mark)
        enough = max(RECENT_EVALUATIONS, 2 * workers)
        while len(self._marks) > enough + 1 and self._marks[1].time < mark.time - RECENT_SECONDS:
            self._marks.popleft()

    def _standing(self, counts: Counts) -> Status:
        first, last = self._marks[0], self._marks[-1]
        seconds = last.time - first.time
        known = counts.evaluations - self._before > 1 and seconds > 0
        pace = (last.evaluations - first.evaluations) / seconds if known else None
        return Status(
            best=self._best[0] if self._best else None,
            best_id=self._best[1].id if self._best else "",
            mean=self._sum / len(self._latest) if self._latest else None,
            iteration=self._iteration,
            evaluations=counts.evaluations,
            most=self._budget.evaluations,
            evaluations_per_minute=None if pace is None else 60.0 * pace,
            tokens=self._tokens,
            tokens_per_second=(last.tokens - first.tokens) / seconds if known else None,
            workers=counts.workers,
            busy=min(1.0, self._busy_seconds / self._worker_seconds) if self._worker_seconds > 0 else None,
            failures=counts.failures,
            seconds_left=self._left(counts.evaluations, pace),
        )

    def _left(self, evaluations: int, pace: float | None) -> float | None:
        """By whichever budget is spent first."""
        in_time = self._budget.seconds - (self._marks[-1].time - self._began)
        in_evaluations = max(0, self._budget.evaluations - evaluations) / pace if pace else math.inf
        left = max(0.0, min(in_time, in_evaluations))
        return left if math.isfinite(left) else None


def _beats(value: float, candidate: Candidate, best: tuple[float, Candidate] | None) -> bool:
    """Of equals the earlier candidate is better, whichever came in first: that depends on the workers."""
    return best is None or value > best[0] or (value == best[0] and candidate.age < best[1].age)

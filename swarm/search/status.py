"""The status of a search, counted as its evaluations come in, at the same cost for each."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from swarm.core.candidates import Candidate, Evaluation
from swarm.core.space import Space
from swarm.optimizers.base import Optimizer
from swarm.preferences.weighted_sum import utility

# Rates are over the larger of two windows: a minute shows at once that workers came or went, and where evaluations
# take long, fifty of them (two per worker, with more workers) keep a rate from jumping with every evaluation.
RECENT_SECONDS = 60.0
RECENT_EVALUATIONS = 50


@dataclass(frozen=True)
class Status:
    """Where a search is. None: not known yet.

    best: the highest utility scored in full.
    best_id: the candidate that has it.
    mean: the mean of every particle's latest utility. Once all of a generation is scored it is that generation's;
        where particles move at their own pace it is the swarm's as it is.
    iteration: the latest one with an evaluation.
    evaluations: positions paid for so far.
    most: evaluations that the budgets allow at most.
    evaluations_per_minute: over the last minute, or the last 50 evaluations (two per worker) where these took longer.
    tokens: token positions computed so far.
    tokens_per_second: over the same window as evaluations_per_minute.
    workers: how many there are now.
    busy: utilisation, the share of the workers' time in this session that evaluations took, from 0 to 1.
    failures: failed attempts and failed candidates.
    seconds_left: time left, at most, at the present rate.
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
    """What a search may still spend.

    evaluations: of the whole search, at most.
    seconds: of this session, at most.
    """

    evaluations: int
    seconds: float = math.inf

    @classmethod
    def of(cls, optimizer: Optimizer[Any], space: Space, seed: int, worked: float = 0.0) -> "Budget":
        """The optimizer's budgets in a space. worked: seconds that the search has taken in earlier sessions.

        Raises ConfigError where its settings do not fit the space.
        """
        most = optimizer.most_positions(space, seed)
        return cls(
            evaluations=most if optimizer.evaluations is None else min(most, optimizer.evaluations),
            seconds=math.inf if optimizer.minutes is None else max(0.0, 60.0 * optimizer.minutes - worked),
        )


@dataclass(frozen=True)
class Counts:
    """What is counted elsewhere.

    evaluations: positions paid for, by the archive.
    failures: failed attempts and failed candidates, by the archive.
    workers: how many there are at this moment, by the pool.
    """

    evaluations: int
    failures: int
    workers: int


@dataclass(frozen=True)
class Snapshot:
    """What had been counted at a moment. time: in seconds of the counter's clock."""

    time: float
    evaluations: int
    tokens: int


class StatusCounter:
    """Counts evaluations, one at a time. The session's clock starts when the counter is made."""

    def __init__(
        self,
        weights: Mapping[str, float],
        budget: Budget,
        known: Iterable[Evaluation] = (),
        evaluations: int = 0,
        remembered: Iterable[Evaluation] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """known: the evaluations of earlier sessions. evaluations: how many positions were paid for in them.
        remembered: the evaluations of the search that this one continues, one of which may be the best.
        """
        self._weights = weights
        self._budget = budget
        self._clock = clock
        self._best: tuple[float, Candidate] | None = None
        self._latest: dict[int, float] = {}
        self._reached: dict[int, int] = {}
        self._iteration = 0
        self._tokens = 0
        self._sum = 0.0
        for evaluation in remembered:
            self._rank(evaluation)
        for evaluation in known:
            self._count(evaluation)
        self._began = clock()
        self._before = evaluations
        self._busy_seconds = self._worker_seconds = 0.0
        self._snapshots = deque([Snapshot(self._began, evaluations, self._tokens)])

    def take(self, evaluation: Evaluation, counts: Counts) -> Status:
        """The status of the search with this evaluation."""
        self._count(evaluation)
        now = self._clock()
        self._worker_seconds += (now - self._snapshots[-1].time) * counts.workers
        self._busy_seconds += evaluation.seconds
        self._keep(Snapshot(now, counts.evaluations, self._tokens), counts.workers)
        return self._status(counts)

    def workers(self, now: int) -> float:
        """The mean number of workers in this session; `now` where nothing was scored in it."""
        seconds = self._snapshots[-1].time - self._began
        return self._worker_seconds / seconds if seconds > 0 else float(now)

    def _count(self, evaluation: Evaluation) -> None:
        candidate = evaluation.candidate
        self._tokens += evaluation.tokens
        self._iteration = max(self._iteration, candidate.iteration or 0)
        self._rank(evaluation)
        particle, iteration = candidate.particle or 0, candidate.iteration or 0
        if iteration < self._reached.get(particle, 0):
            return  # where generations overlap, the particle's next score may come first
        self._reached[particle] = iteration
        self._sum -= self._latest.pop(particle, 0.0)
        if evaluation.status != "failed":
            value = utility(evaluation.scores, self._weights)
            self._latest[particle] = value
            self._sum += value

    def _rank(self, evaluation: Evaluation) -> None:
        if evaluation.status != "ok":
            return
        value, candidate = utility(evaluation.scores, self._weights), evaluation.candidate
        if _beats(value, candidate, self._best):
            self._best = value, candidate

    def _keep(self, snapshot: Snapshot, workers: int) -> None:
        self._snapshots.append(snapshot)
        enough = max(RECENT_EVALUATIONS, 2 * workers)
        while len(self._snapshots) > enough + 1 and self._snapshots[1].time < snapshot.time - RECENT_SECONDS:
            self._snapshots.popleft()

    def _status(self, counts: Counts) -> Status:
        first, last = self._snapshots[0], self._snapshots[-1]
        seconds = last.time - first.time
        known = counts.evaluations - self._before > 1 and seconds > 0
        per_second = (last.evaluations - first.evaluations) / seconds if known else None
        return Status(
            best=self._best[0] if self._best else None,
            best_id=self._best[1].id if self._best else "",
            mean=self._sum / len(self._latest) if self._latest else None,
            iteration=self._iteration,
            evaluations=counts.evaluations,
            most=self._budget.evaluations,
            evaluations_per_minute=None if per_second is None else 60.0 * per_second,
            tokens=self._tokens,
            tokens_per_second=(last.tokens - first.tokens) / seconds if known else None,
            workers=counts.workers,
            busy=min(1.0, self._busy_seconds / self._worker_seconds) if self._worker_seconds > 0 else None,
            failures=counts.failures,
            seconds_left=self._seconds_left(counts.evaluations, per_second),
        )

    def _seconds_left(self, evaluations: int, per_second: float | None) -> float | None:
        """Until the first of the budgets is spent."""
        in_time = self._budget.seconds - (self._snapshots[-1].time - self._began)
        in_evaluations = max(0, self._budget.evaluations - evaluations) / per_second if per_second else math.inf
        left = max(0.0, min(in_time, in_evaluations))
        return left if math.isfinite(left) else None


def _beats(value: float, candidate: Candidate, best: tuple[float, Candidate] | None) -> bool:
    """Of equals the earlier candidate is better: which one was scored first depends on the workers."""
    return best is None or value > best[0] or (value == best[0] and candidate.age < best[1].age)

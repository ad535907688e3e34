"""Tickets at workers: each worker's first one runs, the others wait behind it.

No question takes longer where there are more workers.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from swarm.core.candidates import Task
from swarm.workers.scheduling.deadlines import Deadlines


@dataclass(eq=False)
class Bundle:
    """A bundle of candidates that is still open.

    losses: attempts that it has cost. live: its tickets. alone: whether it gets a worker with nothing else on it.
    shunned: workers that it failed at.
    """

    tasks: Sequence[Task]
    alone: bool = False
    losses: int = 0
    shunned: set[str] = field(default_factory=set)
    live: set[int] = field(default_factory=set)
    done: bool = False


@dataclass(eq=False)
class Attempt:
    """One attempt. began: when it became its worker's first, None while it waits behind another."""

    number: int
    bundle: Bundle
    worker: str
    limits: Deadlines
    began: float | None = None

    def running_for(self, now: float) -> float:
        """Seconds since it began; 0 where it has not."""
        return 0.0 if self.began is None else now - self.began


class Queues:
    """The workers and their tickets. room: how many may lie at a worker together."""

    def __init__(self, room: int) -> None:
        self.attempts: dict[int, Attempt] = {}
        self._of: dict[str, deque[Attempt]] = {}
        self._by_length: list[dict[str, None]] = [{} for _ in range(room)]  # workers that have room
        self._running: dict[int, Attempt] = {}
        self._waiting: dict[int, Attempt] = {}

    def open(self, worker: str) -> None:
        self._of[worker] = deque()
        self._by_length[0][worker] = None

    def close(self, worker: str) -> None:
        """A worker without tickets is no more."""
        if self._of.pop(worker, None) is not None:
            self._by_length[0].pop(worker)

    def of(self, worker: str) -> list[Attempt]:
        return list(self._of.get(worker, ()))

    def free(self, bundle: Bundle | None = None) -> str | None:
        """A worker that has nothing to do; for a job, one that it did not fail at."""
        return next(self._fit(self._by_length[0], bundle), None)

    def shortest(self, bundle: Bundle | None = None) -> str | None:
        """A worker with the fewest tickets of those that have room; for a job, one that it did not fail at."""
        return next((worker for workers in self._by_length for worker in self._fit(workers, bundle)), None)

    def _fit(self, workers: Iterable[str], bundle: Bundle | None) -> Iterator[str]:
        """Those that the job does not shun; all, where it shuns everybody there is."""
        if bundle is None or not bundle.shunned or bundle.shunned >= self._of.keys():
            return iter(workers)
        return (worker for worker in workers if worker not in bundle.shunned)

    def running(self) -> Iterator[Attempt]:
        """In the order in which they began."""
        return iter(self._running.values())

    def last_waiting(self) -> Attempt | None:
        """What was put behind another one last."""
        return next(reversed(self._waiting.values()), None)

    def add(self, attempt: Attempt, now: float) -> None:
        self.attempts[attempt.number] = attempt
        attempt.bundle.live.add(attempt.number)
        queue = self._of[attempt.worker]
        queue.append(attempt)
        self._sort_in(attempt.worker)
        if len(queue) == 1:
            self._begin(attempt, now)
        else:
            self._waiting[attempt.number] = attempt

    def remove(self, attempt: Attempt, now: float) -> None:
        """Take a ticket from its worker; the one behind it begins."""
        for attempts in (self.attempts, self._running, self._waiting):
            attempts.pop(attempt.number, None)
        attempt.bundle.live.discard(attempt.number)
        queue = self._of[attempt.worker]
        queue.remove(attempt)
        self._sort_in(attempt.worker)
        if queue and queue[0].began is None:
            self._begin(queue[0], now)

    def _begin(self, attempt: Attempt, now: float) -> None:
        attempt.began = now
        self._waiting.pop(attempt.number, None)
        self._running[attempt.number] = attempt

    def _sort_in(self, worker: str) -> None:
        for workers in self._by_length:
            workers.pop(worker, None)
        queue = self._of[worker]
        if len(queue) < len(self._by_length) and not any(attempt.bundle.alone for attempt in queue):
            self._by_length[len(queue)][worker] = None

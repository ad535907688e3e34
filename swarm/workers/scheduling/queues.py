"""The attempts at each worker: the first one runs, the others wait behind it.

No query takes longer with more workers.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from swarm.core.candidates import Task
from swarm.core.examples import Split
from swarm.workers.scheduling.deadlines import Deadlines


@dataclass(eq=False)
class Bundle:
    """Candidates that are scored together.

    tasks: the candidates.
    alone: whether it needs a worker with nothing else in its queue.
    failed_attempts: the attempts charged to it so far.
    failed_at: the workers that it failed at.
    live: the ids of its attempts that are running or waiting.
    done: whether its evaluations are in, or nobody wants them any more.
    """

    tasks: Sequence[Task]
    alone: bool = False
    failed_attempts: int = 0
    failed_at: set[str] = field(default_factory=set)
    live: set[int] = field(default_factory=set)
    done: bool = False

    @property
    def full(self) -> int:
        """How many candidates a full bundle of its kind has."""
        return max(len(self.tasks), self.tasks[0].together)

    @property
    def split(self) -> Split:
        """The split of its tasks: they have one."""
        return self.tasks[0].split

    @property
    def background(self) -> bool:
        """Whether its tasks are scored only by workers that have nothing else to do."""
        return self.tasks[0].background


@dataclass(eq=False)
class Attempt:
    """One try at scoring a bundle at one worker.

    deadlines: the time limits of its split.
    began: when it became the first in its worker's queue; None while it waits behind another.
    """

    attempt_id: int
    bundle: Bundle
    worker: str
    deadlines: Deadlines
    began: float | None = None

    def running_for(self, now: float) -> float:
        """Seconds since it began; 0 if it has not."""
        return 0.0 if self.began is None else now - self.began


class Queues:
    """The workers and their queues. depth: the most attempts in one queue."""

    def __init__(self, depth: int) -> None:
        self.attempts: dict[int, Attempt] = {}
        self._at: dict[str, deque[Attempt]] = {}
        self._by_length: list[dict[str, None]] = [{} for _ in range(depth)]  # the workers with room in their queues
        self._running: dict[int, Attempt] = {}
        self._waiting: dict[int, Attempt] = {}

    def open(self, worker: str) -> None:
        self._at[worker] = deque()
        self._by_length[0][worker] = None

    def close(self, worker: str) -> None:
        """Remove a worker. Its queue must be empty."""
        if self._at.pop(worker, None) is not None:
            self._by_length[0].pop(worker)

    @property
    def workers(self) -> int:
        return len(self._at)

    def candidates(self, worker: str) -> int:
        """How many candidates are in a worker's queue."""
        return sum(len(attempt.bundle.tasks) for attempt in self._at[worker])

    def at(self, worker: str) -> list[Attempt]:
        return list(self._at.get(worker, ()))

    def free(self, bundle: Bundle | None = None) -> str | None:
        """A worker with an empty queue; for a bundle, one that it did not fail at."""
        return next(self._suitable(self._by_length[0], bundle), None)

    def shortest(self, bundle: Bundle | None = None) -> str | None:
        """A worker with the shortest queue that has room; for a bundle, one that it did not fail at."""
        return next((worker for workers in self._by_length for worker in self._suitable(workers, bundle)), None)

    def _suitable(self, workers: Iterable[str], bundle: Bundle | None) -> Iterator[str]:
        """The workers that the bundle did not fail at; all of them if it failed at every one."""
        if bundle is None or not bundle.failed_at or bundle.failed_at >= self._at.keys():
            return iter(workers)
        return (worker for worker in workers if worker not in bundle.failed_at)

    def running(self) -> Iterator[Attempt]:
        """In the order in which they began."""
        return iter(self._running.values())

    def last_waiting(self) -> Attempt | None:
        """The attempt that was queued behind another one last."""
        return next(reversed(self._waiting.values()), None)

    def add(self, attempt: Attempt, now: float) -> None:
        self.attempts[attempt.attempt_id] = attempt
        attempt.bundle.live.add(attempt.attempt_id)
        queue = self._at[attempt.worker]
        queue.append(attempt)
        self._sort_in(attempt.worker)
        if len(queue) == 1:
            self._begin(attempt, now)
        else:
            self._waiting[attempt.attempt_id] = attempt

    def remove(self, attempt: Attempt, now: float) -> None:
        """Take an attempt out of its worker's queue; the one behind it begins."""
        for attempts in (self.attempts, self._running, self._waiting):
            attempts.pop(attempt.attempt_id, None)
        attempt.bundle.live.discard(attempt.attempt_id)
        queue = self._at[attempt.worker]
        queue.remove(attempt)
        self._sort_in(attempt.worker)
        if queue and queue[0].began is None:
            self._begin(queue[0], now)

    def _begin(self, attempt: Attempt, now: float) -> None:
        attempt.began = now
        self._waiting.pop(attempt.attempt_id, None)
        self._running[attempt.attempt_id] = attempt

    def _sort_in(self, worker: str) -> None:
        """List the worker by the length of its queue, or nowhere if it takes no more."""
        for workers in self._by_length:
            workers.pop(worker, None)
        queue = self._at[worker]
        if len(queue) < len(self._by_length) and not any(attempt.bundle.alone for attempt in queue):
            self._by_length[len(queue)][worker] = None

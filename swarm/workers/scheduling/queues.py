"""Tickets at workers: each worker's first one runs, the others wait behind it.

No question takes longer where there are more workers.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from swarm.core.candidates import Task
from swarm.workers.scheduling.deadlines import Limits


@dataclass(eq=False)
class Job:
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
class Ticket:
    """One attempt. began: when it became its worker's first, None while it waits behind another."""

    number: int
    job: Job
    worker: str
    limits: Limits
    began: float | None = None

    def running_for(self, now: float) -> float:
        """Seconds since it began; 0 where it has not."""
        return 0.0 if self.began is None else now - self.began


class Queues:
    """The workers and their tickets. room: how many may lie at a worker together."""

    def __init__(self, room: int) -> None:
        self.tickets: dict[int, Ticket] = {}
        self._of: dict[str, deque[Ticket]] = {}
        self._by_length: list[dict[str, None]] = [{} for _ in range(room)]  # workers that have room
        self._running: dict[int, Ticket] = {}
        self._waiting: dict[int, Ticket] = {}

    def open(self, worker: str) -> None:
        self._of[worker] = deque()
        self._by_length[0][worker] = None

    def close(self, worker: str) -> None:
        """A worker without tickets is no more."""
        if self._of.pop(worker, None) is not None:
            self._by_length[0].pop(worker)

    def of(self, worker: str) -> list[Ticket]:
        return list(self._of.get(worker, ()))

    def free(self, job: Job | None = None) -> str | None:
        """A worker that has nothing to do; for a job, one that it did not fail at."""
        return next(self._fit(self._by_length[0], job), None)

    def shortest(self, job: Job | None = None) -> str | None:
        """A worker with the fewest tickets of those that have room; for a job, one that it did not fail at."""
        return next((worker for workers in self._by_length for worker in self._fit(workers, job)), None)

    def _fit(self, workers: Iterable[str], job: Job | None) -> Iterator[str]:
        """Those that the job does not shun; all, where it shuns everybody there is."""
        if job is None or not job.shunned or job.shunned >= self._of.keys():
            return iter(workers)
        return (worker for worker in workers if worker not in job.shunned)

    def running(self) -> Iterator[Ticket]:
        """In the order in which they began."""
        return iter(self._running.values())

    def last_waiting(self) -> Ticket | None:
        """What was put behind another one last."""
        return next(reversed(self._waiting.values()), None)

    def add(self, ticket: Ticket, now: float) -> None:
        self.tickets[ticket.number] = ticket
        ticket.job.live.add(ticket.number)
        queue = self._of[ticket.worker]
        queue.append(ticket)
        self._sort_in(ticket.worker)
        if len(queue) == 1:
            self._begin(ticket, now)
        else:
            self._waiting[ticket.number] = ticket

    def remove(self, ticket: Ticket, now: float) -> None:
        """Take a ticket from its worker; the one behind it begins."""
        for tickets in (self.tickets, self._running, self._waiting):
            tickets.pop(ticket.number, None)
        ticket.job.live.discard(ticket.number)
        queue = self._of[ticket.worker]
        queue.remove(ticket)
        self._sort_in(ticket.worker)
        if queue and queue[0].began is None:
            self._begin(queue[0], now)

    def _begin(self, ticket: Ticket, now: float) -> None:
        ticket.began = now
        self._waiting.pop(ticket.number, None)
        self._running[ticket.number] = ticket

    def _sort_in(self, worker: str) -> None:
        for workers in self._by_length:
            workers.pop(worker, None)
        queue = self._of[worker]
        if len(queue) < len(self._by_length) and not any(ticket.job.alone for ticket in queue):
            self._by_length[len(queue)][worker] = None

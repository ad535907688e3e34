"""Which candidates go to which worker. Pure: it is told what happened and when, and gives orders.

Each worker has one bundle running and a few waiting behind it, so that it never waits for the coordinator. A bundle
that is lost goes first again. When nothing is waiting, a free worker takes over what waits behind another one, then
runs what takes a worker unusually long a second time; the first answer counts, later ones are nobody's.

A worker that dies leaves open which of its bundles was to blame: an answer may have been lost with it. So where there
were several, none is charged and each is tried again alone at a worker. A bundle that was alone and costs workers their
lives is tried `attempts` times as it is, then candidate by candidate: what candidates score does not depend on
somebody's bad luck, and poison is found.
"""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from swarm.core.candidates import Evaluation, Task
from swarm.core.examples import Split
from swarm.core.outcomes import Failure, Feed, Outcome, take
from swarm.workers.scheduling.deadlines import Limits
from swarm.workers.scheduling.events import Cause
from swarm.workers.scheduling.queues import Job, Queues, Ticket
from swarm.workers.settings import RayCluster

STRIKES = 3  # candidates that failed at a worker and not at the next one: the worker is to blame


@dataclass(frozen=True)
class Send:
    """Have the worker score the tasks, after what it has."""

    worker: str
    ticket: int
    tasks: Sequence[Task]


@dataclass(frozen=True)
class Drop:
    """The ticket's answer is wanted no more."""

    worker: str
    ticket: int


Order = Send | Drop


class Dispatcher:
    """Candidates waiting, on their way, and what comes of them: exactly one Evaluation each, Failures between."""

    def __init__(self, settings: RayCluster) -> None:
        self._settings = settings
        self._limits: dict[Split, Limits] = {}
        self._split: Split = "search"
        self._size = 1
        self._fresh: Feed = deque()
        self._again: deque[Job] = deque()
        self._queues = Queues(settings.prefetch + 1)
        self._dropped: list[Order] = []
        self._strikes: Counter[str] = Counter()
        self._issued = 0
        self._open = 0

    @property
    def open(self) -> int:
        """Candidates without an Evaluation."""
        return self._open

    def expect(self, split: Split, examples: int, together: int) -> None:
        """Candidates from now on are scored on so many examples of a split, so many candidates at a time."""
        assert not self._open, "what belongs to one split comes before the next"
        self._split, self._size = split, together
        self._limits.setdefault(split, Limits(self._settings, examples, together))

    def submit(self, tasks: Sequence[Task]) -> None:
        self._fresh.extend(tasks)
        self._open += len(tasks)

    def abandon(self) -> Iterator[Order]:
        """Forget all candidates. What runs keeps its worker: the next bundle is not to be blamed for it."""
        self._fresh.clear()
        self._again.clear()
        self._open = 0
        for ticket in list(self._queues.tickets.values()):
            ticket.job.done = True
            if ticket.began is None:
                self._queues.remove(ticket, now=0.0)
                yield Drop(ticket.worker, ticket.number)

    # What happened

    def joined(self, worker: str) -> None:
        self._queues.open(worker)

    def answered(self, number: int, evaluations: Sequence[Evaluation], now: float) -> Sequence[Outcome]:
        """The outcomes of a ticket's bundle; none where another ticket was first, or the bundle was forgotten."""
        ticket = self._queues.tickets.get(number)
        if ticket is None:
            return []
        self._queues.remove(ticket, now)
        if ticket.job.done:
            return []
        ticket.limits.learn(ticket.running_for(now), evaluations)
        return self._settle(ticket, evaluations)

    def broken(self, number: int, reason: str, now: float) -> Sequence[Outcome]:
        """An attempt that failed though its worker lives."""
        ticket = self._queues.tickets.get(number)
        if ticket is None:
            return []
        self._queues.remove(ticket, now)
        return self._failed(ticket, reason, charged=True)

    def lost(self, worker: str, reason: str, cause: Cause, now: float) -> Sequence[Outcome]:
        """A worker is gone, and what it had is to be scored elsewhere."""
        queue = self._queues.of(worker)
        for ticket in queue:
            ticket.job.alone = ticket.job.alone or (cause == "scoring" and len(queue) > 1)
            self._queues.remove(ticket, now)
        self._queues.close(worker)
        self._strikes.pop(worker, None)
        outcomes: list[Outcome] = []
        for ticket in reversed(queue):
            first = ticket is queue[0]
            charged = first and (cause == "hanging" or (cause == "scoring" and len(queue) == 1))
            outcomes.extend(self._failed(ticket, reason, charged, told=first and cause != "idle"))
        return outcomes

    def overdue(self, now: float) -> list[tuple[str, str]]:
        """Workers that have been silent for too long, each with the reason in words."""
        found = []
        for ticket in self._queues.running():
            deadline = ticket.limits.deadline(len(ticket.job.tasks))
            if ticket.running_for(now) > deadline.seconds:
                found.append((ticket.worker, f"no answer within {ticket.running_for(now):.0f} s ({deadline.key})"))
        return found

    def sick(self) -> list[tuple[str, str]]:
        """Workers at which candidates failed that others could score, each with the reason in words."""
        found = [worker for worker, strikes in self._strikes.items() if strikes >= STRIKES]
        return [(worker, f"{self._strikes.pop(worker)} candidates failed there alone") for worker in found]

    # What to do about it

    def orders(self, now: float) -> Iterator[Order]:
        """What is dropped, and new bundles for workers with room."""
        while self._dropped:
            yield self._dropped.pop()
        while (self._again or self._fresh) and (worker := self._worker()):
            yield self._send(self._next_job(), worker, now)

    def moves(self, now: float) -> Iterator[Order]:
        """What free workers take from others, where there is nothing new for them."""
        while not (self._again or self._fresh) and self._queues.free() and (ticket := self._movable(now)):
            if (free := self._queues.free(ticket.job)) is None:
                return
            if ticket.began is None:
                self._queues.remove(ticket, now)
                yield Drop(ticket.worker, ticket.number)
            yield self._send(ticket.job, free, now)

    def _worker(self) -> str | None:
        """The one for the next bundle. Who is to be alone waits for a free one, and others wait behind it."""
        job = self._again[0] if self._again else None
        return self._queues.free(job) if job and job.alone else self._queues.shortest(job)

    def _next_job(self) -> Job:
        if self._again:
            return self._again.popleft()
        return Job(take(self._fresh, self._size))

    def _movable(self, now: float) -> Ticket | None:
        """What a free worker should take: what waits behind another bundle, else the oldest straggler."""
        return self._queues.last_waiting() or self._straggler(now)

    def _straggler(self, now: float) -> Ticket | None:
        for ticket in self._queues.running():  # the oldest first, so that this ends soon
            job, hedge = ticket.job, ticket.limits.hedge(len(ticket.job.tasks))
            if hedge is None or ticket.running_for(now) <= hedge:
                return None
            if not job.done and len(job.live) == 1 and job.losses < self._settings.attempts:
                return ticket
        return None

    def _send(self, job: Job, worker: str, now: float) -> Send:
        self._issued += 1
        self._queues.add(Ticket(self._issued, job, worker, self._limits[self._split]), now)
        return Send(worker, self._issued, job.tasks)

    # Ends

    def _settle(self, ticket: Ticket, evaluations: Sequence[Evaluation]) -> Sequence[Outcome]:
        """An answer. What the machine may have been to blame for is tried again, elsewhere where there is another."""
        job = ticket.job
        doubtful = [evaluation for evaluation in evaluations if evaluation.transient]
        if doubtful and (job.live or len(job.tasks) == 1):
            job.shunned.add(ticket.worker)
            return self._failed(ticket, doubtful[0].error, charged=True)
        self._close(job)
        self._strikes.update(job.shunned)
        return [self._reopened(ticket, e) if e.transient else e for e in evaluations]

    def _reopened(self, ticket: Ticket, evaluation: Evaluation) -> Outcome:
        """One of a bundle failed: it is tried again by itself, unless this was its last attempt."""
        losses = ticket.job.losses + 1
        if losses >= self._settings.attempts:
            return evaluation
        task = next(task for task in ticket.job.tasks if task.candidate == evaluation.candidate)
        self._again.append(Job([task], losses=losses, shunned={ticket.worker}))
        self._open += 1
        return Failure(evaluation.candidate, losses, evaluation.error, ticket.worker)

    def _close(self, job: Job) -> None:
        """The bundle has its evaluations. Other copies are dropped where they wait; one that runs keeps its worker."""
        job.done = True
        self._open -= len(job.tasks)
        for number in list(job.live):
            other = self._queues.tickets[number]
            if other.began is None:
                self._queues.remove(other, now=0.0)
                self._dropped.append(Drop(other.worker, other.number))

    def _failed(self, ticket: Ticket, reason: str, charged: bool, told: bool = True) -> Sequence[Outcome]:
        """An attempt that came to nothing; charged: it counts as one. told: with a Failure for the journal."""
        job = ticket.job
        if job.done:
            return []
        job.losses += charged
        spent = job.losses >= self._settings.attempts
        if not job.live:  # else a second copy goes on
            if spent and len(job.tasks) == 1:
                self._close(job)
                return [Evaluation(job.tasks[0].candidate, "failed", worker=ticket.worker, error=reason)]
            self._again.extendleft([Job([task], alone=True) for task in reversed(job.tasks)] if spent else [job])
        failures = [Failure(task.candidate, job.losses, reason, ticket.worker) for task in job.tasks]
        return failures if told else []

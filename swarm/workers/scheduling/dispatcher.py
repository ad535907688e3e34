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
from swarm.workers.scheduling.deadlines import Deadlines
from swarm.workers.scheduling.events import Cause
from swarm.workers.scheduling.queues import Attempt, Bundle, Queues
from swarm.workers.settings import RayCluster

STRIKES = 3  # candidates that failed at a worker and not at the next one: the worker is to blame


@dataclass(frozen=True)
class Send:
    """Have the worker score the tasks, after what it has."""

    worker: str
    attempt: int
    tasks: Sequence[Task]


@dataclass(frozen=True)
class Drop:
    """The ticket's answer is wanted no more."""

    worker: str
    attempt: int


Order = Send | Drop


class Dispatcher:
    """Candidates waiting, on their way, and what comes of them: exactly one Evaluation each, Failures between."""

    def __init__(self, settings: RayCluster) -> None:
        self._settings = settings
        self._limits: dict[Split, Deadlines] = {}
        self._split: Split = "search"
        self._size = 1
        self._fresh: Feed = deque()
        self._again: deque[Bundle] = deque()
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
        self._limits.setdefault(split, Deadlines(self._settings, examples, together))

    def submit(self, tasks: Sequence[Task]) -> None:
        self._fresh.extend(tasks)
        self._open += len(tasks)

    def abandon(self) -> Iterator[Order]:
        """Forget all candidates. What runs keeps its worker: the next bundle is not to be blamed for it."""
        self._fresh.clear()
        self._again.clear()
        self._open = 0
        for attempt in list(self._queues.attempts.values()):
            attempt.bundle.done = True
            if attempt.began is None:
                self._queues.remove(attempt, now=0.0)
                yield Drop(attempt.worker, attempt.number)

    # What happened

    def joined(self, worker: str) -> None:
        self._queues.open(worker)

    def answered(self, number: int, evaluations: Sequence[Evaluation], now: float) -> Sequence[Outcome]:
        """The outcomes of a ticket's bundle; none where another ticket was first, or the bundle was forgotten."""
        attempt = self._queues.attempts.get(number)
        if attempt is None:
            return []
        self._queues.remove(attempt, now)
        if attempt.bundle.done:
            return []
        attempt.limits.learn(attempt.running_for(now), evaluations)
        return self._settle(attempt, evaluations)

    def broken(self, number: int, reason: str, now: float) -> Sequence[Outcome]:
        """An attempt that failed though its worker lives."""
        attempt = self._queues.attempts.get(number)
        if attempt is None:
            return []
        self._queues.remove(attempt, now)
        return self._failed(attempt, reason, charged=True)

    def lost(self, worker: str, reason: str, cause: Cause, now: float) -> Sequence[Outcome]:
        """A worker is gone, and what it had is to be scored elsewhere."""
        queue = self._queues.of(worker)
        for attempt in queue:
            attempt.bundle.alone = attempt.bundle.alone or (cause == "scoring" and len(queue) > 1)
            self._queues.remove(attempt, now)
        self._queues.close(worker)
        self._strikes.pop(worker, None)
        outcomes: list[Outcome] = []
        for attempt in reversed(queue):
            first = attempt is queue[0]
            charged = first and (cause == "hanging" or (cause == "scoring" and len(queue) == 1))
            outcomes.extend(self._failed(attempt, reason, charged, told=first and cause != "idle"))
        return outcomes

    def overdue(self, now: float) -> list[tuple[str, str]]:
        """Workers that have been silent for too long, each with the reason in words."""
        found = []
        for attempt in self._queues.running():
            deadline = attempt.limits.deadline(len(attempt.bundle.tasks))
            if attempt.running_for(now) > deadline.seconds:
                found.append((attempt.worker, f"no answer within {attempt.running_for(now):.0f} s ({deadline.key})"))
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
            yield self._send(self._next_bundle(), worker, now)

    def moves(self, now: float) -> Iterator[Order]:
        """What free workers take from others, where there is nothing new for them."""
        while not (self._again or self._fresh) and self._queues.free() and (attempt := self._movable(now)):
            if (free := self._queues.free(attempt.bundle)) is None:
                return
            if attempt.began is None:
                self._queues.remove(attempt, now)
                yield Drop(attempt.worker, attempt.number)
            yield self._send(attempt.bundle, free, now)

    def _worker(self) -> str | None:
        """The one for the next bundle. Who is to be alone waits for a free one, and others wait behind it."""
        bundle = self._again[0] if self._again else None
        return self._queues.free(bundle) if bundle and bundle.alone else self._queues.shortest(bundle)

    def _next_bundle(self) -> Bundle:
        if self._again:
            return self._again.popleft()
        return Bundle(take(self._fresh, self._size))

    def _movable(self, now: float) -> Attempt | None:
        """What a free worker should take: what waits behind another bundle, else the oldest straggler."""
        return self._queues.last_waiting() or self._straggler(now)

    def _straggler(self, now: float) -> Attempt | None:
        for attempt in self._queues.running():  # the oldest first, so that this ends soon
            bundle, hedge = attempt.bundle, attempt.limits.hedge(len(attempt.bundle.tasks))
            if hedge is None or attempt.running_for(now) <= hedge:
                return None
            if not bundle.done and len(bundle.live) == 1 and bundle.losses < self._settings.attempts:
                return attempt
        return None

    def _send(self, bundle: Bundle, worker: str, now: float) -> Send:
        self._issued += 1
        self._queues.add(Attempt(self._issued, bundle, worker, self._limits[self._split]), now)
        return Send(worker, self._issued, bundle.tasks)

    # Ends

    def _settle(self, attempt: Attempt, evaluations: Sequence[Evaluation]) -> Sequence[Outcome]:
        """An answer. What the machine may have been to blame for is tried again, elsewhere where there is another."""
        bundle = attempt.bundle
        doubtful = [evaluation for evaluation in evaluations if evaluation.transient]
        if doubtful and (bundle.live or len(bundle.tasks) == 1):
            bundle.shunned.add(attempt.worker)
            return self._failed(attempt, doubtful[0].error, charged=True)
        self._close(bundle)
        self._strikes.update(bundle.shunned)
        return [self._reopened(attempt, e) if e.transient else e for e in evaluations]

    def _reopened(self, attempt: Attempt, evaluation: Evaluation) -> Outcome:
        """One of a bundle failed: it is tried again by itself, unless this was its last attempt."""
        losses = attempt.bundle.losses + 1
        if losses >= self._settings.attempts:
            return evaluation
        task = next(task for task in attempt.bundle.tasks if task.candidate == evaluation.candidate)
        self._again.append(Bundle([task], losses=losses, shunned={attempt.worker}))
        self._open += 1
        return Failure(evaluation.candidate, losses, evaluation.error, attempt.worker)

    def _close(self, bundle: Bundle) -> None:
        """The bundle has its evaluations. Other copies are dropped where they wait; one that runs keeps its worker."""
        bundle.done = True
        self._open -= len(bundle.tasks)
        for number in list(bundle.live):
            other = self._queues.attempts[number]
            if other.began is None:
                self._queues.remove(other, now=0.0)
                self._dropped.append(Drop(other.worker, other.number))

    def _failed(self, attempt: Attempt, reason: str, charged: bool, told: bool = True) -> Sequence[Outcome]:
        """An attempt that came to nothing; charged: it counts as one. told: with a Failure for the journal."""
        bundle = attempt.bundle
        if bundle.done:
            return []
        bundle.losses += charged
        spent = bundle.losses >= self._settings.attempts
        if not bundle.live:  # else a second copy goes on
            if spent and len(bundle.tasks) == 1:
                self._close(bundle)
                return [Evaluation(bundle.tasks[0].candidate, "failed", worker=attempt.worker, error=reason)]
            self._again.extendleft(
                [Bundle([task], alone=True) for task in reversed(bundle.tasks)] if spent else [bundle]
            )
        failures = [Failure(task.candidate, bundle.losses, reason, attempt.worker) for task in bundle.tasks]
        return failures if told else []

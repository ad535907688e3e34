"""Which candidates go to which worker. Pure: it is told what happened and when, and returns orders.

Invariants:

- Every submitted candidate gets exactly one Evaluation, with Failures before it, unless all are abandoned.
- A worker has at most one running attempt and, where candidates take seconds at most, `prefetch` waiting ones, so that
  it never waits for the coordinator. Longer ones wait for the worker that is free first, the oldest before all others.
- Candidates travel together where an engine scores them together, and then at most an even share of the open ones, so
  that no worker goes without. Background tasks that wait are no part of it.
- A lost bundle is sent again before new candidates, in the old order.
- When nothing is left to send, a free worker takes over the last bundle that waits behind another one, or else starts
  a speculative copy of a straggler. A bundle has at most two live attempts.
- A background task is sent to a worker that has none of this to do. Where all are abandoned while it runs, it goes on,
  and counts once it is submitted again.
- The first answer to a bundle counts. Later answers are ignored.
- The death of a worker is charged only to a bundle that was alone there. With several, any may be to blame, since an
  answer may have been lost too: none is charged, and each is tried again alone at a worker.
- A silent worker is charged to the bundle that runs there. A node that left and a worker that died before it scored
  are charged to nobody.
- A bundle with `attempts` charged attempts is split: each candidate is tried alone from then on, and fails after
  `attempts` of its own. So no score depends on the other candidates in a bundle, and a lethal candidate is found.
"""

import math
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

from swarm.core.candidates import Candidate, Evaluation, Task
from swarm.core.examples import Split
from swarm.core.outcomes import Failure, Feed, Outcome, take_bundle
from swarm.workers.scheduling.deadlines import Deadlines
from swarm.workers.scheduling.events import Cause
from swarm.workers.scheduling.orders import Drop, Order, Send
from swarm.workers.scheduling.queues import Attempt, Bundle, Queues
from swarm.workers.settings import RayCluster

STRIKES = 3  # candidates that failed at a worker and were scored at the next one: once or twice may be chance


class Dispatcher:
    """The candidates: new, to be retried, and at the workers.

    loading: workers that have a place and will soon be ready. They get their share, too.
    """

    def __init__(self, settings: RayCluster) -> None:
        self.loading = 0
        self._settings = settings
        self._deadlines: dict[Split, Deadlines] = {}
        self._new: Feed = deque()
        self._background: Feed = deque()
        self._kept: dict[tuple[Candidate, Split], Bundle] = {}
        self._retries: deque[Bundle] = deque()
        self._queues = Queues(settings.prefetch + 1)
        self._dropped: list[Order] = []
        self._strikes: Counter[str] = Counter()
        self._last_attempt_id = 0
        self._open = 0

    @property
    def open(self) -> int:
        """Candidates without an Evaluation."""
        return self._open

    def add_split(self, split: Split, examples: int) -> None:
        """From now on tasks may be of a split, which has `examples` examples."""
        self._deadlines.setdefault(split, Deadlines(self._settings, examples))

    def submit(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            kept = self._kept.pop((task.candidate, task.split), None)
            if kept is not None and kept.live:
                kept.tasks, kept.done = [task], False
            else:
                (self._background if task.background else self._new).append(task)
        self._open += len(tasks)

    def abandon(self) -> Iterator[Order]:
        """Forget all candidates. A running attempt keeps its place: the next bundle must not pay for its time.

        The running background tasks are remembered until they are submitted again.
        """
        for waiting in (self._new, self._background, self._retries):
            waiting.clear()
        self._open = 0
        for attempt in list(self._queues.attempts.values()):
            if attempt.bundle.background and attempt.began is not None and not attempt.bundle.done:
                self._kept |= {(task.candidate, task.split): attempt.bundle for task in attempt.bundle.tasks}
            attempt.bundle.done = True
            if attempt.began is None:
                self._queues.remove(attempt, now=0.0)
                yield Drop(attempt.worker, attempt.attempt_id)

    # Events

    def joined(self, worker: str) -> None:
        self._queues.open(worker)

    def answered(self, attempt_id: int, evaluations: Sequence[Evaluation], now: float) -> Sequence[Outcome]:
        """The outcomes of an attempt; none if another attempt was first, or if the bundle was abandoned."""
        attempt = self._queues.attempts.get(attempt_id)
        if attempt is None:
            return []
        self._queues.remove(attempt, now)
        if attempt.bundle.done:
            return []
        attempt.deadlines.observe(attempt.running_for(now), evaluations)
        return self._settle(attempt, evaluations)

    def errored(self, attempt_id: int, reason: str, now: float) -> Sequence[Outcome]:
        """An attempt failed although its worker is alive."""
        attempt = self._queues.attempts.get(attempt_id)
        if attempt is None:
            return []
        self._queues.remove(attempt, now)
        return self._failed(attempt, reason, charged=True)

    def lost(self, worker: str, reason: str, cause: Cause, now: float) -> Sequence[Outcome]:
        """A worker is gone. Everything in its queue is scored elsewhere."""
        queue = self._queues.at(worker)
        for attempt in queue:
            attempt.bundle.alone = attempt.bundle.alone or (cause == "scoring" and len(queue) > 1)
            self._queues.remove(attempt, now)
        self._queues.close(worker)
        self._strikes.pop(worker, None)
        outcomes: list[Outcome] = []
        for attempt in reversed(queue):
            first = attempt is queue[0]
            charged = first and (cause == "hanging" or (cause == "scoring" and len(queue) == 1))
            outcomes.extend(self._failed(attempt, reason, charged, reported=first and cause != "idle"))
        return outcomes

    def overdue(self, now: float) -> list[tuple[str, str]]:
        """Workers that have been silent for too long, each with the reason in words."""
        found = []
        for attempt in self._queues.running():
            deadline = attempt.deadlines.deadline(len(attempt.bundle.tasks), attempt.bundle.full)
            if attempt.running_for(now) > deadline.seconds:
                found.append((attempt.worker, f"no answer within {attempt.running_for(now):.0f} s ({deadline.key})"))
        return found

    def unhealthy(self) -> list[tuple[str, str]]:
        """Workers at which candidates failed that others could score, each with the reason in words; once per case."""
        found = [worker for worker, strikes in self._strikes.items() if strikes >= STRIKES]
        return [
            (worker, f"{self._strikes.pop(worker)} candidates failed there and were scored elsewhere")
            for worker in found
        ]

    # Orders

    def orders(self, now: float) -> Iterator[Order]:
        """Cancelled attempts, then bundles for the workers that have room in their queues."""
        while self._dropped:
            yield self._dropped.pop()
        while (self._retries or self._new) and (worker := self._next_worker()):
            yield self._send(self._next_bundle(worker), worker, now)

    def moves(self, now: float) -> Iterator[Order]:
        """What free workers take over from others, when nothing is left to send."""
        while not (self._retries or self._new) and self._queues.free() and (attempt := self._movable(now)):
            if (free := self._queues.free(attempt.bundle)) is None:
                return
            if attempt.began is None:
                self._queues.remove(attempt, now)
                yield Drop(attempt.worker, attempt.attempt_id)
            yield self._send(attempt.bundle, free, now)

    def background_orders(self, now: float) -> Iterator[Order]:
        """Background tasks for the workers that have nothing else to do."""
        while self._background and not (self._retries or self._new) and (free := self._queues.free()):
            yield self._send(Bundle([self._background.popleft()]), free, now)

    def _next_worker(self) -> str | None:
        """The worker for the next bundle. A bundle that must be alone waits for a free one, and others behind it."""
        if self._retries:  # a long one, too, may wait behind another: the worker that is free may be where it failed
            bundle = self._retries[0]
            return self._queues.free(bundle) if bundle.alone else self._queues.shortest(bundle)
        is_short = self._deadlines[self._new[0].split].short(self._new[0].together)
        return self._queues.shortest() if is_short else self._queues.free()

    def _next_bundle(self, worker: str) -> Bundle:
        if self._retries:
            return self._retries.popleft()
        workers = self._queues.workers + self.loading
        share = math.ceil((self._open - len(self._background)) / workers) - self._queues.candidates(worker)
        return Bundle(take_bundle(self._new, max(1, share)))

    def _movable(self, now: float) -> Attempt | None:
        """What a free worker should take over: an attempt that waits behind another, else the oldest straggler."""
        return self._queues.last_waiting() or self._straggler(now)

    def _straggler(self, now: float) -> Attempt | None:
        for attempt in self._queues.running():  # the oldest first, so that the loop ends soon
            bundle, limit = attempt.bundle, attempt.deadlines.copy_after(attempt.bundle.full)
            if bundle.background:
                continue
            if limit is None or attempt.running_for(now) <= limit:
                return None
            if not bundle.done and len(bundle.live) == 1 and bundle.failed_attempts < self._settings.attempts:
                return attempt
        return None

    def _send(self, bundle: Bundle, worker: str, now: float) -> Send:
        self._last_attempt_id += 1
        self._queues.add(Attempt(self._last_attempt_id, bundle, worker, self._deadlines[bundle.split]), now)
        return Send(worker, self._last_attempt_id, bundle.tasks)

    # The end of an attempt

    def _settle(self, attempt: Attempt, evaluations: Sequence[Evaluation]) -> Sequence[Outcome]:
        """An answer. A transient failure may be the worker's fault: it is retried, at another worker if possible."""
        bundle = attempt.bundle
        transient = [evaluation for evaluation in evaluations if evaluation.transient]
        if transient and (bundle.live or len(bundle.tasks) == 1):
            bundle.failed_at.add(attempt.worker)
            return self._failed(attempt, transient[0].error, charged=True)
        self._close(bundle)
        self._strikes.update(bundle.failed_at)
        return [self._reopened(attempt, e) if e.transient else e for e in evaluations]

    def _reopened(self, attempt: Attempt, evaluation: Evaluation) -> Outcome:
        """One candidate of a bundle failed: it is retried by itself unless this was its last attempt."""
        failed_attempts = attempt.bundle.failed_attempts + 1
        if failed_attempts >= self._settings.attempts:
            return evaluation
        task = next(task for task in attempt.bundle.tasks if task.candidate == evaluation.candidate)
        self._retries.append(Bundle([task], failed_attempts=failed_attempts, failed_at={attempt.worker}))
        self._open += 1
        return Failure(evaluation.candidate, failed_attempts, evaluation.error, attempt.worker)

    def _close(self, bundle: Bundle) -> None:
        """The bundle has its evaluations. A copy that waits is dropped; one that runs keeps its worker."""
        bundle.done = True
        self._open -= len(bundle.tasks)
        for attempt_id in list(bundle.live):
            other = self._queues.attempts[attempt_id]
            if other.began is None:
                self._queues.remove(other, now=0.0)
                self._dropped.append(Drop(other.worker, other.attempt_id))

    def _failed(self, attempt: Attempt, reason: str, charged: bool, reported: bool = True) -> Sequence[Outcome]:
        """An attempt without evaluations. charged: it counts. reported: as a Failure, for the journal."""
        bundle = attempt.bundle
        if bundle.done:
            return []
        bundle.failed_attempts += charged
        spent = bundle.failed_attempts >= self._settings.attempts
        if not bundle.live:  # otherwise a second copy is still running
            if spent and len(bundle.tasks) == 1:
                self._close(bundle)
                failed = Evaluation(bundle.tasks[0].candidate, "failed", split=bundle.split)
                return [replace(failed, worker=attempt.worker, error=reason)]
            self._retries.extendleft(
                [Bundle([task], alone=True) for task in reversed(bundle.tasks)] if spent else [bundle]
            )
        failures = [Failure(task.candidate, bundle.failed_attempts, reason, attempt.worker) for task in bundle.tasks]
        return failures if reported else []

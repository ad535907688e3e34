"""The pool of a cluster: hears from the fleet, tells dispatcher and roster, and has their orders carried out."""

from collections.abc import Callable, Iterator, Sequence

from swarm.core.errors import RunError, StrandedError
from swarm.core.examples import Split
from swarm.core.interrupts import uninterrupted
from swarm.core.outcomes import Feed, Outcome, take
from swarm.evaluation.workload import Workload
from swarm.workers.scheduling.dispatcher import Dispatcher, Drop, Order
from swarm.workers.scheduling.events import Answered, Backend, Broken, Cause, Event, Lost, Placed, Started
from swarm.workers.scheduling.membership import Membership
from swarm.workers.settings import RayCluster

TICK = 1.0  # seconds between two looks at deadlines and stragglers
STILLBORN = 2  # deaths before the first worker is ready that are no bad luck any more
CENSUS = 5.0  # seconds between two looks at the nodes


class Coordinator:
    """A pool over a fleet. Work begins with the first worker; the others join, and are replaced, while it goes on."""

    def __init__(self, backend: Backend, settings: RayCluster, note: Callable[[str], None] = lambda text: None) -> None:
        """note: tells the user what goes on though it should not."""
        self._backend = backend
        self._settings = settings
        self._note = note
        self._dispatcher = Dispatcher(settings)
        self._workloads: dict[Split, Workload] = {}
        self._split: Split = "search"
        self._placed: dict[str, float] = {}
        self._ticked = self._counted = self._last_ready = backend.now()
        try:
            self._membership = Membership(self._fitting(), settings.respawns)
            self._hire()
            self._await_first()
        except BaseException:
            backend.close()
            raise

    @property
    def workers(self) -> int:
        return max(1, len(self._membership.ready))

    def load(self, split: Split, workload: Workload) -> None:
        self._workloads[split] = workload
        self._backend.load(split, workload)

    def run(self, feed: Feed, split: Split) -> Iterator[Outcome]:
        workload = self._workloads[split]
        self._split = split
        self._dispatcher.expect(split, workload.total, workload.together)
        try:
            self._take(feed)
            while self._dispatcher.open:
                for outcome in self._turn():
                    yield outcome
                    self._take(feed)
                self._take(feed)
                self._move()
        finally:
            with uninterrupted():
                self._carry_out(self._dispatcher.abandon())

    def close(self) -> None:
        self._backend.close()

    def _turn(self) -> list[Outcome]:
        """What happened since, and what time brought. All of it is heard before anything is sent: a worker that has
        answered may be gone by the batch's end.
        """
        events = self._backend.wait(TICK)
        with uninterrupted():
            return [outcome for event in events for outcome in self._hear(event)] + self._tick()

    def _take(self, feed: Feed) -> None:
        """New candidates in, orders out."""
        with uninterrupted():
            self._dispatcher.submit(take(feed, len(feed)))
            self._carry_out(self._dispatcher.orders(self._backend.now()))

    def _move(self) -> None:
        with uninterrupted():
            self._carry_out(self._dispatcher.moves(self._backend.now()))

    def _carry_out(self, orders: Iterator[Order]) -> None:
        for order in orders:
            if isinstance(order, Drop):
                self._backend.drop(order.worker, order.attempt)
            else:
                self._backend.send(order.worker, order.attempt, order.tasks, self._split)

    def _hear(self, event: Event) -> Sequence[Outcome]:
        match event:
            case Placed(worker):
                self._placed[worker] = self._backend.now()
            case Started(worker):
                self._placed.pop(worker, None)
                self._membership.joined(worker)
                self._dispatcher.joined(worker)
            case Answered(attempt_id, evaluations):
                return self._dispatcher.answered(attempt_id, evaluations, self._backend.now())
            case Broken(attempt_id, reason):
                return self._dispatcher.broken(attempt_id, reason, self._backend.now())
            case Lost(worker, reason, cause):
                return self._lose(worker, reason, cause)
        return []

    def _lose(self, worker: str, reason: str, cause: Cause) -> Sequence[Outcome]:
        self._placed.pop(worker, None)
        self._membership.left(worker, preempted=cause == "node")
        if cause == "idle":
            self._note(f"{worker} is replaced: {reason}")
        if cause == "node" and self._settings.workers == "auto":
            self._membership.want(self._fitting())
        self._hire()
        return self._dispatcher.lost(worker, reason, cause, self._backend.now())

    def _hire(self) -> None:
        for worker in self._membership.hire():
            self._backend.spawn(worker)

    def _tick(self) -> list[Outcome]:
        """What time brings: deadlines, nodes that came or went, and the end of patience."""
        now = self._backend.now()
        if now - self._ticked < TICK:
            return []
        self._ticked = now
        outcomes = self._dismiss(self._dispatcher.overdue(now), "hanging")
        outcomes += self._dismiss([*self._dispatcher.sick(), *self._slow_starters(now)], "idle")
        if self._settings.workers == "auto" and now - self._counted >= CENSUS:
            self._counted = now
            self._membership.want(self._fitting())
            self._hire()
        self._check_staffed(now)
        return outcomes

    def _dismiss(self, workers: Sequence[tuple[str, str]], cause: Cause) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for worker, reason in workers:
            self._backend.kill(worker)
            outcomes.extend(self._lose(worker, reason, cause))
        return outcomes

    def _slow_starters(self, now: float) -> list[tuple[str, str]]:
        """Workers that have had their place for too long without being ready."""
        limit = self._settings.start_seconds
        reason = f"not ready within {limit:g} s (cluster.start_seconds)"
        return [(worker, reason) for worker, placed in self._placed.items() if now - placed > limit]

    def _fitting(self) -> int:
        """How many workers to have. At least one is asked for: an autoscaler may bring its node."""
        return max(1, self._backend.capacity()) if self._settings.workers == "auto" else self._settings.workers

    def _check_staffed(self, now: float) -> None:
        """Raise RunError where nobody is left. Who waits for a place, after others were ready, waits with a note."""
        if self._membership.ready:
            self._last_ready = now
        elif self._membership.empty:
            raise RunError(
                f"cluster: workers died {self._membership.deaths} times and none is left; look at their logs "
                "(memory?), then swarm resume"
            )
        elif now - self._last_ready > self._settings.start_seconds:
            if not self._membership.worked:
                raise self._late()
            self._last_ready = now
            self._note(f"no worker for {self._settings.start_seconds:g} s; waiting for the cluster to hold one again")

    def _await_first(self) -> None:
        """Until a worker is ready. Raises RunError where several die over it, or none is in time."""
        while not self._membership.ready:
            for event in self._backend.wait(TICK):
                self._hear(event)
                if isinstance(event, Lost) and self._membership.deaths >= STILLBORN:
                    raise RunError(
                        f"cluster: {STILLBORN} workers died while they loaded the experts ({event.reason}); "
                        "look at their logs (memory?), then swarm resume"
                    )
            self._check_staffed(self._backend.now())

    def _late(self) -> StrandedError:
        return StrandedError(
            f"cluster.start_seconds: no worker started within {self._settings.start_seconds:g} s; "
            "ask for fewer or smaller workers, wait for others on the cluster, or raise it"
        )

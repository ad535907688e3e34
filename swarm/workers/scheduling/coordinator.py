"""The pool of a cluster: passes events from the backend to dispatcher and membership, and their orders back."""

from collections.abc import Callable, Iterator, Sequence

from swarm.core.errors import RunError, StrandedError
from swarm.core.examples import Split
from swarm.core.interrupts import uninterrupted
from swarm.core.outcomes import Feed, Outcome, take
from swarm.evaluation.workload import Workload
from swarm.workers.scheduling.dispatcher import Dispatcher
from swarm.workers.scheduling.events import Answered, Backend, Cause, Errored, Event, Lost, Placed, Started
from swarm.workers.scheduling.membership import Membership
from swarm.workers.scheduling.orders import Drop, Order
from swarm.workers.settings import RayCluster

TICK_SECONDS = 1.0  # between two checks of deadlines and stragglers: short beside any deadline
CAPACITY_SECONDS = 5.0  # between two counts of the nodes: short beside the minutes that a node takes to join
MAX_START_DEATHS = 2  # one death before any worker is ready may be chance; two mean that none can start


class Coordinator:
    """A pool over a backend. Scoring begins with the first worker; others join and are replaced meanwhile."""

    def __init__(self, backend: Backend, settings: RayCluster, note: Callable[[str], None] = lambda text: None) -> None:
        """note: tells the user about trouble that the run survives."""
        self._backend = backend
        self._settings = settings
        self._note = note
        self._dispatcher = Dispatcher(settings)
        self._notes: dict[str, None] = {}
        self._placed_at: dict[str, float] = {}
        self._last_tick = self._last_count = self._last_ready = backend.now()
        try:
            self._membership = Membership(self._wanted(), settings.respawns)
            self._start_missing()
            self._wait_for_first()
        except BaseException:
            backend.close()
            raise

    @property
    def workers(self) -> int:
        return max(1, len(self._membership.ready))

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self._notes)

    def load(self, split: Split, workload: Workload) -> None:
        self._dispatcher.add_split(split, workload.total)
        self._backend.load(split, workload)

    def run(self, feed: Feed) -> Iterator[Outcome]:
        try:
            self._submit(feed)
            while self._dispatcher.open:
                for outcome in self._wait():
                    yield outcome
                    self._submit(feed)
                self._submit(feed)
                self._rebalance()
        finally:
            with uninterrupted():
                self._carry_out(self._dispatcher.abandon())

    def close(self) -> None:
        self._backend.close()

    def _wait(self) -> list[Outcome]:
        """The outcomes of new events and of the time that passed.

        All events of a batch are handled before anything is sent: a worker that answered may be lost by its end.
        """
        events = self._backend.wait(TICK_SECONDS)
        with uninterrupted():
            return [outcome for event in events for outcome in self._handle(event)] + self._tick()

    def _submit(self, feed: Feed) -> None:
        """Pass new candidates to the dispatcher and carry out its orders."""
        with uninterrupted():
            self._dispatcher.submit(take(feed, len(feed)))
            self._dispatcher.loading = len(self._placed_at)
            self._carry_out(self._dispatcher.orders(self._backend.now()))

    def _rebalance(self) -> None:
        with uninterrupted():
            self._carry_out(self._dispatcher.moves(self._backend.now()))
            self._carry_out(self._dispatcher.background_orders(self._backend.now()))

    def _carry_out(self, orders: Iterator[Order]) -> None:
        for order in orders:
            if isinstance(order, Drop):
                self._backend.drop(order.worker, order.attempt_id)
            else:
                self._backend.send(order.worker, order.attempt_id, order.tasks)

    def _handle(self, event: Event) -> Sequence[Outcome]:
        match event:
            case Placed(worker):
                self._placed_at[worker] = self._backend.now()
            case Started(worker, notes):
                self._notes.update(dict.fromkeys(notes))
                self._placed_at.pop(worker, None)
                self._membership.joined(worker)
                self._dispatcher.joined(worker)
            case Answered(attempt_id, evaluations):
                return self._dispatcher.answered(attempt_id, evaluations, self._backend.now())
            case Errored(attempt_id, reason):
                return self._dispatcher.errored(attempt_id, reason, self._backend.now())
            case Lost(worker, reason, cause):
                return self._lose(worker, reason, cause)
        return []

    def _lose(self, worker: str, reason: str, cause: Cause) -> Sequence[Outcome]:
        """A worker is gone: start another one, and return what that means for its candidates."""
        self._placed_at.pop(worker, None)
        self._membership.left(worker, preempted=cause == "node")
        if cause == "idle":
            self._note(f"{worker} is replaced: {reason}")
        if cause == "node" and self._settings.workers == "auto":
            self._membership.resize(self._wanted())
        self._start_missing()
        return self._dispatcher.lost(worker, reason, cause, self._backend.now())

    def _start_missing(self) -> None:
        for worker in self._membership.start_missing():
            self._backend.spawn(worker)

    def _tick(self) -> list[Outcome]:
        """What time brings: missed deadlines, unhealthy and slow workers, nodes that joined or left, no worker left."""
        now = self._backend.now()
        if now - self._last_tick < TICK_SECONDS:
            return []
        self._last_tick = now
        outcomes = self._replace(self._dispatcher.overdue(now), "hanging")
        outcomes += self._replace([*self._dispatcher.unhealthy(), *self._slow_starters(now)], "idle")
        if self._settings.workers == "auto" and now - self._last_count >= CAPACITY_SECONDS:
            self._last_count = now
            self._membership.resize(self._wanted())
            self._start_missing()
        self._check_staffed(now)
        return outcomes

    def _replace(self, workers: Sequence[tuple[str, str]], cause: Cause) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for worker, reason in workers:
            self._backend.kill(worker)
            outcomes.extend(self._lose(worker, reason, cause))
        return outcomes

    def _slow_starters(self, now: float) -> list[tuple[str, str]]:
        """Workers that were placed long ago and are not ready, each with the reason in words."""
        limit = self._settings.start_seconds
        reason = f"not ready within {limit:g} s (cluster.start_seconds)"
        return [(worker, reason) for worker, placed_at in self._placed_at.items() if now - placed_at > limit]

    def _wanted(self) -> int:
        """The number of workers to have: at least one, since an autoscaler may bring its node."""
        return max(1, self._backend.capacity()) if self._settings.workers == "auto" else self._settings.workers

    def _check_staffed(self, now: float) -> None:
        """Raise RunError if no worker is left. If all wait for a place after some were ready, note it and wait."""
        if self._membership.ready:
            self._last_ready = now
        elif self._membership.empty:
            raise RunError(
                f"cluster.respawns: no worker is left ({self._membership.deaths} died, "
                f"{self._settings.respawns} replacements per worker are allowed); find the cause in the workers' logs "
                "(out of memory?), then run swarm resume"
            )
        elif now - self._last_ready > self._settings.start_seconds:
            if not self._membership.ever_ready:
                raise self._not_started()
            self._last_ready = now
            self._note(f"no worker for {self._settings.start_seconds:g} s; waiting until the cluster has room for one")

    def _wait_for_first(self) -> None:
        """Wait until a worker is ready. Raises RunError if several die while they start, or if none is in time."""
        while not self._membership.ready:
            for event in self._backend.wait(TICK_SECONDS):
                self._handle(event)
                if isinstance(event, Lost) and self._membership.deaths >= MAX_START_DEATHS:
                    raise RunError(
                        f"cluster: {MAX_START_DEATHS} workers died while they loaded the experts ({event.reason}); "
                        "find the cause in their logs (out of memory?), then run swarm resume"
                    )
            self._check_staffed(self._backend.now())

    def _not_started(self) -> StrandedError:
        return StrandedError(
            f"cluster.start_seconds: no worker was ready within {self._settings.start_seconds:g} s; ask for fewer or "
            "smaller workers, wait until others leave the cluster, or raise the limit"
        )

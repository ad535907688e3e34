"""A backend in virtual time: workers and nodes that come, fail and leave.

What the protocol leaves open is drawn: whether a worker still scores an attempt that was dropped before it began;
whether answers that were in transit when their worker died arrive before that event, after it, or never; the order of
different workers' events in a batch. Apart from such late answers, the events of one worker come in order.
"""

from collections import deque
from collections.abc import Callable, Sequence
from random import Random

from support.simulation.faults import AttemptEnd, FaultBudget, draw_end
from support.simulation.machines import SimAttempt, SimNode, SimWorker, Usage, Violation
from support.simulation.random_streams import RandomStreams
from support.simulation.scenario import ClusterModel
from support.simulation.timeline import Timeline, ignore
from swarm.core.candidates import Evaluation, Task
from swarm.core.examples import Split
from swarm.evaluation.workload import Workload
from swarm.workers.scheduling.events import Answered, Cause, Errored, Event, Lost, Started


class SimBackend(Timeline):
    """A simulated cluster. depth: the most attempts in a worker's queue, the running one included."""

    def __init__(
        self,
        model: ClusterModel,
        streams: RandomStreams,
        score: Callable[[Task, str], Evaluation],
        budget: FaultBudget,
        depth: int,
        step: Callable[[str], None] = ignore,
        log: Callable[[str], None] = ignore,
    ) -> None:
        super().__init__(streams, model.lag, step, log)
        self._model, self._score, self._budget, self._depth = model, score, budget, depth
        self._workers: dict[str, SimWorker] = {}
        self._pending: deque[SimWorker] = deque()
        self._nodes = [SimNode(f"node-{i}", model.slots) for i in range(model.nodes)]
        self.usage = Usage()
        for i in range(model.leaves):
            rng = streams.of("leave", i)
            self._after(rng.uniform(20.0, 200.0), lambda rng=rng: self._leave(rng.choice(self._nodes), rng))  # type: ignore[misc]

    # The protocol

    def capacity(self) -> int:
        return sum(node.slots for node in self._nodes if node.present)

    def load(self, split: Split, workload: Workload) -> None:
        """The landscape has its own examples."""

    def spawn(self, worker: str) -> None:
        self._step("spawn")
        if worker in self._workers:
            raise Violation(f"{worker} is spawned twice")
        self._log(f"spawn {worker}")
        slowness = self._model.spread ** self._streams.of("pace", worker).random()
        self._workers[worker] = SimWorker(worker, slowness)
        self.usage.spawned += 1
        self.usage.most = max(self.usage.most, len(self._workers))
        self._pending.append(self._workers[worker])
        self._place()

    def send(self, worker: str, attempt_id: int, tasks: Sequence[Task]) -> None:
        self._step("send")
        attempt = SimAttempt(attempt_id, tasks)
        self._log(f"send {attempt} to {worker}")
        if (to := self._workers.get(worker)) is None:
            raise Violation(f"attempt {attempt_id} is sent to {worker}, which was reported as lost")
        if len(to.wanted) >= self._depth:
            raise Violation(f"attempt {attempt_id} does not fit into the queue of {worker}")
        self.usage.sent += 1
        to.attempts[attempt_id] = attempt
        to.queue.append(attempt)
        if to.silent:
            to.silent = False
            self._after(self._streams.of("noticed", attempt_id).uniform(0.01, 1.0), lambda: self._report_lost(to))
        elif to.running is None:
            self._begin(to)

    def drop(self, worker: str, attempt_id: int) -> None:
        self._step("drop")
        self._log(f"drop {attempt_id} at {worker}")
        at = self._workers.get(worker)
        attempt = at.attempts.get(attempt_id) if at else None
        if at is None or attempt is None:
            return
        unnoticed = at.hung and at.running is attempt and at.first is not attempt
        attempt.dropped = True
        if attempt.scored:
            del at.attempts[attempt_id]
        elif unnoticed:  # the driver does not know that it runs, and would charge the next attempt
            self._after(30.0, lambda: self._finish(at, attempt, "answers"))

    def kill(self, worker: str) -> None:
        self._step("kill")
        self._log(f"kill {worker}")
        gone = self._workers.pop(worker)
        if not gone.dead and not gone.hung:
            raise Violation(f"{worker} is killed although it works")
        if gone.hung and gone.first is not gone.running:
            raise Violation(f"{worker} hangs in {gone.running}, and {gone.first} is charged")
        self.usage.kills += 1
        self._end(gone)

    def close(self) -> None:
        for worker in list(self._workers.values()):
            self._end(worker)
        self._workers = {}
        self._stop()

    # Workers start

    def _place(self) -> None:
        """Place waiting workers on free slots."""
        for node in self._nodes:
            while node.free and self._pending:
                worker = self._pending.popleft()
                worker.node = node
                node.used += 1
                rng = self._streams.of("start", worker.name)
                fails = rng.random() < self._model.start_failure
                then = self._die if fails else self._up
                self._after(rng.uniform(*self._model.start), lambda worker=worker, then=then: then(worker))  # type: ignore[misc]

    def _up(self, worker: SimWorker) -> None:
        if worker.dead:
            return
        worker.up, worker.up_since = True, self._now
        self._emit(worker.name, Started(worker.name))
        rng = self._streams.of("sudden", worker.name)
        if rng.random() < self._model.sudden_death:
            self._after(rng.uniform(1.0, 120.0), lambda: self._die_suddenly(worker))

    # Workers score

    def _begin(self, worker: SimWorker) -> None:
        """Begin the next attempt. A dropped one is skipped or, by chance, still scored."""
        while worker.queue and worker.running is None:
            attempt = worker.queue.popleft()
            rng = self._streams.of("fate", attempt.attempt_id)
            if attempt.dropped and rng.random() < 0.7:
                del worker.attempts[attempt.attempt_id]
                continue
            worker.running, worker.began = attempt, self._now
            end = draw_end(rng, self._model, attempt.tasks, self._budget)
            if attempt.dropped:
                end = AttemptEnd("answers", 1.0, end.seconds)
            self._run(worker, attempt, end)

    def _run(self, worker: SimWorker, attempt: SimAttempt, end: AttemptEnd) -> None:
        if end.end == "hangs":
            self._log(f"{worker.name} hangs in {attempt}")
            worker.hung = True
            return
        seconds = end.seconds * end.share * worker.slowness
        self._after(seconds, lambda: self._finish(worker, attempt, end.end))

    def _finish(self, worker: SimWorker, attempt: SimAttempt, end: str) -> None:
        if worker.dead or worker.running is not attempt:
            return
        if end == "crashes":
            self._log(f"{worker.name} crashes in {attempt}")
            self._budget.count_death(attempt.tasks)
            self._die(worker)
            return
        self.usage.busy += self._now - worker.began
        worker.running, worker.hung, attempt.scored = None, False, True
        attempt.errored = end == "breaks"
        if attempt.dropped:
            del worker.attempts[attempt.attempt_id]
        else:
            self._after(self._delay(attempt), lambda: self._arrive(worker, attempt))
        self._begin(worker)

    def _delay(self, attempt: SimAttempt) -> float:
        rng = self._streams.of("delay", attempt.attempt_id)
        late = rng.random() < self._model.late
        return rng.uniform(1.0, 30.0) if late else rng.uniform(*self._model.answer)

    def _answer(self, worker: SimWorker, attempt: SimAttempt) -> Event:
        if attempt.errored:
            return Errored(attempt.attempt_id, "it broke")
        return Answered(attempt.attempt_id, [self._score(task, worker.name) for task in attempt.tasks])

    def _arrive(self, worker: SimWorker, attempt: SimAttempt) -> None:
        if self._workers.get(worker.name) is worker and worker.attempts.pop(attempt.attempt_id, None):
            self._emit(worker.name, self._answer(worker, attempt))

    # Workers die

    def _die_suddenly(self, worker: SimWorker) -> None:
        """A death that no candidate causes, unless a candidate would be charged beyond its budget."""
        if worker.dead:
            return
        if not self._budget.allows_death(worker.bundles):
            return
        self._log(f"{worker.name} dies")
        self._die(worker, silent=worker.first is None and self._streams.of("silent", worker.name).random() < 0.5)

    def _leave(self, node: SimNode, rng: Random) -> None:
        if not node.present:
            return
        self._log(f"{node.name} leaves")
        node.present = False
        for worker in [w for w in self._workers.values() if w.node is node]:
            worker.preempted = True
            if not worker.dead or worker.silent:
                worker.silent = False
                self._die(worker)
        self._after(rng.uniform(5.0, 150.0), lambda: self._come_back(node))

    def _come_back(self, node: SimNode) -> None:
        self._log(f"{node.name} is back")
        node.present = True
        self.usage.returned += node.slots
        self._place()

    def _die(self, worker: SimWorker, silent: bool = False) -> None:
        """The worker is dead. That is reported a moment later or, if silent, when something is sent there."""
        if self._workers.get(worker.name) is not worker:
            return
        self._end(worker)
        worker.silent = silent
        if not silent:
            self._after(self._streams.of("word", worker.name).uniform(0.01, 1.0), lambda: self._report_lost(worker))

    def _end(self, worker: SimWorker) -> None:
        if worker.dead:
            return
        self.usage.up += self._now - worker.up_since if worker.up else 0.0
        self.usage.busy += self._now - worker.began if worker.running else 0.0
        worker.dead, worker.up, worker.running = True, False, None
        if worker.node:
            worker.node.used -= 1
        elif worker in self._pending:
            self._pending.remove(worker)
        self._place()

    def _report_lost(self, worker: SimWorker) -> None:
        if self._workers.get(worker.name) is not worker:
            return
        self._last_answers(worker)
        cause: Cause = "node" if worker.preempted else self._budget.cause(worker.bundles)
        del self._workers[worker.name]
        self.usage.preempted += cause == "node"
        self.usage.deaths += cause != "node"
        self._emit(worker.name, Lost(worker.name, f"{worker.name} died", cause))

    def _last_answers(self, worker: SimWorker) -> None:
        """Answers that were in transit arrive now, later or never."""
        for attempt in [attempt for attempt in worker.wanted if attempt.scored]:
            rng = self._streams.of("last", attempt.attempt_id)
            if rng.random() < 0.4:
                self._arrive(worker, attempt)
            elif rng.random() < 0.5:
                event = self._answer(worker, attempt)
                self._after(rng.uniform(0.0, 10.0), lambda event=event: self._emit(worker.name, event))  # type: ignore[misc]

"""A Fleet in virtual time: workers, nodes and what becomes of both.

What the contract leaves open is drawn: whether a worker still scores what was dropped before it began; whether answers
that were on their way when their worker died come before that is told, after it, or never; in which order a batch
tells of different workers. What one worker did is told in its order, but for such late answers.
"""

from collections import deque
from collections.abc import Callable, Sequence
from random import Random

from support.simulation.chance import Chance
from support.simulation.fates import Fate, Luck, fate
from support.simulation.machines import Attempt, Node, SimWorker, Usage, Violation
from support.simulation.scenario import World
from support.simulation.timeline import Timeline, nothing
from swarm.core.candidates import Evaluation, Task
from swarm.core.examples import Split
from swarm.evaluation.workload import Workload
from swarm.workers.scheduling.events import Answered, Broken, Cause, Event, Lost, Started


class SimFleet(Timeline):
    """room: tickets that may lie at a worker."""

    def __init__(
        self,
        world: World,
        chance: Chance,
        score: Callable[[Task, str], Evaluation],
        luck: Luck,
        room: int,
        step: Callable[[str], None] = nothing,
        tell: Callable[[str], None] = nothing,
    ) -> None:
        super().__init__(chance, world.lag, step, tell)
        self._world, self._score, self._luck, self._room = world, score, luck, room
        self._workers: dict[str, SimWorker] = {}
        self._pending: deque[SimWorker] = deque()
        self._nodes = [Node(f"node-{i}", world.slots) for i in range(world.nodes)]
        self.usage = Usage()
        for i in range(world.leaves):
            rng = chance.of("leave", i)
            self._after(rng.uniform(20.0, 200.0), lambda rng=rng: self._leave(rng.choice(self._nodes), rng))  # type: ignore[misc]

    # The contract

    def capacity(self) -> int:
        return sum(node.slots for node in self._nodes if node.present)

    def load(self, split: Split, workload: Workload) -> None:
        """Examples are the landscape's."""

    def spawn(self, worker: str) -> None:
        self._step("spawn")
        if worker in self._workers:
            raise Violation(f"{worker} is spawned twice")
        self._say(f"spawn {worker}")
        spread = self._world.spread ** self._chance.of("pace", worker).random()
        self._workers[worker] = SimWorker(worker, spread)
        self.usage.spawned += 1
        self.usage.most = max(self.usage.most, len(self._workers))
        self._pending.append(self._workers[worker])
        self._place()

    def send(self, worker: str, attempt_id: int, tasks: Sequence[Task], split: Split) -> None:
        self._step("send")
        attempt = Attempt(attempt_id, tasks)
        self._say(f"send {attempt} to {worker}")
        if (to := self._workers.get(worker)) is None:
            raise Violation(f"ticket {attempt_id} is sent to {worker}, which is told to be gone")
        if len(to.wanted) >= self._room:
            raise Violation(f"ticket {attempt_id} is one more than {worker} has room for")
        self.usage.sent += 1
        to.attempts[attempt_id] = attempt
        to.queue.append(attempt)
        if to.silent:
            to.silent = False
            self._after(self._chance.of("noticed", attempt_id).uniform(0.01, 1.0), lambda: self._tell_lost(to))
        elif to.running is None:
            self._begin(to)

    def drop(self, worker: str, attempt_id: int) -> None:
        self._step("drop")
        self._say(f"drop {attempt_id} at {worker}")
        at = self._workers.get(worker)
        attempt = at.attempts.get(attempt_id) if at else None
        if at is None or attempt is None:
            return
        surprised = at.hung and at.running is attempt and at.first is not attempt
        attempt.dropped = True
        if attempt.scored:
            del at.attempts[attempt_id]
        elif surprised:  # nobody knows that it runs, so what is sent next would be blamed
            self._after(30.0, lambda: self._finish(at, attempt, "answers"))

    def kill(self, worker: str) -> None:
        self._step("kill")
        self._say(f"kill {worker}")
        gone = self._workers.pop(worker)
        if not gone.dead and not gone.hung:
            raise Violation(f"{worker} is killed though it works")
        if gone.hung and gone.first is not gone.running:
            raise Violation(f"{worker} hangs in {gone.running}, and {gone.first} is blamed")
        self.usage.kills += 1
        self._end(gone)

    def close(self) -> None:
        for worker in list(self._workers.values()):
            self._end(worker)
        self._workers = {}
        self._stop()

    # Workers come

    def _place(self) -> None:
        """Give waiting workers the places that are free."""
        for node in self._nodes:
            while node.free and self._pending:
                worker = self._pending.popleft()
                worker.node = node
                node.used += 1
                rng = self._chance.of("start", worker.name)
                stillborn = rng.random() < self._world.stillborn
                ready = self._die if stillborn else self._up
                self._after(rng.uniform(*self._world.start), lambda worker=worker, ready=ready: ready(worker))  # type: ignore[misc]

    def _up(self, worker: SimWorker) -> None:
        if worker.dead:
            return
        worker.up, worker.up_since = True, self._now
        self._emit(worker.name, Started(worker.name))
        rng = self._chance.of("sudden", worker.name)
        if rng.random() < self._world.sudden:
            self._after(rng.uniform(1.0, 120.0), lambda: self._sudden(worker))

    # Workers score

    def _begin(self, worker: SimWorker) -> None:
        """The next attempt that is wanted, or that was dropped and nobody looks."""
        while worker.queue and worker.running is None:
            attempt = worker.queue.popleft()
            rng = self._chance.of("fate", attempt.attempt_id)
            if attempt.dropped and rng.random() < 0.7:
                del worker.attempts[attempt.attempt_id]
                continue
            worker.running, worker.began = attempt, self._now
            what = fate(rng, self._world, attempt.tasks, self._luck)
            if attempt.dropped:
                what = Fate("answers", 1.0, what.seconds)
            self._run(worker, attempt, what)

    def _run(self, worker: SimWorker, attempt: Attempt, what: Fate) -> None:
        if what.end == "hangs":
            self._say(f"{worker.name} hangs in {attempt}")
            worker.hung = True
            return
        seconds = what.seconds * what.share * worker.pace
        self._after(seconds, lambda: self._finish(worker, attempt, what.end))

    def _finish(self, worker: SimWorker, attempt: Attempt, end: str) -> None:
        if worker.dead or worker.running is not attempt:
            return
        if end == "crashes":
            self._say(f"{worker.name} crashes in {attempt}")
            self._luck.killed(attempt.tasks)
            self._die(worker)
            return
        self.usage.busy += self._now - worker.began
        worker.running, worker.hung, attempt.scored = None, False, True
        attempt.broke = end == "breaks"
        if attempt.dropped:
            del worker.attempts[attempt.attempt_id]
        else:
            self._after(self._delay(attempt), lambda: self._arrive(worker, attempt))
        self._begin(worker)

    def _delay(self, attempt: Attempt) -> float:
        rng = self._chance.of("delay", attempt.attempt_id)
        late = rng.random() < self._world.late
        return rng.uniform(1.0, 30.0) if late else rng.uniform(*self._world.answer)

    def _answer(self, worker: SimWorker, attempt: Attempt) -> Event:
        if attempt.broke:
            return Broken(attempt.attempt_id, "it broke")
        return Answered(attempt.attempt_id, [self._score(task, worker.name) for task in attempt.tasks])

    def _arrive(self, worker: SimWorker, attempt: Attempt) -> None:
        if self._workers.get(worker.name) is worker and worker.attempts.pop(attempt.attempt_id, None):
            self._emit(worker.name, self._answer(worker, attempt))

    # Workers go

    def _sudden(self, worker: SimWorker) -> None:
        """A death that no candidate is the cause of. It spares those who would have to bear the blame."""
        if worker.dead:
            return
        if not self._luck.bears(worker.bundles):
            return
        self._say(f"{worker.name} dies")
        self._die(worker, silent=worker.first is None and self._chance.of("silent", worker.name).random() < 0.5)

    def _leave(self, node: Node, rng: Random) -> None:
        if not node.present:
            return
        self._say(f"{node.name} leaves")
        node.present = False
        for worker in [w for w in self._workers.values() if w.node is node]:
            worker.preempted = True
            if not worker.dead or worker.silent:
                worker.silent = False
                self._die(worker)
        self._after(rng.uniform(5.0, 150.0), lambda: self._come_back(node))

    def _come_back(self, node: Node) -> None:
        self._say(f"{node.name} is back")
        node.present = True
        self.usage.returned += node.slots
        self._place()

    def _die(self, worker: SimWorker, silent: bool = False) -> None:
        """Gone; the word of it takes a moment, or comes when something is sent there."""
        if self._workers.get(worker.name) is not worker:
            return
        self._end(worker)
        worker.silent = silent
        if not silent:
            self._after(self._chance.of("word", worker.name).uniform(0.01, 1.0), lambda: self._tell_lost(worker))

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

    def _tell_lost(self, worker: SimWorker) -> None:
        if self._workers.get(worker.name) is not worker:
            return
        self._last_answers(worker)
        cause: Cause = "node" if worker.preempted else self._luck.cause(worker.bundles)
        del self._workers[worker.name]
        self.usage.preempted += cause == "node"
        self.usage.deaths += cause != "node"
        self._emit(worker.name, Lost(worker.name, f"{worker.name} died", cause))

    def _last_answers(self, worker: SimWorker) -> None:
        """Those that were on their way come now, later or never."""
        for attempt in [attempt for attempt in worker.wanted if attempt.scored]:
            rng = self._chance.of("last", attempt.attempt_id)
            if rng.random() < 0.4:
                self._arrive(worker, attempt)
            elif rng.random() < 0.5:
                event = self._answer(worker, attempt)
                self._after(rng.uniform(0.0, 10.0), lambda event=event: self._emit(worker.name, event))  # type: ignore[misc]

"""Workers as Ray actors: each loads base and experts once and is sent coefficients only."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import ray
from ray.actor import ActorHandle
from ray.exceptions import ActorUnavailableError, RayError, RayTaskError

from swarm.core.candidates import Task
from swarm.core.errors import UserError
from swarm.core.examples import Split
from swarm.evaluation.evaluator import EvaluatorSpec
from swarm.evaluation.workload import Workload
from swarm.workers.preflight.checks import Needs
from swarm.workers.preflight.placement import capacity, share
from swarm.workers.ray.actor import Worker
from swarm.workers.ray.connect import alive, connect, first_line
from swarm.workers.ray.probe_nodes import preflight, put
from swarm.workers.scheduling.events import Answered, Broken, Cause, Event, Lost, Placed, Started
from swarm.workers.settings import RayCluster

PAUSE = 0.1  # seconds between two looks when there is nothing that Ray could tell of


@dataclass(frozen=True)
class Call:
    """What a worker was asked: where it is, to start, to take examples, or to score those of a ticket."""

    worker: str
    what: Literal["where", "start", "load", "evaluate"]
    attempt_id: int = 0


class RayBackend:
    """A fleet of actors. Ray never restarts or repeats anything by itself: attempts are the dispatcher's."""

    def __init__(
        self,
        spec: EvaluatorSpec,
        settings: RayCluster,
        needs: Needs | None = None,
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Join or start Ray and look at its nodes, where it is said what they need. Raises UserError."""
        self._settings = settings
        self._owns_ray = connect(settings)
        self._actors: dict[str, ActorHandle] = {}
        self._nodes: dict[str, str] = {}
        self._calls: dict[ray.ObjectRef, Call] = {}
        self._tickets: dict[int, ray.ObjectRef] = {}
        self._splits: dict[Split, Any] = {}
        self._anybody = False  # has a worker ever been ready
        try:
            self._share = share(settings, [node["Resources"] for node in alive()])
            for text in preflight(needs, self._share) if needs else []:
                note(text)
            self._spec = put(spec, "the workers' settings")
        except BaseException:
            self.close()
            raise

    def now(self) -> float:
        return time.monotonic()

    def capacity(self) -> int:
        return capacity(self._settings, self._share, [node["Resources"] for node in alive()])

    def spawn(self, worker: str) -> None:
        # 0 and 0: Ray's own retries would let one poisonous candidate use up every restart.
        actor = (
            ray.remote(Worker)
            .options(
                num_cpus=self._share.cpus,
                num_gpus=self._share.gpus,
                max_restarts=0,
                max_task_retries=0,
                runtime_env={"env_vars": {"OMP_NUM_THREADS": str(self._share.cpus)}},
            )
            .remote()
        )
        self._actors[worker] = actor
        self._calls[actor.where.remote()] = Call(worker, "where")
        self._calls[actor.start.remote(self._spec, worker, self._share.cpus)] = Call(worker, "start")
        for split, workload in self._splits.items():
            self._calls[actor.load.remote(split, workload)] = Call(worker, "load")

    def load(self, split: Split, workload: Workload) -> None:
        self._splits[split] = put(workload, "the examples")
        for worker, actor in self._actors.items():
            self._calls[actor.load.remote(split, self._splits[split])] = Call(worker, "load")

    def send(self, worker: str, attempt_id: int, tasks: Sequence[Task], split: Split) -> None:
        ref = self._actors[worker].evaluate.remote(tasks, split)
        self._calls[ref] = Call(worker, "evaluate", attempt_id)
        self._tickets[attempt_id] = ref

    def drop(self, worker: str, attempt_id: int) -> None:
        if (ref := self._tickets.pop(attempt_id, None)) is None:
            return
        self._calls.pop(ref, None)
        ray.cancel(ref, force=False)  # one that runs cannot be stopped: it ends and nobody hears of it

    def kill(self, worker: str) -> None:
        ray.kill(self._actors.pop(worker))
        self._nodes.pop(worker, None)
        for ref, call in [(ref, call) for ref, call in self._calls.items() if call.worker == worker]:
            del self._calls[ref]
            self._tickets.pop(call.attempt_id, None)

    def wait(self, seconds: float) -> Sequence[Event]:
        refs = list(self._calls)
        if not refs:
            time.sleep(min(seconds, PAUSE))
            return []
        done, _ = ray.wait(refs, num_returns=1, timeout=seconds)
        if done:
            done, _ = ray.wait(refs, num_returns=len(refs), timeout=0)
        return list(self._events(set(done)))

    def close(self) -> None:
        for actor in self._actors.values():
            ray.kill(actor)
        self._actors, self._calls, self._tickets = {}, {}, {}
        if self._owns_ray:
            ray.shutdown()

    def _events(self, done: set[ray.ObjectRef]) -> Iterator[Event]:
        """In the order of the calls: what a worker answered before it died counts."""
        for ref in [ref for ref in self._calls if ref in done]:
            if (call := self._calls.pop(ref, None)) and (event := self._event(ref, call)):
                yield event

    def _event(self, ref: ray.ObjectRef, call: Call) -> Event | None:
        self._tickets.pop(call.attempt_id, None)
        try:
            value = ray.get(ref)
        except RayTaskError as error:
            return self._erred(call, error)
        except RayError as error:
            return self._lost(call, error)
        if call.what == "where":
            self._nodes[call.worker] = value
            return Placed(call.worker)
        if call.what == "start":
            self._anybody = True
            return Started(call.worker)
        return Answered(call.attempt_id, value) if call.what == "evaluate" else None

    def _erred(self, call: Call, error: RayTaskError) -> Event:
        """What a call raised. A mistake of the user's ends the run, unless workers elsewhere do without it."""
        mistake = isinstance(error.cause, UserError)
        if mistake and (call.what == "evaluate" or not self._anybody):
            raise error.cause from None
        if call.what == "evaluate":
            return Broken(call.attempt_id, first_line(error.cause))
        self.kill(call.worker)
        return Lost(call.worker, f"it cannot start: {first_line(error.cause)}", "idle")

    def _lost(self, call: Call, error: RayError) -> Lost:
        """A worker that is gone, or out of reach: that one may live on and keep its share of the cluster."""
        node = self._nodes.get(call.worker)
        # A process that dies is reported dead; only one whose whole machine is silent is unavailable.
        left = isinstance(error, ActorUnavailableError) or getattr(error, "preempted", False)
        left = left or (node is not None and node not in {each["NodeID"] for each in alive()})
        self.kill(call.worker)
        if left:
            return Lost(call.worker, f"its node left: {first_line(error)}", "node")
        cause: Cause = "scoring" if call.what == "evaluate" else "idle"
        return Lost(call.worker, f"the worker died: {first_line(error)}", cause)

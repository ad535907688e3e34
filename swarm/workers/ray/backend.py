"""The backend on Ray: each actor loads the base and the experts once, and is sent nothing but coefficients."""

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
from swarm.workers.preflight.checks import NodeRequirements
from swarm.workers.preflight.placement import capacity, place
from swarm.workers.ray.actor import Worker
from swarm.workers.ray.clock import SteadyClock
from swarm.workers.ray.connect import alive_nodes, connect, first_line
from swarm.workers.ray.probe_nodes import probe_nodes, put
from swarm.workers.scheduling.events import Answered, Cause, Errored, Event, Lost, Placed, Started
from swarm.workers.settings import RayCluster

IDLE_SECONDS = 0.1  # the longest wait when no call is open, so that Ray has nothing to report


@dataclass(frozen=True)
class Call:
    """An open call of an actor's method.

    worker: the actor's name.
    method: what was called.
    attempt_id: the attempt that is evaluated; 0 for the other methods.
    """

    worker: str
    method: Literal["node_id", "start", "load", "evaluate"]
    attempt_id: int = 0


class RayBackend:
    """Actors on a cluster. Ray itself restarts and repeats nothing: the dispatcher decides about attempts."""

    def __init__(
        self,
        spec: EvaluatorSpec,
        settings: RayCluster,
        requirements: NodeRequirements | None = None,
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Join or start Ray, and probe its nodes if there are requirements. Raises UserError."""
        self._settings = settings
        self._owns_ray = connect(settings)
        self._actors: dict[str, ActorHandle] = {}
        self._nodes: dict[str, str] = {}
        self._calls: dict[ray.ObjectRef, Call] = {}
        self._attempts: dict[int, ray.ObjectRef] = {}
        self._splits: dict[Split, Any] = {}
        self._ever_ready = False
        self._clock = SteadyClock()
        try:
            self._placement = place(settings, [node["Resources"] for node in alive_nodes()])
            for text in probe_nodes(requirements, self._placement) if requirements else []:
                note(text)
            self._spec = put(spec, "the workers' settings")
        except BaseException:
            self.close()
            raise

    def now(self) -> float:
        return self._clock.now()

    def capacity(self) -> int:
        return capacity(self._settings, self._placement, [node["Resources"] for node in alive_nodes()])

    def spawn(self, worker: str) -> None:
        # No retries by Ray: a single lethal candidate would use up every restart.
        actor = (
            ray.remote(Worker)
            .options(
                num_cpus=self._placement.cpus,
                num_gpus=self._placement.gpus,
                max_restarts=0,
                max_task_retries=0,
                runtime_env={"env_vars": {"OMP_NUM_THREADS": str(self._placement.cpus)}},
            )
            .remote()
        )
        self._actors[worker] = actor
        self._calls[actor.node_id.remote()] = Call(worker, "node_id")
        self._calls[actor.start.remote(self._spec, worker, self._placement.cpus)] = Call(worker, "start")
        for split, workload in self._splits.items():
            self._calls[actor.load.remote(split, workload)] = Call(worker, "load")

    def load(self, split: Split, workload: Workload) -> None:
        self._splits[split] = put(workload, "the examples")
        for worker, actor in self._actors.items():
            self._calls[actor.load.remote(split, self._splits[split])] = Call(worker, "load")

    def send(self, worker: str, attempt_id: int, tasks: Sequence[Task]) -> None:
        ref = self._actors[worker].evaluate.remote(tasks)
        self._calls[ref] = Call(worker, "evaluate", attempt_id)
        self._attempts[attempt_id] = ref

    def drop(self, worker: str, attempt_id: int) -> None:
        if (ref := self._attempts.pop(attempt_id, None)) is None:
            return
        self._calls.pop(ref, None)
        ray.cancel(ref, force=False)  # a running evaluation cannot be stopped: its result is ignored

    def kill(self, worker: str) -> None:
        ray.kill(self._actors.pop(worker))
        self._nodes.pop(worker, None)
        for ref, call in [(ref, call) for ref, call in self._calls.items() if call.worker == worker]:
            del self._calls[ref]
            self._attempts.pop(call.attempt_id, None)

    def wait(self, seconds: float) -> Sequence[Event]:
        refs = list(self._calls)
        if not refs:
            time.sleep(min(seconds, IDLE_SECONDS))
            return []
        done, _ = ray.wait(refs, num_returns=1, timeout=seconds)
        if done:
            done, _ = ray.wait(refs, num_returns=len(refs), timeout=0)
        return list(self._events(set(done)))

    def close(self) -> None:
        for actor in self._actors.values():
            ray.kill(actor)
        self._actors, self._calls, self._attempts = {}, {}, {}
        if self._owns_ray:
            ray.shutdown()

    def _events(self, done: set[ray.ObjectRef]) -> Iterator[Event]:
        """In the order of the calls, so that answers from before a worker's death count."""
        for ref in [ref for ref in self._calls if ref in done]:
            if (call := self._calls.pop(ref, None)) and (event := self._event(ref, call)):
                yield event

    def _event(self, ref: ray.ObjectRef, call: Call) -> Event | None:
        self._attempts.pop(call.attempt_id, None)
        try:
            value = ray.get(ref)
        except RayTaskError as error:
            return self._error_event(call, error)
        except RayError as error:
            return self._lost_event(call, error)
        if call.method == "node_id":
            self._nodes[call.worker] = value
            return Placed(call.worker)
        if call.method == "start":
            self._ever_ready = True
            return Started(call.worker, value)
        return Answered(call.attempt_id, value) if call.method == "evaluate" else None

    def _error_event(self, call: Call, error: RayTaskError) -> Event:
        """A call raised an error. A UserError ends the run, unless only this worker cannot start."""
        mistake = isinstance(error.cause, UserError)
        if mistake and (call.method in ("load", "evaluate") or not self._ever_ready):
            raise error.cause from None
        if call.method == "evaluate":
            return Errored(call.attempt_id, first_line(error.cause))
        self.kill(call.worker)
        return Lost(call.worker, f"it cannot start: {first_line(error.cause)}", "idle")

    def _lost_event(self, call: Call, error: RayError) -> Lost:
        """A worker is dead or unreachable. It is killed, since an unreachable one may live on and hold resources."""
        node = self._nodes.get(call.worker)
        # A dead process is reported as dead; an actor is unavailable only if its whole machine is silent.
        left = isinstance(error, ActorUnavailableError) or getattr(error, "preempted", False)
        left = left or (node is not None and node not in {each["NodeID"] for each in alive_nodes()})
        self.kill(call.worker)
        if left:
            return Lost(call.worker, f"its node left: {first_line(error)}", "node")
        cause: Cause = "scoring" if call.method == "evaluate" else "idle"
        return Lost(call.worker, f"the worker died: {first_line(error)}", cause)

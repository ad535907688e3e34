"""The pool on Ray actors: each loads base and experts once and is sent coefficients only."""

import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ray
import torch
from ray.actor import ActorHandle
from ray.exceptions import RayActorError, RayError, RayTaskError

from swarm.errors import ConfigError, RunError, UserError
from swarm.evaluator import EvaluatorSpec
from swarm.pool import Failure, Outcome, RayCluster, bundles
from swarm.sharing import share
from swarm.types import Evaluation, Split, Task
from swarm.workload import Workload

RESPAWNS_PER_WORKER = 3


class Worker:
    """The actor: an evaluator in a process of its own."""

    def start(self, spec: EvaluatorSpec, name: str, threads: int) -> None:
        """Load base and experts; no part of construction, so that the user's mistakes come back as they are."""
        torch.set_num_threads(threads)
        self._evaluator = spec.open(name)

    def load(self, split: Split, workload: Workload) -> None:
        self._evaluator.load(split, workload)

    def evaluate(self, tasks: Sequence[Task], split: Split) -> list[Evaluation]:
        return self._evaluator.evaluate(tasks, split)


@dataclass(frozen=True)
class Flight:
    """Candidates on their way: the worker that scores them, and which attempt this is."""

    actor: ActorHandle
    tasks: Sequence[Task]
    attempt: int

    @property
    def next_attempt(self) -> int:
        """A bundle that failed counts for nobody: one of its candidates may be poison to the others."""
        return self.attempt + (len(self.tasks) == 1)


class RayPool:
    """Actors with one bundle of candidates in flight each. One whose worker dies is tried again elsewhere, alone.

    A dead worker is replaced while the others go on; when the respawns are spent, the pool shrinks.
    """

    def __init__(self, spec: EvaluatorSpec, settings: RayCluster) -> None:
        self._settings = settings
        self._splits: dict[Split, Any] = {}
        self._together: dict[Split, int] = {}
        self._names: dict[ActorHandle, str] = {}
        self._ready: list[ActorHandle] = []
        self._starting: dict[ray.ObjectRef, ActorHandle] = {}
        self._started = 0
        self._owns_ray = connect(settings)
        try:
            self._share = share(settings, [node["Resources"] for node in ray.nodes() if node["Alive"]])
            self._spec_ref = ray.put(spec)
            self._respawns = RESPAWNS_PER_WORKER * self._share.workers
            for _ in range(self._share.workers):
                self._spawn()
            self._await_start()
        except BaseException:
            self.close()
            raise

    @property
    def workers(self) -> int:
        return self._share.workers

    def load(self, split: Split, workload: Workload) -> None:
        self._together[split] = workload.together
        self._splits[split] = ray.put(workload)
        told = [(actor, actor.load.remote(split, self._splits[split])) for actor in self._ready]
        for actor, ref in told:
            try:
                ray.get(ref)
            except RayActorError:
                self._ready.remove(actor)
                self._replace(actor)

    def run(self, tasks: Sequence[Task], split: Split) -> Iterator[Outcome]:
        waiting = deque((bundle, 1) for bundle in bundles(tasks, self._together[split]))
        flying: dict[ray.ObjectRef, Flight] = {}
        try:
            while waiting or flying:
                while waiting and self._ready:
                    flight = Flight(self._ready.pop(), *waiting.popleft())
                    flying[flight.actor.evaluate.remote(flight.tasks, split)] = flight
                done = self._next(list(flying))
                if done not in flying:
                    self._receive(done)
                    continue
                flight = flying.pop(done)
                outcomes = self._outcomes(done, flight)
                if any(isinstance(outcome, Failure) for outcome in outcomes):
                    waiting.extend(([task], flight.next_attempt) for task in flight.tasks)
                yield from outcomes
        finally:
            for ref, flight in flying.items():
                ray.cancel(ref, force=False)
                self._ready.append(flight.actor)

    def close(self) -> None:
        for actor in self._names:
            ray.kill(actor)
        self._names, self._ready, self._starting = {}, [], {}
        if self._owns_ray:
            ray.shutdown()

    def _next(self, flying: Sequence[ray.ObjectRef]) -> ray.ObjectRef:
        """The next evaluation or start of a worker that has ended."""
        if not flying and not self._starting:
            raise RunError(
                f"cluster: workers died {self._started} times and none is left; look at their logs (memory?), "
                "then swarm resume"
            )
        timeout = None if flying else self._settings.start_seconds
        done, _ = ray.wait([*flying, *self._starting], num_returns=1, timeout=timeout)
        if not done:
            raise self._late()
        return done[0]

    def _outcomes(self, ref: "ray.ObjectRef[list[Evaluation]]", flight: Flight) -> Sequence[Outcome]:
        """What came of a finished bundle; its worker is ready again, or replaced where it died."""
        name = self._names[flight.actor]
        try:
            evaluations: list[Evaluation] = ray.get(ref)
        except RayTaskError as error:
            self._ready.append(flight.actor)
            if isinstance(error.cause, UserError):
                raise error.cause from None
            reason = _first_line(error.cause)
        except RayError as error:
            reason = f"the worker died: {_first_line(error)}"
            self._replace(flight.actor)
        else:
            self._ready.append(flight.actor)
            return evaluations
        candidates = [task.candidate for task in flight.tasks]
        if flight.next_attempt <= self._settings.attempts:
            return [Failure(candidate, flight.attempt, reason, name) for candidate in candidates]
        return [Evaluation(candidate, "failed", worker=name, error=reason) for candidate in candidates]

    def _spawn(self) -> None:
        name = f"worker-{self._started}"
        self._started += 1
        # 0 and 0: the coordinator counts attempts a candidate itself; Ray's own retries would let one
        # poisonous candidate use up every restart.
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
        self._names[actor] = name
        self._starting[actor.start.remote(self._spec_ref, name, self._share.cpus)] = actor

    def _replace(self, dead: ActorHandle) -> None:
        # One that is out of reach may live on and keep its share of the cluster.
        ray.kill(dead)
        del self._names[dead]
        if self._respawns > 0:
            self._respawns -= 1
            self._spawn()

    def _receive(self, started: ray.ObjectRef) -> None:
        """Take in a worker that has loaded the experts; one that died over it is replaced."""
        actor = self._starting[started]
        try:
            self._welcome(started)
        except RayActorError:
            self._replace(actor)

    def _welcome(self, started: ray.ObjectRef) -> None:
        actor = self._starting.pop(started)
        try:
            ray.get(started)
            ray.get([actor.load.remote(split, examples) for split, examples in self._splits.items()])
        except RayTaskError as error:
            if isinstance(error.cause, UserError):
                raise error.cause from None
            raise
        self._ready.append(actor)

    def _await_start(self) -> None:
        """Until all of the first workers are ready. Raises RunError where one dies or takes too long."""
        deadline = time.monotonic() + self._settings.start_seconds
        while self._starting:
            left = max(0.0, deadline - time.monotonic())
            done, _ = ray.wait(list(self._starting), num_returns=1, timeout=left)
            if not done:
                raise self._late()
            try:
                self._welcome(done[0])
            except RayActorError as error:
                raise RunError(f"cluster: a worker died while it loaded the experts: {_first_line(error)}") from error

    def _late(self) -> RunError:
        return RunError(
            f"cluster.start_seconds: workers did not start within {self._settings.start_seconds:g} s; "
            "ask for fewer or smaller workers, or raise it"
        )


def connect(settings: RayCluster) -> bool:
    """Join the cluster that is named, or start Ray on this machine. True where Ray was started here."""
    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    address = settings.address or os.environ.get("RAY_ADDRESS")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address:
            ray.init(address=address, **quiet)
        else:
            ray.init(address="local", include_dashboard=False, **quiet)
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        raise ConfigError(
            f"cluster.address: no Ray cluster at {address!r} ({_first_line(error)}); start one with ray start --head"
        ) from error
    return not address


def _first_line(error: BaseException) -> str:
    with contextlib.suppress(IndexError):
        return str(error).strip().splitlines()[0]
    return type(error).__name__

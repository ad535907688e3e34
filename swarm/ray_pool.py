"""The pool on Ray actors: each loads base and experts once and is sent coefficients only."""

import contextlib
import logging
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray
import torch
from ray.actor import ActorHandle
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError

from swarm.errors import ConfigError, RunError, UserError
from swarm.evaluator import EvaluatorSpec, Examples
from swarm.pool import Failure, Outcome, RayCluster
from swarm.types import Candidate, Evaluation, Split

CORES_PER_WORKER = 4
RESPAWNS_PER_WORKER = 3


class Worker:
    """The actor: an evaluator in a process of its own."""

    def start(self, spec: EvaluatorSpec, name: str, threads: int) -> None:
        """Load base and experts; no part of construction, so that the user's mistakes come back as they are."""
        torch.set_num_threads(threads)
        self._evaluator = spec.open(name)

    def load(self, split: Split, examples: Examples) -> None:
        self._evaluator.load(split, examples)

    def evaluate(self, candidate: Candidate, split: Split) -> Evaluation:
        return self._evaluator.evaluate(candidate, split)


@dataclass(frozen=True)
class Share:
    """What every worker gets of the cluster."""

    workers: int
    cpus: int
    gpus: float


class RayPool:
    """Actors with one candidate in flight each. A candidate whose worker dies is tried again elsewhere."""

    def __init__(self, spec: EvaluatorSpec, settings: RayCluster) -> None:
        self._settings = settings
        self._splits: dict[Split, Any] = {}
        self._owns_ray = connect(settings)
        self._share = share(settings, ray.cluster_resources())
        self._spec_ref = ray.put(spec)
        self._respawns = RESPAWNS_PER_WORKER * self._share.workers
        self._names: dict[ActorHandle, str] = {}
        self._started = 0
        self._actors = [self._spawn() for _ in range(self._share.workers)]
        self._await_start(self._actors)

    @property
    def workers(self) -> int:
        return self._share.workers

    def load(self, split: Split, examples: Examples) -> None:
        self._splits[split] = ray.put(dict(examples))
        ray.get([actor.load.remote(split, self._splits[split]) for actor in self._actors])

    def run(self, candidates: Sequence[Candidate], split: Split) -> Iterator[Outcome]:
        waiting = deque((candidate, 1) for candidate in candidates)
        idle = list(self._actors)
        flying: dict[ray.ObjectRef, tuple[ActorHandle, Candidate, int]] = {}
        try:
            while waiting or flying:
                while waiting and idle:
                    actor, (candidate, attempt) = idle.pop(), waiting.popleft()
                    flying[actor.evaluate.remote(candidate, split)] = (actor, candidate, attempt)
                (done,), _ = ray.wait(list(flying), num_returns=1)
                actor, candidate, attempt = flying.pop(done)
                outcome, actor = self._outcome(done, actor, candidate, attempt)
                idle.append(actor)
                if isinstance(outcome, Failure):
                    waiting.append((candidate, attempt + 1))
                yield outcome
        finally:
            for ref in flying:
                ray.cancel(ref, force=False)

    def close(self) -> None:
        for actor in self._actors:
            ray.kill(actor)
        self._actors = []
        if self._owns_ray:
            ray.shutdown()

    def _outcome(
        self, ref: "ray.ObjectRef[Evaluation]", actor: ActorHandle, candidate: Candidate, attempt: int
    ) -> tuple[Outcome, ActorHandle]:
        """The result of a finished task, and the worker that stands in the same place afterwards."""
        name = self._names[actor]
        try:
            return ray.get(ref), actor
        except RayActorError as error:
            reason = f"the worker died: {_first_line(error)}"
            actor = self._replace(actor)
        except RayTaskError as error:
            if isinstance(error.cause, UserError):
                raise error.cause from None
            reason = _first_line(error.cause)
        if attempt < self._settings.attempts:
            return Failure(candidate, attempt, reason, name), actor
        return Evaluation(candidate, "failed", worker=name, error=reason), actor

    def _spawn(self) -> ActorHandle:
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
        return actor

    def _replace(self, dead: ActorHandle) -> ActorHandle:
        if self._respawns == 0:
            raise RunError(
                f"cluster: workers died {RESPAWNS_PER_WORKER * self._share.workers + 1} times; the last was "
                f"{self._names[dead]}; look at its log (memory?), then swarm resume"
            )
        self._respawns -= 1
        actor = self._spawn()
        self._await_start([actor])
        ray.get([actor.load.remote(split, examples) for split, examples in self._splits.items()])
        self._actors[self._actors.index(dead)] = actor
        return actor

    def _await_start(self, actors: Sequence[ActorHandle]) -> None:
        try:
            ray.get(
                [actor.start.remote(self._spec_ref, self._names[actor], self._share.cpus) for actor in actors],
                timeout=self._settings.start_seconds,
            )
        except GetTimeoutError:
            raise RunError(
                f"cluster.start_seconds: workers did not start within {self._settings.start_seconds:g} s; "
                "ask for fewer or smaller workers, or raise it"
            ) from None
        except RayTaskError as error:
            if isinstance(error.cause, UserError):
                raise error.cause from None
            raise
        except RayActorError as error:
            raise RunError(f"cluster: a worker died while it loaded the experts: {_first_line(error)}") from error


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
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"cluster.address: no Ray cluster at {address!r} ({_first_line(error)}); start one with ray start --head"
        ) from error
    return not address


def share(settings: RayCluster, resources: Mapping[str, float]) -> Share:
    """Workers and their size from what the cluster has. Raises ConfigError for what it cannot hold."""
    cores, gpus = int(resources.get("CPU", 1)), resources.get("GPU", 0.0)
    gpus_each = settings.gpus_per_worker if settings.gpus_per_worker != "auto" else min(1.0, gpus)
    if settings.workers != "auto":
        workers = settings.workers
    elif gpus_each:
        workers = max(1, int(gpus / gpus_each))
    else:
        workers = max(1, min(2, cores), cores // CORES_PER_WORKER)
    cpus_each = settings.cpus_per_worker if settings.cpus_per_worker != "auto" else max(1, cores // workers)
    if workers * gpus_each > gpus:
        raise ConfigError(
            f"cluster.gpus_per_worker: {workers} workers with {gpus_each:g} GPUs each need {workers * gpus_each:g}, "
            f"but the cluster has {gpus:g}; ask for fewer workers or GPUs"
        )
    if workers * cpus_each > cores:
        raise ConfigError(
            f"cluster.workers: {workers} workers with {cpus_each} cores each need {workers * cpus_each}, "
            f"but the cluster has {cores}; ask for fewer workers or set cpus_per_worker"
        )
    return Share(workers, cpus_each, gpus_each)


def _first_line(error: BaseException) -> str:
    with contextlib.suppress(IndexError):
        return str(error).strip().splitlines()[0]
    return type(error).__name__

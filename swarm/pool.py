"""Pools: what candidates are handed to, and where evaluations and failures come out, in any order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import Field, field_validator

from swarm.evaluator import EvaluatorSpec
from swarm.settings import Settings
from swarm.types import Candidate, Evaluation, Split, Task
from swarm.workload import Workload


@dataclass(frozen=True)
class Failure:
    """One failed attempt at a candidate that will be tried again: data for the journal."""

    candidate: Candidate
    attempt: int
    error: str
    worker: str


Outcome = Evaluation | Failure


class Pool(Protocol):
    """Workers that hold base and experts; candidates go in, outcomes come out as they finish."""

    @property
    def workers(self) -> int:
        """How many candidates are scored at a time."""

    def load(self, split: Split, workload: Workload) -> None:
        """Give every worker the examples of a split."""

    def run(self, tasks: Sequence[Task], split: Split) -> Iterator[Outcome]:
        """Exactly one Evaluation for every candidate, Failures between them. Closing the iterator cancels the rest."""

    def close(self) -> None:
        """Let the workers go."""


class LocalCluster(Settings):
    """Everything in this process: for tests and debugging."""

    type: Literal["local"] = "local"


class RayCluster(Settings):
    """Ray actors: on a running cluster where there is one, else on a Ray of our own on this machine."""

    type: Literal["ray"] = "ray"
    address: str | None = Field(None, description="a running cluster; none: RAY_ADDRESS, else a local Ray")
    workers: int | Literal["auto"] = Field("auto", description="actors; auto: what the cluster's resources hold")
    cpus_per_worker: int | Literal["auto"] = Field("auto", description="CPU cores, and torch threads, an actor")
    gpus_per_worker: float | Literal["auto"] = Field(
        "auto", description="GPUs an actor, a share of one or whole ones; auto: 1 where there are GPUs"
    )
    attempts: int = Field(2, ge=1, description="times a candidate is tried before it counts as failed")
    start_seconds: float = Field(600.0, gt=0, description="time for a worker to load base and experts")

    @field_validator("workers", "cpus_per_worker", mode="before")
    @classmethod
    def _count(cls, value: object) -> object:
        if value != "auto" and not (type(value) is int and value >= 1):
            raise ValueError("it is none of: auto, a whole number of at least 1")
        return value

    @field_validator("gpus_per_worker", mode="before")
    @classmethod
    def _gpus(cls, value: object) -> object:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value == "auto" or (number and (0 <= value <= 1 or (value > 1 and value % 1 == 0))):  # type: ignore[operator]
            return value
        raise ValueError("it is none of: auto, a part of one GPU (0 to 1), a whole number of GPUs")


ClusterSettings = LocalCluster | RayCluster


def bundles(tasks: Sequence[Task], size: int) -> list[list[Task]]:
    """The tasks in order, `size` at a time: a function of the tasks alone, not of the workers."""
    return [list(tasks[i : i + size]) for i in range(0, len(tasks), size)]


class LocalPool:
    """One evaluator in this process."""

    workers = 1

    def __init__(self, spec: EvaluatorSpec) -> None:
        self._evaluator = spec.open("local")
        self._together: dict[Split, int] = {}

    def load(self, split: Split, workload: Workload) -> None:
        self._together[split] = workload.together
        self._evaluator.load(split, workload)

    def run(self, tasks: Sequence[Task], split: Split) -> Iterator[Outcome]:
        for bundle in bundles(tasks, self._together[split]):
            yield from self._evaluator.evaluate(bundle, split)

    def close(self) -> None:
        del self._evaluator

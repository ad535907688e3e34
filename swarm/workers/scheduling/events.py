"""The seam between the coordinator and the workers: the backend protocol and the events that it reports.

An attempt is one try at scoring a bundle of candidates at one worker; its `attempt_id` is unique within a search.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from swarm.core.candidates import Evaluation, Task
from swarm.core.examples import Split
from swarm.evaluation.workload import Workload

Cause = Literal["scoring", "hanging", "idle", "node"]


@dataclass(frozen=True)
class Placed:
    """A worker has been placed on a node and begins to load."""

    worker: str


@dataclass(frozen=True)
class Started:
    """A worker has loaded the base, the experts and the examples. notes: what the user should know of its engine."""

    worker: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lost:
    """A worker is gone, with everything that was sent to it.

    cause: "scoring": it died while it scored, and a candidate may be to blame. "hanging": it was silent for too long.
        "idle": it died before it scored anything. "node": its node left the cluster, which is nobody's fault.
    """

    worker: str
    reason: str
    cause: Cause


@dataclass(frozen=True)
class Answered:
    """The evaluations of an attempt, in the order of its tasks."""

    attempt_id: int
    evaluations: Sequence[Evaluation]


@dataclass(frozen=True)
class Errored:
    """An attempt raised an error instead of returning evaluations; its worker is alive."""

    attempt_id: int
    reason: str


Event = Placed | Started | Lost | Answered | Errored


class Backend(Protocol):
    """Workers, addressed by name. Only `wait` blocks. Each event is reported there once.

    Events of one worker come in order, except for answers that were in transit when it was lost. Events of different
    workers come in any order. After `kill` and `drop` nothing more is reported of that worker or attempt.
    """

    def now(self) -> float:
        """Seconds on a clock that never runs backwards."""

    def capacity(self) -> int:
        """The number of workers that the present nodes would hold if nobody else used them."""

    def spawn(self, worker: str) -> None:
        """Start a worker. It may wait for its place for a long time."""

    def load(self, split: Split, workload: Workload) -> None:
        """Give the examples of a split to every worker, including those that start later."""

    def send(self, worker: str, attempt_id: int, tasks: Sequence[Task]) -> None:
        """Let a worker score candidates after everything that it was sent before."""

    def drop(self, worker: str, attempt_id: int) -> None:
        """Cancel an attempt. A worker that has not begun it may skip it."""

    def kill(self, worker: str) -> None:
        """End a worker, whatever it is doing."""

    def wait(self, seconds: float) -> Sequence[Event]:
        """The events so far, as soon as there are any; an empty list after `seconds`. Raises UserError."""

    def close(self) -> None:
        """End all workers."""

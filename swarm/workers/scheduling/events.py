"""The seam to the workers: what the coordinator asks of them, what they tell it, and the clock.

A ticket is the number of one attempt to score a bundle of candidates at one worker.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from swarm.core.candidates import Evaluation, Task
from swarm.core.examples import Split
from swarm.evaluation.workload import Workload


@dataclass(frozen=True)
class Placed:
    """A worker has got its place on a node, and begins to load."""

    worker: str


@dataclass(frozen=True)
class Started:
    """A worker has loaded base, experts and examples."""

    worker: str


Cause = Literal["scoring", "hanging", "idle", "node"]


@dataclass(frozen=True)
class Lost:
    """A worker is gone, with all that was sent to it.

    cause: it died while it was scoring, which a candidate may be to blame for; it was silent for too long; it died
    before it came to scoring; or its node left, which is nobody's fault.
    """

    worker: str
    reason: str
    cause: Cause


@dataclass(frozen=True)
class Answered:
    """The evaluations of a ticket, in the order of its tasks."""

    attempt_id: int
    evaluations: Sequence[Evaluation]


@dataclass(frozen=True)
class Broken:
    """A ticket ended in an error that no evaluation should end in; its worker lives."""

    attempt_id: int
    reason: str


Event = Placed | Started | Lost | Answered | Broken


class Backend(Protocol):
    """Workers by name. No call waits for a worker but `wait`; what happened comes out there, once, in any order.

    What one worker does comes in its order, but for answers that were on their way when it was lost.

    Of a worker that was killed and a ticket that was dropped nothing is told any more.
    """

    def now(self) -> float:
        """Seconds of a clock that never goes back."""

    def capacity(self) -> int:
        """How many workers the nodes that are there now would hold, were nobody else on them."""

    def spawn(self, worker: str) -> None:
        """Start a worker; its place may be long in coming."""

    def load(self, split: Split, workload: Workload) -> None:
        """Give every worker, also those to come, the examples of a split."""

    def send(self, worker: str, attempt_id: int, tasks: Sequence[Task], split: Split) -> None:
        """Have a worker score candidates after all that it was sent before."""

    def drop(self, worker: str, attempt_id: int) -> None:
        """Forget a ticket; a worker that has not begun it need not."""

    def kill(self, worker: str) -> None:
        """End a worker, whatever it does."""

    def wait(self, seconds: float) -> Sequence[Event]:
        """What happened, as soon as anything did; nothing after so many seconds. Raises the user's mistakes."""

    def close(self) -> None:
        """End all workers."""

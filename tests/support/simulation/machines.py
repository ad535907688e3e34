"""Simulated workers and nodes, and the attempts at each."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from swarm.core.candidates import Task


class Violation(AssertionError):  # noqa: N818
    """A property that must hold does not."""


@dataclass(eq=False)
class SimAttempt:
    """An attempt that was sent to a worker.

    dropped: the driver cancelled it.
    scored: its answer is in transit.
    errored: the answer is an error.
    """

    attempt_id: int
    tasks: Sequence[Task]
    dropped: bool = False
    scored: bool = False
    errored: bool = False

    def __str__(self) -> str:
        return f"{self.attempt_id} ({', '.join(task.candidate.id for task in self.tasks)})"


@dataclass(eq=False)
class SimNode:
    """A machine with slots for workers. It may leave and come back."""

    name: str
    slots: int
    present: bool = True
    used: int = 0

    @property
    def free(self) -> int:
        return self.slots - self.used if self.present else 0


@dataclass(eq=False)
class SimWorker:
    """A worker's process.

    slowness: its seconds per second of the fastest worker.
    silent: it is dead, and the driver notices only when it sends something.
    attempts: every attempt by id that the driver has had no event of.
    queue: the attempts that wait.
    """

    name: str
    slowness: float
    node: SimNode | None = None
    up: bool = False
    dead: bool = False
    silent: bool = False
    preempted: bool = False
    hung: bool = False
    attempts: dict[int, SimAttempt] = field(default_factory=dict)
    queue: deque[SimAttempt] = field(default_factory=deque)
    running: SimAttempt | None = None
    began: float = 0.0
    up_since: float = 0.0

    @property
    def wanted(self) -> list[SimAttempt]:
        """The attempts that the driver waits for, in the order in which they were sent."""
        return [attempt for attempt in self.attempts.values() if not attempt.dropped]

    @property
    def bundles(self) -> list[Sequence[Task]]:
        """The tasks of these attempts."""
        return [attempt.tasks for attempt in self.wanted]

    @property
    def first(self) -> SimAttempt | None:
        """The attempt that the coordinator believes to be running."""
        return next((attempt for attempt in self.attempts.values() if not attempt.dropped), None)


@dataclass
class Usage:
    """What a session's workers did.

    up: seconds that workers were ready.
    busy: seconds that they scored.
    preempted: workers lost with their node.
    returned: slots of nodes that came back.
    sent: attempts.
    most: the largest number of workers at a time.
    """

    up: float = 0.0
    busy: float = 0.0
    spawned: int = 0
    deaths: int = 0
    preempted: int = 0
    kills: int = 0
    returned: int = 0
    sent: int = 0
    most: int = 0

    @property
    def idle(self) -> float:
        """The share of the time since they were ready in which workers had nothing to do."""
        return 1.0 - self.busy / self.up

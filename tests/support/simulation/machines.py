"""Simulated workers and nodes, and what lies at them."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from swarm.core.candidates import Task


class Violation(AssertionError):  # noqa: N818
    """Something that must hold does not."""


@dataclass(eq=False)
class Attempt:
    """What was sent under a ticket. scored: its answer is on its way. broke: the answer is that it broke."""

    attempt_id: int
    tasks: Sequence[Task]
    dropped: bool = False
    scored: bool = False
    broke: bool = False

    def __str__(self) -> str:
        return f"{self.attempt_id} ({', '.join(task.candidate.id for task in self.tasks)})"


@dataclass(eq=False)
class Node:
    """A machine with room for some workers. It leaves and comes back."""

    name: str
    slots: int
    present: bool = True
    used: int = 0

    @property
    def free(self) -> int:
        return self.slots - self.used if self.present else 0


@dataclass(eq=False)
class SimWorker:
    """A worker's process. pace: seconds it takes for a second of work. attempts: all that nobody has told of yet."""

    name: str
    pace: float
    node: Node | None = None
    up: bool = False
    dead: bool = False
    silent: bool = False
    preempted: bool = False
    hung: bool = False
    attempts: dict[int, Attempt] = field(default_factory=dict)
    queue: deque[Attempt] = field(default_factory=deque)
    running: Attempt | None = None
    began: float = 0.0
    up_since: float = 0.0

    @property
    def wanted(self) -> list[Attempt]:
        """What an answer is waited for, in the order in which it was sent."""
        return [attempt for attempt in self.attempts.values() if not attempt.dropped]

    @property
    def bundles(self) -> list[Sequence[Task]]:
        """The tasks of these."""
        return [attempt.tasks for attempt in self.wanted]

    @property
    def first(self) -> Attempt | None:
        """What the coordinator takes for running."""
        return next((attempt for attempt in self.attempts.values() if not attempt.dropped), None)


@dataclass
class Usage:
    """Seconds that workers were up, and those that they scored in; what was spawned and lost."""

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

"""What the dispatcher orders: attempts to be sent to workers, and to be cancelled there."""

from collections.abc import Sequence
from dataclasses import dataclass

from swarm.core.candidates import Task


@dataclass(frozen=True)
class Send:
    """Let the worker score the tasks, after everything in its queue."""

    worker: str
    attempt_id: int
    tasks: Sequence[Task]


@dataclass(frozen=True)
class Drop:
    """Cancel an attempt: its answer is no longer wanted."""

    worker: str
    attempt_id: int


Order = Send | Drop

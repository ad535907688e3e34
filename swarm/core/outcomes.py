"""Tasks on their way to workers, and what comes back: evaluations, and attempts that failed."""

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice, takewhile

from swarm.core.candidates import Candidate, Evaluation, Task


@dataclass(frozen=True)
class Failure:
    """A failed attempt at a candidate that will be tried again: data for the journal.

    candidate: whose attempt failed.
    attempt: how many attempts have been charged to the candidate. One that was preempted is not charged, nor one that
        another candidate may have made fail.
    error: why it failed, in one line.
    worker: the name of the worker.
    """

    candidate: Candidate
    attempt: int
    error: str
    worker: str


Outcome = Evaluation | Failure
Feed = deque[Task]  # workers take tasks from the left; a search may append more while they are at work


@contextmanager
def closed(outcomes: Iterator[Outcome]) -> Iterator[Iterator[Outcome]]:
    """The outcomes, for a block at whose end every task without one is cancelled, whatever ends it."""
    try:
        yield outcomes
    finally:
        if isinstance(outcomes, Generator):
            outcomes.close()


def take(feed: Feed, size: int) -> list[Task]:
    """Remove the first `size` tasks from a feed and return them; fewer where it holds fewer."""
    return [feed.popleft() for _ in range(min(size, len(feed)))]


def take_bundle(feed: Feed, most: int) -> list[Task]:
    """Remove the first task from a feed, and those behind it that are best scored together with it; at most `most`."""
    kind = _kind(feed[0])
    alike = takewhile(lambda task: _kind(task) == kind, islice(feed, min(feed[0].together, most)))
    return take(feed, sum(1 for _ in alike))


def _kind(task: Task) -> tuple[object, ...]:
    """What tasks that are scored together have in common."""
    return task.split, task.background, task.together

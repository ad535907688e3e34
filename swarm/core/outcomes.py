"""What comes of handing candidates to workers: evaluations, and attempts that failed."""

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from swarm.core.candidates import Candidate, Evaluation, Task


@dataclass(frozen=True)
class Failure:
    """One failed attempt at a candidate that will be tried again: data for the journal.

    attempt: how many attempts are charged to the candidate by now; one that was preempted, or that another candidate
    may be to blame for, is not.
    """

    candidate: Candidate
    attempt: int
    error: str
    worker: str


Outcome = Evaluation | Failure


Feed = deque[Task]


@contextmanager
def closed(outcomes: Iterator[Outcome]) -> Iterator[Iterator[Outcome]]:
    """The outcomes; in the end, whatever ends it, what has none yet is cancelled."""
    try:
        yield outcomes
    finally:
        if isinstance(outcomes, Generator):
            outcomes.close()


def take(feed: Feed, size: int) -> list[Task]:
    """The first `size` tasks of a feed, taken out of it; fewer where it holds no more."""
    return [feed.popleft() for _ in range(min(size, len(feed)))]

"""Bugs that the invariants must find: each replaces one method of the program's own class."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from swarm.core.candidates import Evaluation, Task
from swarm.core.outcomes import Outcome
from swarm.journal.archive import Archive
from swarm.journal.records import Record, StartRecord
from swarm.workers.scheduling.dispatcher import Dispatcher


@dataclass(frozen=True)
class Mutant:
    """A method of a class and its replacement."""

    owner: type
    method: str
    replacement: Callable[..., Any]


_failed, _answered, _submit, _append = Dispatcher._failed, Dispatcher.answered, Dispatcher.submit, Archive.append


def lose_retries(self: Dispatcher, *arguments: Any, **named: Any) -> Sequence[Outcome]:
    """A bundle whose worker is lost is forgotten if another one already waits to be retried."""
    before = len(self._retries)
    outcomes = _failed(self, *arguments, **named)
    while len(self._retries) > max(before, 1):
        self._retries.popleft()
    return outcomes


def count_late_answers(
    self: Dispatcher, attempt_id: int, evaluations: Sequence[Evaluation], now: float
) -> Sequence[Outcome]:
    """The slower of two copies counts too, and so does a dropped attempt."""
    return _answered(self, attempt_id, evaluations, now) or evaluations


def lose_what_runs(self: Dispatcher, tasks: Sequence[Task]) -> None:
    """A background task that still runs when it is submitted again is taken for answered."""
    _submit(self, [task for task in tasks if (task.candidate, task.split) not in self._kept])


def write_late(self: Archive, record: Record) -> None:
    """A line is in the index at once, and on disk only when the next one comes."""
    held = self.__dict__.pop("held", None)
    if held is not None:
        self.journal.append(held)
    if isinstance(record, StartRecord):
        _append(self, record)
        return
    self.__dict__["held"] = record
    self._add(record)


MUTANTS = {
    "a lost retry": Mutant(Dispatcher, "_failed", lose_retries),
    "a late duplicate counted": Mutant(Dispatcher, "answered", count_late_answers),
    "a running background task lost": Mutant(Dispatcher, "submit", lose_what_runs),
    "a state moved before its journal line": Mutant(Archive, "append", write_late),
}

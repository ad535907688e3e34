"""Bugs that the invariants have to find: each is planted in the program's own class, in one method's place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from swarm.core.candidates import Evaluation
from swarm.core.outcomes import Outcome
from swarm.journal.archive import Archive
from swarm.journal.records import Kind
from swarm.workers.scheduling.dispatcher import Dispatcher


@dataclass(frozen=True)
class Mutant:
    """A method of a class and what stands in its place."""

    owner: type
    method: str
    replacement: Callable[..., Any]


_failed, _answered, _append = Dispatcher._failed, Dispatcher.answered, Archive.append


def lose_what_should_be_tried_again(self: Dispatcher, *arguments: Any, **named: Any) -> Sequence[Outcome]:
    """A bundle whose worker is lost is forgotten now and then: where it would be the second in the queue."""
    before = len(self._again)
    outcomes = _failed(self, *arguments, **named)
    while len(self._again) > max(before, 1):
        self._again.popleft()
    return outcomes


def count_late_answers(
    self: Dispatcher, number: int, evaluations: Sequence[Evaluation], now: float
) -> Sequence[Outcome]:
    """The slower of two copies counts too, and so does what was dropped."""
    return _answered(self, number, evaluations, now) or evaluations


def write_behind(self: Archive, kind: Kind, **content: object) -> None:
    """A line is known at once, and written when the next one comes."""
    held = self.__dict__.pop("held", None)
    if held is not None:
        self.journal.append(held)
    if kind == "start":
        _append(self, kind, **content)
        return
    self.__dict__["held"] = {"kind": kind, **content, "elapsed": 0.0}
    self._index(self.__dict__["held"])


MUTANTS = {
    "a lost requeue": Mutant(Dispatcher, "_failed", lose_what_should_be_tried_again),
    "a late duplicate counted": Mutant(Dispatcher, "answered", count_late_answers),
    "a state moved before its journal line": Mutant(Archive, "append", write_behind),
}

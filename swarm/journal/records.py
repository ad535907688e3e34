"""The records of a journal as types: what a run writes, one line each, and reads back."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from swarm.core.examples import Split
from swarm.core.outcomes import Failure
from swarm.core.secrets import redacted
from swarm.journal.evaluation_record import EvaluationRecord as EvaluationRecord
from swarm.journal.evaluation_record import Finite, Number, Seconds
from swarm.journal.evaluation_record import Kind as Kind
from swarm.journal.evaluation_record import KnownRecord as KnownRecord
from swarm.journal.evaluation_record import ScoredRecord as ScoredRecord
from swarm.journal.sources import Continued as Continued
from swarm.journal.sources import Item as Item
from swarm.journal.sources import Source as Source
from swarm.statistics.intervals import Score


class JournalRecord(BaseModel):
    """One line of a journal.

    elapsed: seconds that the run had worked when the line was written, over all its sessions.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)
    left_out_if_empty: ClassVar[tuple[str, ...]] = ()

    kind: str
    elapsed: Seconds = 0.0

    def content(self) -> dict[str, Any]:
        """The line as it is written: the kind, the fields that were given, the time."""
        absent = {name for name in self.left_out_if_empty if not getattr(self, name)}
        fields = self.model_dump(mode="json", exclude_unset=True, exclude={"kind", "elapsed", *absent})
        return {"kind": self.kind, **fields, "elapsed": self.elapsed}

    def timed(self, elapsed: float) -> Self:
        return self.model_copy(update={"elapsed": elapsed})


class StartRecord(JournalRecord):
    """The first line: what the run rests on.

    settings: a fingerprint of the settings that decide scores and positions.
    items: objective -> split -> examples in order.
    notes: what the user should know of data and experts.
    code: objective -> file in the folder of the user's modules -> fingerprint; empty in journals of earlier versions.
    continued: the run that it continues; None for most.
    """

    left_out_if_empty: ClassVar[tuple[str, ...]] = ("code", "continued")

    kind: Literal["start"] = "start"
    time: str
    version: str
    seed: int
    optimizer: str
    settings: str = ""
    coordinates: tuple[str, ...]
    base: Source
    experts: dict[str, Source]
    items: dict[str, dict[Split, tuple[Item, ...]]]
    notes: tuple[str, ...] = ()
    code: dict[str, dict[str, str]] = {}
    continued: Continued | None = None

    @property
    def sources(self) -> dict[str, Source]:
        """Base and experts under the names that error messages use."""
        return {"base": self.base, **{f"expert {name}": source for name, source in self.experts.items()}}


class FailureRecord(JournalRecord):
    """A failed attempt at a candidate that will be tried again.

    attempt: how many attempts are charged to the candidate by now.
    """

    kind: Literal["failure"] = "failure"
    id: str
    attempt: Number
    error: str
    worker: str

    @classmethod
    def of(cls, failure: Failure) -> "FailureRecord":
        return cls(
            id=failure.candidate.id, attempt=failure.attempt, error=redacted(failure.error), worker=failure.worker
        )


class VoidRecord(JournalRecord):
    """The search ended with failures that say nothing of its candidates: from the first one on, its evaluations are
    void, and a resumed run scores those candidates again.

    failed: how many failed, out of `scored`.
    error: the first one's.
    """

    kind: Literal["void"] = "void"
    failed: Number
    scored: Number
    error: str


def _finite(predicted: dict[str, Score]) -> dict[str, Score]:
    if not all(math.isfinite(end) for score in predicted.values() for end in (score.mean, score.low, score.high)):
        raise ValueError("should be finite numbers")
    return predicted


class EndRecord(JournalRecord):
    """The end of a phase, and its reason.

    workers: of a search, the average number of workers in its last session.
    predicted: of a selection, objective -> predicted test score of the winner, made before the test split is opened.
    notes: of a search, what the user should know of how the engines ran the base.
    """

    left_out_if_empty: ClassVar[tuple[str, ...]] = ("notes",)

    kind: Literal["end"] = "end"
    phase: Literal["search", "select", "run"]
    reason: str
    workers: Finite = 1
    predicted: Annotated[dict[str, Score], AfterValidator(_finite)] = {}
    notes: tuple[str, ...] = ()


Record = StartRecord | FailureRecord | VoidRecord | EndRecord | EvaluationRecord | KnownRecord

RECORDS: dict[str, type[Record]] = {
    "start": StartRecord,
    "failure": FailureRecord,
    "void": VoidRecord,
    "end": EndRecord,
    "evaluation": EvaluationRecord,
    "select": EvaluationRecord,
    "test": EvaluationRecord,
    "known": KnownRecord,
}


def read_record(content: object) -> Record:
    """The record that a line's JSON holds; fields of other versions are ignored. Raises ValueError."""
    if not isinstance(content, Mapping):
        raise ValueError("not a JSON object")
    kind = content.get("kind")
    if not isinstance(kind, str) or kind not in RECORDS:
        raise ValueError(f"unknown kind {kind!r}")
    record = RECORDS[kind]
    return record.read(content) if issubclass(record, ScoredRecord) else record.model_validate(content)


def first_problem(error: ValidationError) -> str:
    """The first field that is wrong, and why."""
    problem = error.errors()[0]
    why = problem["msg"].removeprefix("Value error, ")
    return f"{'.'.join(str(part) for part in problem['loc'] if part != '')}: {why}".removeprefix(": ")

"""The journal's lines by kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from swarm.core.errors import RunError
from swarm.journal.records import EndRecord, EvaluationRecord, FailureRecord, JournalRecord, StartRecord
from swarm.report.parse import Json

L = TypeVar("L", bound=JournalRecord)


@dataclass(frozen=True)
class Journal:
    """All lines, by kind. `ends` maps a phase to the reason it ended; `elapsed` is the latest time seen.

    tests: by id, as they were run. tested: by every id that stands for a tested position; a finalist may be an
    expert alone, and is then tested under one of the two names.
    """

    start: StartRecord
    evaluations: tuple[EvaluationRecord, ...]
    failures: tuple[FailureRecord, ...]
    selects: tuple[EvaluationRecord, ...]
    tests: Mapping[str, EvaluationRecord]
    tested: Mapping[str, EvaluationRecord]
    ends: Mapping[str, str]
    elapsed: float

    @property
    def scored(self) -> tuple[EvaluationRecord, ...]:
        return (*self.evaluations, *self.selects, *self.tests.values())

    @property
    def objectives(self) -> tuple[str, ...]:
        return tuple(self.start.items)


def read_journal(lines: Sequence[Json]) -> Journal:
    """Lines in order. Raises RunError without a start line."""
    initial_design = _of_kind(lines, "start", StartRecord)
    if not initial_design:
        raise RunError("journal.jsonl has no start line: nothing was recorded; run `swarm search` again")
    selects, tests = _of_kind(lines, "select", EvaluationRecord), _of_kind(lines, "test", EvaluationRecord)
    at = {line.position: line for line in tests}
    return Journal(
        start=initial_design[0],
        evaluations=_of_kind(lines, "evaluation", EvaluationRecord),
        failures=_of_kind(lines, "failure", FailureRecord),
        selects=selects,
        tests={line.id: line for line in tests},
        tested={line.id: at[line.position] for line in (*selects, *tests) if line.position in at},
        ends={line.phase: line.reason for line in _of_kind(lines, "end", EndRecord)},
        elapsed=max((JournalRecord.model_validate(line).elapsed for line in lines), default=0.0),
    )


def _of_kind(lines: Sequence[Json], kind: str, model: type[L]) -> tuple[L, ...]:
    return tuple(model.model_validate(line) for line in lines if line.get("kind") == kind)

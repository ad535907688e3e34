"""The journal's lines by kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from swarm.core.errors import RunError
from swarm.journal.lines import EndLine, EvaluationLine, FailureLine, JournalLine, StartLine
from swarm.report.parse import Json

L = TypeVar("L", bound=JournalLine)


@dataclass(frozen=True)
class Journal:
    """All lines, by kind. `ends` maps a phase to the reason it ended; `elapsed` is the latest time seen.

    tests: by id, as they were run. tested: by every id that stands for a tested position; a finalist may be an
    expert alone, and is then tested under one of the two names.
    """

    start: StartLine
    evaluations: tuple[EvaluationLine, ...]
    failures: tuple[FailureLine, ...]
    selects: tuple[EvaluationLine, ...]
    tests: Mapping[str, EvaluationLine]
    tested: Mapping[str, EvaluationLine]
    ends: Mapping[str, str]
    elapsed: float

    @property
    def scored(self) -> tuple[EvaluationLine, ...]:
        return (*self.evaluations, *self.selects, *self.tests.values())

    @property
    def objectives(self) -> tuple[str, ...]:
        return tuple(self.start.items)


def read_journal(lines: Sequence[Json]) -> Journal:
    """Lines in order. Raises RunError without a start line."""
    starts = _of_kind(lines, "start", StartLine)
    if not starts:
        raise RunError("journal.jsonl has no start line: nothing was recorded; run `swarm search` again")
    selects, tests = _of_kind(lines, "select", EvaluationLine), _of_kind(lines, "test", EvaluationLine)
    at = {line.position: line for line in tests}
    return Journal(
        start=starts[0],
        evaluations=_of_kind(lines, "evaluation", EvaluationLine),
        failures=_of_kind(lines, "failure", FailureLine),
        selects=selects,
        tests={line.id: line for line in tests},
        tested={line.id: at[line.position] for line in (*selects, *tests) if line.position in at},
        ends={line.phase: line.reason for line in _of_kind(lines, "end", EndLine)},
        elapsed=max((JournalLine.model_validate(line).elapsed for line in lines), default=0.0),
    )


def _of_kind(lines: Sequence[Json], kind: str, model: type[L]) -> tuple[L, ...]:
    return tuple(model.model_validate(line) for line in lines if line.get("kind") == kind)

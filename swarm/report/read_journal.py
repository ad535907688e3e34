"""A journal's records by kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from swarm.core.errors import RunError
from swarm.journal.records import (
    EndRecord,
    EvaluationRecord,
    FailureRecord,
    KnownRecord,
    Record,
    ScoredRecord,
    StartRecord,
)


@dataclass(frozen=True)
class Journal:
    """All records, by kind.

    known: evaluations of the search that this one continues.
    tests: id -> record, as they were run.
    tested: every id of a tested position -> record; a finalist may be an expert alone, tested under one of the two ids.
    ends: phase -> the reason it ended.
    elapsed: the latest time of any record, in seconds.
    scales: coordinate -> the coefficient of one unit of a position; 1 where there is none.
    """

    start: StartRecord
    known: tuple[KnownRecord, ...]
    evaluations: tuple[EvaluationRecord, ...]
    failures: tuple[FailureRecord, ...]
    selects: tuple[EvaluationRecord, ...]
    tests: Mapping[str, EvaluationRecord]
    tested: Mapping[str, EvaluationRecord]
    ends: Mapping[str, str]
    elapsed: float
    scales: Mapping[str, float] = field(default_factory=dict)

    @property
    def searched(self) -> tuple[ScoredRecord, ...]:
        """The candidates of the search, with those that were known before."""
        return (*self.known, *self.evaluations)

    @property
    def scored(self) -> tuple[ScoredRecord, ...]:
        return (*self.searched, *self.selects, *self.tests.values())

    @property
    def objectives(self) -> tuple[str, ...]:
        return tuple(self.start.items)


def read_journal(records: Sequence[Record], scales: Mapping[str, float] | None = None) -> Journal:
    """Records in the journal's order. scales: as in `Journal`. Raises RunError without a start record."""
    start = next((record for record in records if isinstance(record, StartRecord)), None)
    if start is None:
        raise RunError("journal.jsonl has no start line: nothing was recorded; run `swarm search` again")
    scored = [record for record in records if isinstance(record, EvaluationRecord)]
    selects, tests = (tuple(record for record in scored if record.kind == kind) for kind in ("select", "test"))
    at = {record.position: record for record in tests}
    return Journal(
        start=start,
        known=tuple(record for record in records if isinstance(record, KnownRecord) and record.was == "evaluation"),
        evaluations=tuple(record for record in scored if record.kind == "evaluation"),
        failures=tuple(record for record in records if isinstance(record, FailureRecord)),
        selects=selects,
        tests={record.id: record for record in tests},
        tested={record.id: at[record.position] for record in (*selects, *tests) if record.position in at},
        ends={record.phase: record.reason for record in records if isinstance(record, EndRecord)},
        elapsed=max(record.elapsed for record in records),
        scales=scales or {},
    )

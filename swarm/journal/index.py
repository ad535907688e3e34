"""What can be looked up in the records of a journal."""

from swarm.core.examples import Split
from swarm.journal.records import (
    EndRecord,
    EvaluationRecord,
    FailureRecord,
    KnownRecord,
    Record,
    ScoredRecord,
    StartRecord,
)

ById = dict[str, ScoredRecord]
ByPlace = dict[bytes, ScoredRecord]


class Index:
    """Records in the journal's order, and by what they are asked for.

    by_id: split -> candidate -> its evaluation.
    by_place: split -> position -> the evaluation under the id that scored it first; one in full before a stopped one.
    searched: the evaluations of the search; a repeated position is left out.
    iterations: iteration -> those of `searched` that belong to it.
    prior_results: the evaluations of the search that this one continues.
    first: the first evaluation of the search, repeated or not.
    paid: the positions that the search has evaluated.
    ends: phase -> its first end record.
    failures: attempts and candidates that failed.
    elapsed: the latest time of any record, in seconds.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.by_id: dict[Split, ById] = {"search": {}, "select": {}, "test": {}}
        self.by_place: dict[Split, ByPlace] = {"search": {}, "select": {}, "test": {}}
        self.searched: list[EvaluationRecord] = []
        self.iterations: dict[int, list[EvaluationRecord]] = {}
        self.prior_results: list[KnownRecord] = []
        self.first: EvaluationRecord | None = None
        self.paid: set[bytes] = set()
        self.start: StartRecord | None = None
        self.ends: dict[str, EndRecord] = {}
        self.failures = 0
        self.elapsed = 0.0

    def add(self, record: Record) -> None:
        self.records.append(record)
        if record.elapsed > self.elapsed:
            self.elapsed = record.elapsed
        if isinstance(record, EvaluationRecord):
            self._add_evaluation(record)
        elif isinstance(record, KnownRecord):
            self._add_known(record)
        elif isinstance(record, StartRecord):
            self.start = self.start or record
        elif isinstance(record, EndRecord):
            self.ends.setdefault(record.phase, record)
        elif isinstance(record, FailureRecord):
            self.failures += 1

    def voided(self) -> "Index":
        """Without the evaluations of the search from the first failed one on, and without failures of its selection."""
        first = next((i for i, record in enumerate(self.records) if _of_search(record, "failed")), len(self.records))
        kept = Index()
        for i, record in enumerate(self.records):
            if (i < first or not _of_search(record)) and not _failed_ahead(record):
                kept.add(record)
        kept.elapsed = self.elapsed
        return kept

    def _add_known(self, record: KnownRecord) -> None:
        """Its position is known on its split. On select and test, whoever uses it is recorded as a repeat."""
        self.by_place[record.split][record.place] = record
        if record.split == "search":
            self.by_id[record.split][record.id] = record
        if record.was == "evaluation":
            self.prior_results.append(record)

    def _add_evaluation(self, record: EvaluationRecord) -> None:
        self.by_id[record.split][record.id] = record
        if self.first is None and record.kind == "evaluation":
            self.first = record
        if record.same_as:
            return
        if record.status == "failed":
            self.failures += 1
        at, place = self.by_place[record.split], record.place
        known = at.setdefault(place, record)
        if known is not record and known.status == "stopped":
            at[place] = record
        if record.kind == "evaluation":
            self.searched.append(record)
            self.iterations.setdefault(record.iteration or 0, []).append(record)
            self.paid.add(place)


def _of_search(record: Record, status: str = "") -> bool:
    """Whether a record is of an evaluation of the search, with this status where one is given."""
    return isinstance(record, EvaluationRecord) and record.kind == "evaluation" and status in ("", record.status)


def _failed_ahead(record: Record) -> bool:
    return isinstance(record, EvaluationRecord) and record.split == "select" and record.status == "failed"

"""The archive: the journal with an index. Best so far, resume, selection and report are functions of it."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from swarm.core.candidates import Candidate, Evaluation
from swarm.core.examples import Split
from swarm.core.outcomes import Failure
from swarm.journal.file import JournalFile
from swarm.journal.records import EndRecord, EvaluationRecord, FailureRecord, Kind, Record, StartRecord, VoidRecord
from swarm.preferences.weighted_sum import worth


class Archive:
    """A journal with an index over its records. It knows what has been written, and nothing else."""

    def __init__(self, path: Path) -> None:
        self.journal = JournalFile(path)
        self._clear()
        for record in self.journal.read():
            self._index(record)
        self._elapsed_before = max((record.elapsed for record in self.records), default=0.0)
        self._opened = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds that the run has worked, over all its sessions."""
        return self._elapsed_before + time.monotonic() - self._opened

    @property
    def start(self) -> StartRecord | None:
        """What the run rests on, or None in an empty journal."""
        return next((record for record in self.records if isinstance(record, StartRecord)), None)

    @property
    def scored(self) -> list[EvaluationRecord]:
        """The records of evaluations: of the search, the selection and the test."""
        return [record for record in self.records if isinstance(record, EvaluationRecord)]

    def ended(self, phase: str) -> EndRecord | None:
        """The end record of a phase ("search", "select" or "run"), or None while it goes on."""
        ends = (record for record in self.records if isinstance(record, EndRecord))
        return next((record for record in ends if record.phase == phase), None)

    def of(self, candidate_id: str, split: Split = "search") -> Evaluation | None:
        """The evaluation of a candidate on a split."""
        return self._by_id.get((split, candidate_id))

    def at(self, position: Sequence[float], split: Split = "search") -> Evaluation | None:
        """The evaluation of a position on a split, under the id that scored it first.

        None where every evaluation there was stopped: its score is unknown, and a later candidate there is raced anew.
        """
        found = self._by_position.get((split, tuple(position)))
        return None if found is None or found.status == "stopped" else found

    def paid(self, position: Sequence[float]) -> bool:
        """Whether the search has evaluated this position, stopped or not: the budget counts it once."""
        return tuple(position) in self._paid

    def searched(self) -> list[Evaluation]:
        """The evaluations of the search in the journal's order; a repeated position is left out."""
        return list(self._searched)

    def history(self) -> list[Evaluation]:
        """The evaluations of the search as the optimizer got them, in order; a repeated position is included."""
        return [record.evaluation() for record in self.scored if record.kind == "evaluation"]

    def ranked(self, weights: Mapping[str, float], before: float = math.inf, soft: bool = False) -> list[Evaluation]:
        """The full evaluations of the iterations before `before`, best first; of equals the earlier candidate.

        The order of lines does not decide, as it depends on the workers. `soft`: by the smoothed scores.
        """
        scored = [e for e in self._searched if e.status == "ok" and (e.candidate.iteration or 0) < before]
        return sorted(scored, key=lambda e: (-worth(e, weights, soft), e.candidate.age))

    @property
    def search_began(self) -> float | None:
        """Seconds of the run's time at which the first candidate was handed out; None before that."""
        first = next((record for record in self.scored if record.kind == "evaluation"), None)
        return None if first is None else max(0.0, first.elapsed - first.seconds)

    @property
    def evaluations(self) -> int:
        """How many positions the search has evaluated, as the budget counts them."""
        return len(self._paid)

    @property
    def failures(self) -> int:
        """How many attempts and candidates have failed."""
        return self._failures

    def append(self, record: Record) -> None:
        """Write one record with the time, then index it."""
        record = record.model_copy(update={"elapsed": round(self.elapsed, 3)})
        self.journal.append(record)
        self._index(record)

    def append_evaluation(self, kind: Kind, evaluation: Evaluation, split: Split = "search", same_as: str = "") -> None:
        self.append(EvaluationRecord.of(kind, evaluation, split, same_as))

    def append_repeat(self, kind: Kind, candidate: Candidate, split: Split) -> Evaluation:
        """Record a candidate at a position that was scored before: it takes those scores and costs nothing."""
        first = self._by_position[split, candidate.position]
        repeated = replace(first, candidate=candidate, tokens=0, seconds=0.0, compose_seconds=0.0, forward_seconds=0.0)
        self.append_evaluation(kind, repeated, split, same_as=first.candidate.id)
        return repeated

    def append_failure(self, failure: Failure) -> None:
        self.append(FailureRecord.of(failure))

    def _clear(self) -> None:
        self.records: list[Record] = []
        self._by_id: dict[tuple[Split, str], Evaluation] = {}
        self._by_position: dict[tuple[Split, tuple[float, ...]], Evaluation] = {}
        self._searched: list[Evaluation] = []
        self._paid: set[tuple[float, ...]] = set()
        self._failures = 0

    def _void(self) -> None:
        """Forget the evaluations of the search from the first failed one on."""
        records = self.records
        first = next((i for i, record in enumerate(records) if _searched(record, "failed")), len(records))
        self._clear()
        for i, record in enumerate(records):
            if i < first or not _searched(record):
                self._index(record)

    def _index(self, record: Record) -> None:
        if isinstance(record, VoidRecord):
            self._void()
        self.records.append(record)
        self._failures += isinstance(record, FailureRecord)
        if isinstance(record, EvaluationRecord):
            self._index_evaluation(record)

    def _index_evaluation(self, record: EvaluationRecord) -> None:
        evaluation = record.evaluation()
        self._by_id[record.split, record.id] = evaluation
        if record.repeated:
            return
        self._failures += evaluation.status == "failed"
        if self.at(record.position, record.split) is None:
            self._by_position[record.split, record.position] = evaluation
        if record.kind == "evaluation":
            self._searched.append(evaluation)
            self._paid.add(record.position)


def _searched(record: Record, status: str = "") -> bool:
    """Whether a record is of an evaluation of the search, with this status where one is given."""
    return isinstance(record, EvaluationRecord) and record.kind == "evaluation" and status in ("", record.status)

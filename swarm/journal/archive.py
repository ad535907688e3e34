"""The archive: the journal with an index. Best so far, resume, selection and report are functions of it."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from swarm.core.candidates import Candidate, Evaluation
from swarm.core.collector import collector_paused
from swarm.core.examples import Split
from swarm.core.outcomes import Failure
from swarm.journal.consistency import MisplacedError, check_line
from swarm.journal.file import JournalFile
from swarm.journal.index import Index
from swarm.journal.packed import place
from swarm.journal.ranking import Ranking
from swarm.journal.records import EndRecord, EvaluationRecord, FailureRecord, Kind, Record, StartRecord, VoidRecord
from swarm.journal.rows import Row, rows_of, to_frame

if TYPE_CHECKING:
    from pandas import DataFrame


class Archive:
    """A journal with an index over its records. It knows what has been written, and nothing else."""

    def __init__(self, path: Path) -> None:
        """Raises RunError where a line is damaged, or cannot follow those before it."""
        self.journal = JournalFile(path)
        self._index = Index()
        self._rankings: dict[object, Ranking] = {}
        self._lines = 0
        self.follow()

    def follow(self) -> bool:
        """Index what another process has appended since. Returns whether there was anything. Raises RunError.

        For archives that append nothing themselves.
        """
        before = self._lines
        with collector_paused():
            for record in self.journal.records():
                self._follow(record)
        if self._lines > before or not before:
            self._elapsed_before = self._index.elapsed
            self._opened = time.monotonic()
        return self._lines > before

    def _follow(self, record: Record) -> None:
        """Index the next line. Raises RunError where it cannot follow those before it."""
        number = self._lines + 1
        try:
            check_line(record, self._index)
        except MisplacedError as error:
            self.journal.corrupt(error.line if len(self.records) == number - 1 else number, error)
        except ValueError as error:
            self.journal.corrupt(number, error)
        self._add(record)
        self._lines = number

    @property
    def records(self) -> Sequence[Record]:
        """Every record in the journal's order, without those that a void record takes back."""
        return self._index.records

    @property
    def elapsed(self) -> float:
        """Seconds that the run has worked, over all its sessions."""
        return self._elapsed_before + time.monotonic() - self._opened

    @property
    def start(self) -> StartRecord | None:
        """What the run rests on, or None in an empty journal."""
        return self._index.start

    @property
    def scored(self) -> list[EvaluationRecord]:
        """The records of evaluations: of the search, the selection and the test."""
        return [record for record in self.records if isinstance(record, EvaluationRecord)]

    def rows(self) -> list[Row]:
        """Every evaluation as a row of a table; see rows.py for the columns."""
        return rows_of(self.scored, self.start.coordinates if self.start else ())

    def to_pandas(self) -> "DataFrame":
        """`rows` as a pandas.DataFrame. Raises RunError where pandas is not installed."""
        return to_frame(self.rows())

    def ended(self, phase: str) -> EndRecord | None:
        """The end record of a phase ("search", "select" or "run"), or None while it goes on."""
        return self._index.ends.get(phase)

    def of(self, candidate_id: str, split: Split = "search") -> Evaluation | None:
        """The evaluation of a candidate on a split."""
        found = self._index.by_id[split].get(candidate_id)
        return found.evaluation() if found else None

    def at(self, position: Sequence[float], split: Split = "search") -> Evaluation | None:
        """The evaluation of a position on a split, under the id that scored it first.

        None where every evaluation there was stopped: its score is unknown, and a later candidate there is raced anew.
        """
        found = self._index.by_place[split].get(place(position))
        return None if found is None or found.status == "stopped" else found.evaluation()

    def paid(self, position: Sequence[float]) -> bool:
        """Whether the search has evaluated this position, stopped or not: the budget counts it once."""
        return place(position) in self._index.paid

    def searched(self) -> list[Evaluation]:
        """The evaluations of the search in the journal's order; a repeated position is left out."""
        return [record.evaluation() for record in self._index.searched]

    def searched_in(self, iteration: int) -> list[Evaluation]:
        """As `searched`, those of one iteration."""
        return [record.evaluation() for record in self._index.iterations.get(iteration, ())]

    def prior_results(self) -> list[Evaluation]:
        """The evaluations of the search that this one continues, in order. The budget does not count them."""
        return [record.evaluation() for record in self._index.prior_results]

    def beyond(self, iteration: int) -> str | None:
        """The first candidate in the journal that is of a later iteration of the search, or None."""
        if not any(later > iteration for later in reversed(self._index.iterations)):
            return None
        searched = (record for record in self.scored if record.kind == "evaluation")
        return next(record.id for record in searched if (record.iteration or 0) > iteration)

    def history(self) -> list[Evaluation]:
        """The evaluations of the search as the optimizer got them, in order; a repeated position is included."""
        return [record.evaluation() for record in self.scored if record.kind == "evaluation"]

    def ranked(
        self, weights: Mapping[str, float], before: float = math.inf, soft: bool = False
    ) -> Sequence[Evaluation]:
        """The full evaluations of the iterations before `before`, best first; of equals the earlier candidate.

        What the search continues was scored before all of them.

        The order of lines does not decide, as it depends on the workers. `soft`: by the smoothed scores. A search asks
        for one more iteration each time, so what was sorted is kept.
        """
        key = (*sorted(weights.items()), soft)
        known = self._rankings.get(key)
        if known is None or known.before > before:
            known = self._rankings[key] = Ranking(weights, soft, self._index.prior_results)
        known.take_up_to(before, self._index.iterations)
        return known

    @property
    def search_began(self) -> float | None:
        """Seconds of the run's time at which the first candidate was handed out; None before that."""
        first = self._index.first
        return None if first is None else max(0.0, first.elapsed - first.seconds)

    @property
    def evaluations(self) -> int:
        """How many positions the search has evaluated, as the budget counts them."""
        return len(self._index.paid)

    @property
    def failures(self) -> int:
        """How many attempts and candidates have failed."""
        return self._index.failures

    def append(self, record: Record) -> None:
        """Write one record with the time, then index it."""
        record = record.timed(round(self.elapsed, 3))
        self.journal.append(record)
        self._add(record)

    def append_evaluation(
        self, kind: Kind, evaluation: Evaluation, split: Split = "search", same_as: str = "", margins: bool = False
    ) -> None:
        self.append(EvaluationRecord.of(kind, evaluation, split, same_as, margins))

    def append_repeat(self, kind: Kind, candidate: Candidate, split: Split) -> Evaluation:
        """Record a candidate at a position that was scored before: it takes those scores and costs nothing."""
        first = self._index.by_place[split][place(candidate.position)].evaluation()
        repeated = replace(first, candidate=candidate, tokens=0, seconds=0.0, compose_seconds=0.0, forward_seconds=0.0)
        self.append_evaluation(kind, repeated, split, same_as=first.candidate.id)
        return repeated

    def append_failure(self, failure: Failure) -> None:
        self.append(FailureRecord.of(failure))

    def _add(self, record: Record) -> None:
        if isinstance(record, VoidRecord):
            self._index = self._index.voided()
        self._index.add(record)
        if self._rankings:
            iteration = _iteration(record)
            self._rankings = {key: kept for key, kept in self._rankings.items() if iteration >= kept.before}


def _iteration(record: Record) -> float:
    """The iteration whose evaluations a record changes."""
    if isinstance(record, VoidRecord):
        return -math.inf
    return record.iteration or 0 if isinstance(record, EvaluationRecord) else math.inf

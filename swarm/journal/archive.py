"""The archive: the journal read back. Best so far, resume, selection and report are functions of it."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from swarm.core.candidates import Candidate, Evaluation
from swarm.core.examples import Split
from swarm.core.outcomes import Failure
from swarm.journal.file import Journal, Line
from swarm.journal.records import SCORED, EndRecord, EvaluationRecord, Kind
from swarm.preferences.weighted_sum import worth


class Archive:
    """A journal with an index over its lines. What is asked of it is what has been written."""

    def __init__(self, path: Path) -> None:
        self.journal = Journal(path)
        self.lines: list[Line] = []
        self._by_id: dict[tuple[Split, str], Evaluation] = {}
        self._by_position: dict[tuple[Split, tuple[float, ...]], Evaluation] = {}
        self._searched: list[Evaluation] = []
        self._paid: set[tuple[float, ...]] = set()
        self._failures = 0
        for line in self.journal.read():
            self._index(line)
        self._elapsed_before = max((float(str(line.get("elapsed", 0.0))) for line in self.lines), default=0.0)
        self._opened = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds that the run has worked, over all its sessions."""
        return self._elapsed_before + time.monotonic() - self._opened

    @property
    def start(self) -> Line | None:
        return self.lines[0] if self.lines else None

    def ended(self, phase: str) -> EndRecord | None:
        """The end line of a phase ("search" or "run"), or None while it goes on."""
        ends = (EndRecord.model_validate(line) for line in self.lines if line["kind"] == "end")
        return next((line for line in ends if line.phase == phase), None)

    def of(self, candidate_id: str, split: Split = "search") -> Evaluation | None:
        """What is known of a candidate on a split."""
        return self._by_id.get((split, candidate_id))

    def at(self, position: Sequence[float], split: Split = "search") -> Evaluation | None:
        """What is known of a position on a split, under the id that scored it first.

        None where all that came by was stopped: its score is not known, and a later candidate there is raced anew.
        """
        found = self._by_position.get((split, tuple(position)))
        return None if found is None or found.status == "stopped" else found

    def paid(self, position: Sequence[float]) -> bool:
        """Whether the search has evaluated this position, stopped or not: the budget counts it once."""
        return tuple(position) in self._paid

    def searched(self) -> list[Evaluation]:
        """What the search has scored, in the journal's order; a position that came again is not repeated."""
        return list(self._searched)

    def history(self) -> list[Evaluation]:
        """What the optimizer was told, in the order in which it was: also a position that came again."""
        found = (EvaluationRecord.model_validate(line) for line in self.lines if line["kind"] == "evaluation")
        return [line.evaluation() for line in found]

    def ranked(self, weights: Mapping[str, float], before: float = math.inf, soft: bool = False) -> list[Evaluation]:
        """What the search has scored in full in the iterations before, best first; of equals the earlier candidate.

        Not the line that came first: that depends on the workers. `soft`: by the softened scores.
        """
        scored = [e for e in self._searched if e.status == "ok" and (e.candidate.iteration or 0) < before]
        return sorted(scored, key=lambda e: (-worth(e, weights, soft), e.candidate.age))

    @property
    def search_began(self) -> float | None:
        """The time of the run at which the first candidate was handed out, or None before that."""
        if not self._searched:
            return None
        first = next(EvaluationRecord.model_validate(line) for line in self.lines if line["kind"] == "evaluation")
        return max(0.0, first.elapsed - first.seconds)

    @property
    def evaluations(self) -> int:
        """How many positions the search has evaluated: what the budget counts."""
        return len(self._paid)

    @property
    def failures(self) -> int:
        """How many attempts and candidates have failed."""
        return self._failures

    def append(self, kind: Kind, **content: object) -> None:
        """Write one line, then take it in."""
        line = {"kind": kind, **content, "elapsed": round(self.elapsed, 3)}
        self.journal.append(line)
        self._index(line)

    def append_evaluation(self, kind: Kind, evaluation: Evaluation, split: Split = "search", same_as: str = "") -> None:
        line = EvaluationRecord.of(kind, evaluation, split, same_as)
        self.append(**line.content())

    def append_repeat(self, kind: Kind, candidate: Candidate, split: Split) -> Evaluation:
        """Journal a candidate at a position that another one was scored at: it takes its scores and costs nothing."""
        first = self._by_position[split, candidate.position]
        repeated = replace(first, candidate=candidate, tokens=0, seconds=0.0, compose_seconds=0.0, forward_seconds=0.0)
        self.append_evaluation(kind, repeated, split, same_as=first.candidate.id)
        return repeated

    def append_failure(self, failure: Failure) -> None:
        self.append(
            "failure", id=failure.candidate.id, attempt=failure.attempt, error=failure.error, worker=failure.worker
        )

    def _index(self, line: Line) -> None:
        self.lines.append(line)
        self._failures += line["kind"] == "failure"
        if line["kind"] not in SCORED:
            return
        parsed = EvaluationRecord.model_validate(line)
        evaluation = parsed.evaluation()
        self._by_id[parsed.split, parsed.id] = evaluation
        if parsed.same_as:
            return
        self._failures += evaluation.status == "failed"
        place = (parsed.split, parsed.position)
        if self.at(parsed.position, parsed.split) is None:
            self._by_position[place] = evaluation
        if parsed.kind == "evaluation":
            self._searched.append(evaluation)
            self._paid.add(parsed.position)

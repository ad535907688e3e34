"""The records of a journal as types: what a run writes, one line each, and reads back."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from swarm.core.candidates import Candidate, Evaluation
from swarm.core.examples import Split
from swarm.core.outcomes import Failure
from swarm.core.requests import Method
from swarm.statistics.intervals import Score

Kind = Literal["evaluation", "select", "test"]


class JournalRecord(BaseModel):
    """One line of a journal.

    elapsed: seconds that the run had worked when the line was written, over all its sessions.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)
    left_out_if_empty: ClassVar[tuple[str, ...]] = ()

    kind: str
    elapsed: float = 0.0

    def content(self) -> dict[str, Any]:
        """The line as it is written: the kind, the fields that were given, the time."""
        absent = {name for name in self.left_out_if_empty if not getattr(self, name)}
        fields = self.model_dump(mode="json", exclude_unset=True, exclude={"kind", "elapsed", *absent})
        return {"kind": self.kind, **fields, "elapsed": self.elapsed}


class Item(BaseModel):
    """One example as the journal keeps it for the report, with its prompt cut."""

    id: str
    task: str
    prompt: str
    answer: str


class Source(BaseModel):
    """Where weights were read from.

    fingerprint: a hash of the weights.
    trained_on: files that an expert was trained on, where the config names them.
    """

    path: str
    fingerprint: str
    trained_on: tuple[str, ...] = ()


class StartRecord(JournalRecord):
    """The first line: what the run rests on.

    settings: a fingerprint of the settings that decide scores and positions.
    items: objective -> split -> examples in order.
    notes: what the user should know of data and experts.
    code: objective -> file in the folder of the user's modules -> fingerprint; empty in journals of earlier versions.
    """

    left_out_if_empty: ClassVar[tuple[str, ...]] = ("code",)

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
    attempt: int
    error: str
    worker: str

    @classmethod
    def of(cls, failure: Failure) -> "FailureRecord":
        return cls(id=failure.candidate.id, attempt=failure.attempt, error=failure.error, worker=failure.worker)


class VoidRecord(JournalRecord):
    """The search ended with failures that say nothing of its candidates: from the first one on, its evaluations are
    void, and a resumed run scores those candidates again.

    failed: how many failed, out of `scored`.
    error: the first one's.
    """

    kind: Literal["void"] = "void"
    failed: int
    scored: int
    error: str


class EndRecord(JournalRecord):
    """The end of a phase, and its reason.

    workers: of a search, the average number of workers in its last session.
    predicted: of a selection, objective -> predicted test score of the winner, made before the test split is opened.
    """

    kind: Literal["end"] = "end"
    phase: Literal["search", "select", "run"]
    reason: str
    workers: float = 1
    predicted: dict[str, Score] = {}


class EvaluationRecord(JournalRecord):
    """An evaluation: of the search ("evaluation"), the selection or the test.

    examples: objective -> one score per example, in the split's order; where it was stopped, the first ones only.
    outputs: objective -> one text per example; kept for the test only.
    guides: objective -> one value per example, which sequential racing compares.
    soft: objective -> mean smoothed score, which an optimizer may climb.
    same_as: the candidate that scored the same position first; nothing was run for this line.
    """

    left_out_if_empty: ClassVar[tuple[str, ...]] = ("outputs", "guides", "soft", "error", "same_as")

    kind: Kind
    id: str
    iteration: int | None = None
    particle: int | None = None
    split: Split = "search"
    position: tuple[float, ...]
    status: Literal["ok", "failed", "stopped"]
    scores: dict[str, float]
    examples: dict[str, tuple[float, ...]]
    outputs: dict[str, tuple[str, ...]] = {}
    guides: dict[str, tuple[float, ...]] = {}
    soft: dict[str, float] = {}
    n_examples: int
    tokens: int
    seconds: float
    compose_seconds: float
    forward_seconds: float
    method: Method = "merged"
    worker: str
    error: str = ""
    same_as: str = ""

    @property
    def repeated(self) -> bool:
        return bool(self.same_as)

    @classmethod
    def of(cls, kind: Kind, evaluation: Evaluation, split: Split = "search", same_as: str = "") -> "EvaluationRecord":
        """Outputs are kept for the test only, guides and smoothed scores for the search only."""
        candidate = evaluation.candidate
        return cls(
            kind=kind,
            id=candidate.id,
            iteration=candidate.iteration,
            particle=candidate.particle,
            split=split,
            position=candidate.position,
            status=evaluation.status,
            scores=dict(evaluation.scores),
            examples=dict(evaluation.examples),
            outputs=dict(evaluation.outputs) if kind == "test" else {},
            guides=dict(evaluation.surrogates) if kind == "evaluation" else {},
            soft=dict(evaluation.soft) if kind == "evaluation" else {},
            n_examples=evaluation.n_examples,
            tokens=evaluation.tokens,
            seconds=round(evaluation.seconds, 4),
            compose_seconds=round(evaluation.compose_seconds, 4),
            forward_seconds=round(evaluation.forward_seconds, 4),
            method=evaluation.method,
            worker=evaluation.worker,
            error=evaluation.error,
            same_as=same_as,
        )

    def evaluation(self) -> Evaluation:
        return Evaluation(
            Candidate(self.id, self.position, self.iteration, self.particle),
            status=self.status,
            scores=self.scores,
            examples=self.examples,
            outputs=self.outputs,
            surrogates=self.guides,
            soft=self.soft,
            tokens=self.tokens,
            seconds=self.seconds,
            compose_seconds=self.compose_seconds,
            forward_seconds=self.forward_seconds,
            method=self.method,
            worker=self.worker,
            error=self.error,
        )


Record = StartRecord | FailureRecord | VoidRecord | EndRecord | EvaluationRecord

RECORDS: dict[str, type[Record]] = {
    "start": StartRecord,
    "failure": FailureRecord,
    "void": VoidRecord,
    "end": EndRecord,
    "evaluation": EvaluationRecord,
    "select": EvaluationRecord,
    "test": EvaluationRecord,
}


def read_record(content: object) -> Record:
    """The record that a line's JSON holds; fields of other versions are ignored. Raises ValueError."""
    if not isinstance(content, Mapping):
        raise ValueError("not a JSON object")
    kind = content.get("kind")
    if not isinstance(kind, str) or kind not in RECORDS:
        raise ValueError(f"unknown kind {kind!r}")
    return RECORDS[kind].model_validate(content)


def first_problem(error: ValidationError) -> str:
    """The first field that is wrong, and why."""
    problem = error.errors()[0]
    return f"{'.'.join(str(part) for part in problem['loc'] if part != '')}: {problem['msg']}".removeprefix(": ")

"""The lines of a journal as types: what is written, and what is read back."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from swarm.core.candidates import Candidate, Evaluation
from swarm.core.examples import Split
from swarm.core.requests import Method

Kind = Literal["start", "evaluation", "failure", "select", "test", "end"]
SCORED = ("evaluation", "select", "test")


class JournalRecord(BaseModel):
    """`elapsed`: seconds that the run had worked when the line was written, over all its sessions."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    elapsed: float = 0.0


class Item(BaseModel):
    """One example as the journal keeps it, its prompt cut, so that a report can show it."""

    id: str
    task: str
    prompt: str
    answer: str


class Source(BaseModel):
    """Where weights were read from, and their fingerprint."""

    path: str
    fingerprint: str


class StartRecord(JournalRecord):
    """The first line: what the run rests on.

    items: objective -> split -> examples in order.
    code: objective -> file in the folder of the user's modules -> fingerprint; empty in journals of earlier versions.
    """

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
        """Base and experts under the names that errors call them by."""
        return {"base": self.base, **{f"expert {name}": source for name, source in self.experts.items()}}


class FailureRecord(JournalRecord):
    """An attempt at a candidate that failed and is made again. attempt: how many are charged to the candidate."""

    id: str
    attempt: int
    error: str
    worker: str


class EndRecord(JournalRecord):
    """A phase that has ended, and why.

    workers: of a search, on average in its last session. predicted: of a selection, objective -> the winner's score on
    fresh examples (mean, low, high, n), foretold before the test split is opened.
    """

    phase: Literal["search", "select", "run"]
    reason: str
    workers: float = 1
    predicted: dict[str, dict[str, int | float]] = {}


class EvaluationRecord(JournalRecord):
    """A line that holds an evaluation: of the search ("evaluation"), the selection or the test.

    `same_as` names the candidate that scored the same position first: nothing was run for this line. A `stopped` one
    holds the first examples alone, and their means. `guides`: what sequential racing compares.
    `soft`: mean softened scores, which an optimizer may climb.
    """

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
        """The line of an evaluation; what the model said is kept for the test alone."""
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

    def content(self) -> dict[str, Any]:
        """The line as it is written: what is empty is left out, and the archive adds the time."""
        empty = {name for name in ("outputs", "guides", "soft", "error", "same_as") if not getattr(self, name)}
        return self.model_dump(mode="json", exclude={"elapsed", *empty})

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


LINES: dict[str, type[JournalRecord]] = {
    "start": StartRecord,
    "failure": FailureRecord,
    "end": EndRecord,
    **dict.fromkeys(SCORED, EvaluationRecord),
}

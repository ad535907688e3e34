"""The record of an evaluation. A long search has a hundred thousand of them, so they are small: see `packed.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal, Self

from pydantic import AllowInfNan, BeforeValidator, ConfigDict, Field, PlainValidator, TypeAdapter

from swarm.core.candidates import Candidate, Evaluation
from swarm.core.examples import Split
from swarm.core.requests import Method
from swarm.core.secrets import redacted
from swarm.journal.packed import NO_SCORES, PackedScores, pack, place_of_packed, unpack

Kind = Literal["evaluation", "select", "test"]
Finite = Annotated[float, AllowInfNan(False)]
Seconds = Annotated[float, AllowInfNan(False), Field(ge=0)]
Number = Annotated[int, Field(ge=0, lt=2**63)]
Scores = Annotated[PackedScores, PlainValidator(PackedScores.of)]
Packed = Annotated[bytes, BeforeValidator(pack), Field(alias="position")]

LEFT_OUT_IF_EMPTY = ("outputs", "guides", "soft", "margins", "error", "same_as")
NOTHING: dict[str, Any] = {}  # of every record that has none


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredRecord:
    """A candidate with its scores on a split.

    packed_position: "position" in the file.
    examples: objective -> one score per example, in the split's order; where it was stopped, the first ones only.
    outputs: objective -> one text per example; kept for the test only.
    guides: objective -> one value per example, which sequential racing compares.
    soft: objective -> mean smoothed score, which an optimizer may climb.
    margins: objective -> one margin per example; kept for sweeps and targets only.
    same_as: the candidate that scored the same position first; nothing was run for this line.
    elapsed: seconds that the run had worked when the line was written, over all its sessions.
    """

    kind: str
    id: str
    iteration: Number | None = None
    particle: Number | None = None
    split: Split = "search"
    packed_position: Packed
    status: Literal["ok", "failed", "stopped"]
    scores: dict[str, Finite]
    examples: Scores
    outputs: dict[str, tuple[str, ...]] = field(default_factory=lambda: NOTHING)
    guides: Scores = field(default_factory=lambda: NO_SCORES)
    soft: dict[str, Finite] = field(default_factory=lambda: NOTHING)
    margins: Scores = field(default_factory=lambda: NO_SCORES)
    n_examples: Number
    tokens: Number
    seconds: Seconds
    compose_seconds: Seconds
    forward_seconds: Seconds
    method: Method = "merged"
    worker: str
    error: str = ""
    same_as: str = ""
    elapsed: Seconds = 0.0

    __pydantic_config__ = ConfigDict(extra="ignore")

    @property
    def position(self) -> tuple[float, ...]:
        return unpack(self.packed_position)

    @property
    def dimensions(self) -> int:
        """How many coefficients the position has."""
        return len(self.packed_position) // 8

    @property
    def place(self) -> bytes:
        """What records of equal positions share."""
        return place_of_packed(self.packed_position)

    @property
    def repeated(self) -> bool:
        return bool(self.same_as)

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Self:
        """From the JSON of a line; fields of other versions are ignored. Raises ValueError."""
        if content.get("kind") == "test" and "split" not in content:  # as in journals of earlier versions
            content = {**content, "split": "test"}
        return READERS[cls].validate_python(content)  # type: ignore[return-value]

    def evaluation(self) -> Evaluation:
        return Evaluation(
            Candidate(self.id, self.position, self.iteration, self.particle),
            status=self.status,
            scores=self.scores,
            examples=self.examples,
            outputs=self.outputs,
            surrogates=self.guides,
            soft=self.soft,
            margins=self.margins,
            tokens=self.tokens,
            seconds=self.seconds,
            compose_seconds=self.compose_seconds,
            forward_seconds=self.forward_seconds,
            method=self.method,
            worker=self.worker,
            error=self.error,
            split=self.split,
        )

    def content(self) -> dict[str, Any]:
        """The line as it is written."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        values["packed_position"] = self.position
        named = {"position" if name == "packed_position" else name: value for name, value in values.items()}
        kept = {name: value for name, value in named.items() if value or name not in LEFT_OUT_IF_EMPTY}
        return {name: dict(value) if isinstance(value, PackedScores) else value for name, value in kept.items()}

    def timed(self, elapsed: float) -> Self:
        return replace(self, elapsed=elapsed)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRecord(ScoredRecord):
    """An evaluation: of the search ("evaluation"), the selection or the test."""

    kind: Kind

    @classmethod
    def of(
        cls, kind: Kind, evaluation: Evaluation, split: Split = "search", same_as: str = "", margins: bool = False
    ) -> "EvaluationRecord":
        """Outputs are kept for the test, guides for the search, smoothed scores for search and selection.

        margins: whether margins are kept, too.
        """
        candidate = evaluation.candidate
        return cls.read(
            {
                "kind": kind,
                "id": candidate.id,
                "iteration": candidate.iteration,
                "particle": candidate.particle,
                "split": split,
                "position": candidate.position,
                "status": evaluation.status,
                "scores": dict(evaluation.scores),
                "examples": evaluation.examples,
                "outputs": dict(evaluation.outputs) if kind == "test" else NOTHING,
                "guides": evaluation.surrogates if kind == "evaluation" else NO_SCORES,
                "soft": dict(evaluation.soft) if kind != "test" else NOTHING,
                "margins": evaluation.margins if margins else NO_SCORES,
                "n_examples": evaluation.n_examples,
                "tokens": evaluation.tokens,
                "seconds": round(evaluation.seconds, 4),
                "compose_seconds": round(evaluation.compose_seconds, 4),
                "forward_seconds": round(evaluation.forward_seconds, 4),
                "method": evaluation.method,
                "worker": evaluation.worker,
                "error": redacted(evaluation.error),
                "same_as": same_as,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRecord(ScoredRecord):
    """A score of the run that this one continues: known from the start, and paid for there.

    was: the kind of its line there.
    """

    kind: Literal["known"] = "known"
    was: Kind

    @classmethod
    def of(cls, record: "EvaluationRecord | KnownRecord", candidate_id: str) -> "KnownRecord":
        """A line of another run's journal, with the id that the candidate has in this one."""
        values = {each.name: getattr(record, each.name) for each in fields(ScoredRecord)}
        values |= {"kind": "known", "id": candidate_id, "iteration": None, "particle": None, "elapsed": 0.0}
        return cls(was=record.was if isinstance(record, KnownRecord) else record.kind, **values)


READERS: Mapping[type[ScoredRecord], TypeAdapter[ScoredRecord]] = {
    EvaluationRecord: TypeAdapter(EvaluationRecord),
    KnownRecord: TypeAdapter(KnownRecord),
}

"""The journal file: one JSON object a line, appended and flushed to disk before anything follows from it.

A last line that a crash has cut is dropped with a word; any other damage is an error.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TextIO

from pydantic import BaseModel, ConfigDict, ValidationError

from swarm.errors import RunError
from swarm.types import Candidate, Evaluation, Split

Line = Mapping[str, object]
Kind = Literal["start", "evaluation", "failure", "select", "test", "end"]
SCORED = ("evaluation", "select", "test")
KINDS = ("start", *SCORED, "failure", "end")


class EvaluationLine(BaseModel):
    """A line that holds an evaluation: of the search ("evaluation"), the selection or the test.

    `same_as` names the candidate that scored the same position first: nothing was run for this line.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: Kind
    id: str
    iteration: int | None
    particle: int | None
    split: Split = "search"
    position: tuple[float, ...]
    status: Literal["ok", "failed", "stopped"]
    scores: dict[str, float]
    examples: dict[str, tuple[float, ...]]
    outputs: dict[str, tuple[str, ...]] = {}
    n_examples: int
    tokens: int
    seconds: float
    compose_seconds: float
    forward_seconds: float
    worker: str
    error: str = ""
    same_as: str = ""
    elapsed: float = 0.0

    @classmethod
    def of(cls, kind: Kind, evaluation: Evaluation, split: Split = "search", same_as: str = "") -> "EvaluationLine":
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
            n_examples=evaluation.n_examples,
            tokens=evaluation.tokens,
            seconds=round(evaluation.seconds, 4),
            compose_seconds=round(evaluation.compose_seconds, 4),
            forward_seconds=round(evaluation.forward_seconds, 4),
            worker=evaluation.worker,
            error=evaluation.error,
            same_as=same_as,
        )

    def content(self) -> dict[str, Any]:
        """The line as it is written: what is empty is left out, and the archive adds the time."""
        empty = {name for name in ("outputs", "error", "same_as") if not getattr(self, name)}
        return self.model_dump(mode="json", exclude={"elapsed", *empty})

    def evaluation(self) -> Evaluation:
        return Evaluation(
            Candidate(self.id, self.position, self.iteration, self.particle),
            status=self.status,
            scores=self.scores,
            examples=self.examples,
            outputs=self.outputs,
            tokens=self.tokens,
            seconds=self.seconds,
            compose_seconds=self.compose_seconds,
            forward_seconds=self.forward_seconds,
            worker=self.worker,
            error=self.error,
        )


class Journal:
    """An append-only file of lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dropped_bytes = 0
        self._stream: TextIO | None = None

    def read(self) -> list[Line]:
        """Every line. Raises RunError where the file is damaged elsewhere than at its cut end."""
        if not self.path.exists():
            return []
        whole, newline, cut = self.path.read_bytes().rpartition(b"\n")
        if cut:
            self.dropped_bytes = len(cut)
            with self.path.open("r+b") as stream:
                stream.truncate(len(whole) + len(newline))
        return list(self._parse(whole)) if newline else []

    def append(self, line: Line) -> None:
        """Write one line and force it to disk. Raises RunError where that fails."""
        text = json.dumps(line, allow_nan=False, ensure_ascii=False) + "\n"
        try:
            if self._stream is None:
                self._stream = self.path.open("a", encoding="utf-8")
            self._stream.write(text)
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise RunError(
                f"{self.path} cannot be written ({error.strerror}); free space or change the folder, "
                f"then swarm resume {self.path.parent}"
            ) from error

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _parse(self, whole: bytes) -> Iterator[Line]:
        for number, text in enumerate(whole.split(b"\n"), start=1):
            try:
                line = json.loads(text)
                if line["kind"] not in KINDS or (number == 1) != (line["kind"] == "start"):
                    raise ValueError("the line is out of place")
                if line["kind"] in SCORED:
                    EvaluationLine.model_validate(line)
            except (ValueError, KeyError, TypeError) as error:
                raise self._corrupt(number, error) from None
            yield line

    def _corrupt(self, number: int, error: Exception) -> RunError:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        return RunError(
            f"{self.path}:{number}: the journal is corrupt ({reason}); restore it from a copy, or cut it "
            f"to its first {number - 1} lines and swarm resume {self.path.parent}"
        )

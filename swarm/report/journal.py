"""The journal's lines as types."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from swarm.errors import RunError
from swarm.report.parse import Json, mapping, number, numbers, sequence, text, texts, whole


@dataclass(frozen=True)
class Item:
    """One example as the journal keeps it."""

    id: str
    task: str
    prompt: str
    answer: str


@dataclass(frozen=True)
class Source:
    """Where weights were read from, and what they were."""

    path: str
    fingerprint: str


@dataclass(frozen=True)
class Start:
    """The first line: what the run is made of. items: objective -> split -> examples in order."""

    time: str
    version: str
    seed: int
    base: Source
    experts: Mapping[str, Source]
    coordinates: tuple[str, ...]
    optimizer: str
    items: Mapping[str, Mapping[str, tuple[Item, ...]]]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Scored:
    """An evaluation, select or test line. examples and outputs: objective -> one for each example, in order."""

    id: str
    iteration: int | None
    split: str
    status: str
    position: tuple[float, ...]
    scores: Mapping[str, float]
    examples: Mapping[str, tuple[float, ...]]
    outputs: Mapping[str, tuple[str, ...]]
    n_examples: int
    tokens: int
    seconds: float
    compose_seconds: float
    forward_seconds: float
    worker: str
    elapsed: float
    error: str
    repeated: bool


@dataclass(frozen=True)
class Failure:
    """One attempt that failed."""

    id: str
    attempt: int
    error: str
    worker: str


@dataclass(frozen=True)
class Journal:
    """All lines, by kind. `ends` maps a phase to the reason it ended; `elapsed` is the latest time seen."""

    start: Start
    evaluations: tuple[Scored, ...]
    failures: tuple[Failure, ...]
    selects: tuple[Scored, ...]
    tests: Mapping[str, Scored]
    ends: Mapping[str, str]
    elapsed: float

    @property
    def scored(self) -> tuple[Scored, ...]:
        return (*self.evaluations, *self.selects, *self.tests.values())

    @property
    def objectives(self) -> tuple[str, ...]:
        return tuple(self.start.items)


def read_journal(lines: Sequence[Json]) -> Journal:
    """Lines in order. Raises RunError without a start line."""
    kinds: dict[str, list[Json]] = {}
    for line in lines:
        kinds.setdefault(text(line.get("kind")), []).append(line)
    if "start" not in kinds:
        raise RunError("journal.jsonl has no start line: nothing was recorded; run `swarm search` again")
    return Journal(
        start=_start(kinds["start"][0]),
        evaluations=tuple(_scored(line) for line in kinds.get("evaluation", ())),
        failures=tuple(_failure(line) for line in kinds.get("failure", ())),
        selects=tuple(_scored(line) for line in kinds.get("select", ())),
        tests={text(line.get("id")): _scored(line) for line in kinds.get("test", ())},
        ends={text(line.get("phase")): text(line.get("reason")) for line in kinds.get("end", ())},
        elapsed=max((number(line["elapsed"]) for line in lines if "elapsed" in line), default=0.0),
    )


def read_source(value: object) -> Source:
    source = mapping(value)
    return Source(text(source.get("path")), text(source.get("fingerprint")))


def _start(line: Json) -> Start:
    return Start(
        time=text(line.get("time")),
        version=text(line.get("version")),
        seed=whole(line.get("seed")),
        base=read_source(line.get("base")),
        experts={name: read_source(value) for name, value in mapping(line.get("experts")).items()},
        coordinates=texts(line.get("coordinates")),
        optimizer=text(line.get("optimizer")),
        items={
            objective: {split: _items(value) for split, value in mapping(splits).items()}
            for objective, splits in mapping(line.get("items")).items()
        },
        notes=texts(line.get("notes")),
    )


def _items(value: object) -> tuple[Item, ...]:
    rows = [mapping(row) for row in sequence(value)]
    return tuple(Item(*(text(row.get(key)) for key in ("id", "task", "prompt", "answer"))) for row in rows)


def _scored(line: Json) -> Scored:
    iteration = line.get("iteration")
    return Scored(
        id=text(line.get("id")),
        iteration=None if iteration is None else whole(iteration),
        split=text(line.get("split")),
        status=text(line.get("status", "ok")),
        position=numbers(line.get("position")),
        scores={name: number(value) for name, value in mapping(line.get("scores")).items()},
        examples={name: numbers(value) for name, value in mapping(line.get("examples")).items()},
        outputs={name: texts(value) for name, value in mapping(line.get("outputs")).items()},
        n_examples=whole(line.get("n_examples")),
        tokens=whole(line.get("tokens")),
        seconds=number(line.get("seconds", 0.0)),
        compose_seconds=number(line.get("compose_seconds", 0.0)),
        forward_seconds=number(line.get("forward_seconds", 0.0)),
        worker=text(line.get("worker")),
        elapsed=number(line.get("elapsed", 0.0)),
        error=text(line.get("error")),
        repeated=bool(line.get("same_as")),
    )


def _failure(line: Json) -> Failure:
    return Failure(text(line.get("id")), whole(line.get("attempt")), text(line.get("error")), text(line.get("worker")))

"""What the tests of engines, pools, searches and runs share: a workshop of tiny experts, recipes, examples, a run."""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.models import make_adapter, make_base, make_checkpoint
from swarm.compositions.weights import Weights
from swarm.config.load import parse_config
from swarm.config.references import resolve
from swarm.core.candidates import Candidate, Task
from swarm.core.examples import Example
from swarm.core.recipes import Group, Recipe, WeightRecipe
from swarm.core.requests import Reply, Request
from swarm.engines import Encoder, Engine
from swarm.engines.transformers.engine import TransformersEngine, TransformersSettings
from swarm.evaluation.evaluator import EvaluatorSpec
from swarm.evaluation.workload import Examples, Workload, make_workload
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.journal.records import Source, StartRecord
from swarm.objectives.base import Objective
from swarm.objectives.multiple_choice import MultipleChoice
from swarm.run.pipeline import start_run

TIMES = ("elapsed", "seconds", "compose_seconds", "forward_seconds", "worker", "time")
ADAPTERS = ("one", "two", "three")

START = StartRecord(
    time="2026-11-21T00:00:00+00:00", version="0", seed=0, optimizer="x", coordinates=(),
    base=Source(path="b", fingerprint="f"), experts={}, items={}, notes=(),
)  # fmt: skip


class Silent:
    """A listener that keeps the notes and says nothing."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def phase(self, text: str) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)

    def evaluated(self, evaluation: object, archive: object) -> None: ...


def make_workshop(folder: Path) -> Path:
    """base, three adapters and a full fine-tune."""
    base = make_base(folder / "base")
    for seed, name in enumerate(ADAPTERS):
        make_adapter(folder / name, base, seed, scale=0.15)
    make_checkpoint(folder / "full", base, seed=9, scale=0.1)
    return folder


def opened(folder: Path, *names: str) -> Catalog:
    return open_catalog(folder / "base", [ExpertSpec(name, folder / name) for name in names or (*ADAPTERS, "full")])


def engine(catalog: Catalog, **settings: Any) -> TransformersEngine:
    return TransformersSettings(**{"dtype": "float32", **settings}).open(catalog)


def answer(held: Engine, catalog: Catalog, recipes: Sequence[Recipe], requests: Sequence[Request]) -> list[Reply]:
    """What the engine answers to requests that are encoded for it."""
    return held.answer(recipes, Encoder.of(catalog.base.path).encode(requests))


def reply(held: TransformersEngine, catalog: Catalog, *requests: Request, **coefficients: float) -> Reply:
    """What it answers with these coefficients."""
    (found,) = answer(held, catalog, [recipe(catalog, **coefficients)], requests)
    return found


def recipe(catalog: Catalog, **coefficients: float) -> Recipe:
    """One group; experts that are not named have coefficient 0."""
    values = {name: (coefficients.get(name, 0.0),) for name in catalog.names}
    return Recipe(WeightRecipe("delta", (Group("all", ("*",)),), values))


def words(n: int, seed: int = 0, letters: str = "abcdefgh") -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices(letters, k=rng.randint(3, 8))) for _ in range(n)]


def choices(n: int, seed: int = 0) -> tuple[Example, ...]:
    """Multiple choice: the word backwards, as it is, in capitals."""
    return tuple(
        Example(str(i), f"{w}=", "A", {"A": w[::-1], "B": w, "C": w.upper()}) for i, w in enumerate(words(n, seed))
    )


def spec(folder: Path, *objectives: Objective, experts: tuple[str, ...] = ADAPTERS) -> EvaluatorSpec:
    """What workers are opened from; without objectives, one of multiple choice called "words"."""
    return EvaluatorSpec(
        base=folder / "base",
        experts=tuple(ExpertSpec(name, folder / name) for name in experts),
        composition=Weights(),
        engine=TransformersSettings(dtype="float32"),
        objectives=objectives or (MultipleChoice(name="words"),),
        import_path=folder,
    )


def workload(spec: EvaluatorSpec, examples: Examples) -> Workload:
    """The examples as workers of this spec are given them."""
    return make_workload(spec.objectives, examples, Encoder.of(spec.base))


def tasks(*positions: tuple[float, ...]) -> list[Task]:
    return [Task(candidate) for candidate in candidates(*positions)]


def candidates(*positions: tuple[float, ...]) -> list[Candidate]:
    return [Candidate(f"0-{i}", position, 0, i) for i, position in enumerate(positions)]


def write_examples(path: Path, n: int, seed: int = 0) -> Path:
    lines = [
        {"id": e.id, "prompt": e.prompt, "choices": dict(e.choices or {}), "answer": e.answer} for e in choices(n, seed)
    ]
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return path


def start(folder: Path, run_dir: Path, config: Mapping[str, object]) -> dict[str, Any]:
    """A whole run in this process, and its summary; `config` replaces sections of a small one."""
    small = {
        "base": "base",
        "experts": list(ADAPTERS),
        "objectives": [{"name": "words", "type": "multiple_choice", "data": "words.jsonl"}],
        "optimizer": {"type": "pso", "particles": 5, "iterations": 3},
        "engine": {"dtype": "float32"},
        "cluster": {"type": "local"},
    }
    parsed = resolve(parse_config(small | dict(config), "test"), folder)
    return start_run(parsed, run_dir, Silent()).content()


def journal(run_dir: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in (run_dir / "journal.jsonl").read_text().splitlines()]


def timeless(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines without what differs between two runs that do the same."""
    return [{key: value for key, value in line.items() if key not in TIMES} for line in lines]

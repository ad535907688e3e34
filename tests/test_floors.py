"""Imports point down. The table is the architecture: a module imports from its own part and from lower floors."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "swarm"
FLOORS = [
    {"errors", "types", "settings", "interrupts"},
    {"lines", "utility", "softening", "units", "files", "tensors", "updates", "groups", "data", "duplicates"},
    {"adapters", "thinning", "dealing", "tensor_writer", "vocabulary"},
    {"experts", "splits"},
    {"contamination"},
    {"vectors", "compositions", "engines", "objectives", "optimizers", "racing"},
    {"workload", "truncation", "memory", "standing"},
    {"trackers", "answer_length"},
    {"lap"},
    {"evaluator"},
    {"pool", "evidence"},
    {"cluster"},
    {"journal", "config", "loadback"},
    {"archive"},
    {"prediction", "comparison"},
    {"selection", "verdict", "zoo"},
    {"search", "summary", "report", "table"},
    {"export", "stepping"},
    {"plan"},
    {"needs"},
    {"rundir", "check", "progress", "tracking"},
    {"origin"},
    {"reexport"},
    {"delivery"},
    {"run"},
    {"cli"},
]
SEAMS = {"compositions", "engines", "objectives", "optimizers", "trackers"}
ONLY_IN = {
    "ray": {"cluster", "trackers"},
    "transformers": {"engines", "zoo"},
    "peft": {"zoo"},
    "typer": {"cli"},
    "rich": {"cli", "progress", "table"},
}
TORCH = {
    "tensors",
    "tensor_writer",
    "updates",
    "thinning",
    "vectors",
    "engines",
    "export",
    "zoo",
    "cluster",
    "memory",
}
MODULES = [path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py"]


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imports(path: Path) -> Iterator[str]:
    """Modules that are imported when this one is: imports inside functions and for type checkers are left out."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "swarm":
            yield from (f"swarm.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}: relative import"
            yield node.module


def floor(part: str) -> int:
    return next(i for i, parts in enumerate(FLOORS) if part in parts)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    part = part_of(path)
    for name in imports(path):
        top, *rest = name.split(".")
        if top == "swarm" and rest and rest[0] != "__version__":
            assert rest[0] == part or floor(rest[0]) < floor(part), f"{part} imports {rest[0]}"
            assert not {rest[0], part} <= SEAMS or rest[0] == part, f"the seams {part} and {rest[0]} know each other"
        assert part in ONLY_IN.get(top, {part}), f"{part} imports {top}, which belongs in {ONLY_IN.get(top)}"
        assert top != "torch" or part in TORCH, f"{part} imports torch"


def test_every_module_has_a_floor() -> None:
    assert {part_of(path) for path in MODULES} == set().union(*FLOORS)


def test_optimizers_need_numpy_and_nothing_heavier() -> None:
    allowed = {"swarm", "numpy", "scipy", "pydantic", "cmaes", "threadpoolctl"}
    for path in (ROOT / "optimizers").glob("*.py"):
        foreign = {name.split(".")[0] for name in imports(path)} - allowed
        assert foreign <= {"abc", "collections", "dataclasses", "enum", "itertools", "math", "typing"}, path


@pytest.mark.parametrize("schedule", ["search", "stepping"])
def test_search_cannot_reach_the_test_split(schedule: str) -> None:
    """The loop sees an optimizer and a callable: nothing that holds data, splits or engines."""
    assert {name for name in imports(ROOT / f"{schedule}.py") if name.startswith("swarm")} - {"swarm.search"} <= {
        "swarm.archive",
        "swarm.errors",
        "swarm.optimizers",
        "swarm.optimizers.base",
        "swarm.pool",
        "swarm.types",
        "swarm.utility",
    }


def test_files_and_functions_fit_the_eye() -> None:
    for path in MODULES:
        source = path.read_text()
        assert len(source.splitlines()) <= 260, f"{path} wants two names"
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 45, f"{path}: {node.name}"

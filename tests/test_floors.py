"""The house: imports point down its floors, its walls hold by what is loaded, its files and functions fit the eye.

The table is the architecture: a module imports from its own room and from lower floors.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "swarm"
FLOORS = [
    {"core"},
    {"data", "experts", "objectives", "optimizers", "preferences", "statistics", "zoo"},
    {"builders", "compositions", "engines", "journal"},
    {"evaluation", "search", "export", "report"},
    {"workers", "trackers"},
    {"config"},
    {"run"},
    {"api", "web"},
    {"cli"},
]
SEAMS = {"builders", "compositions", "engines", "objectives", "optimizers", "preferences", "trackers"}
ONLY_IN = {
    "ray": {"workers/ray", "trackers/ray_metrics.py"},
    "transformers": {"builders", "engines", "experts", "zoo"},
    "peft": {"builders", "engines/transformers/composed_layers.py", "zoo"},
    "trl": {"builders"},
    "datasets": {"builders"},
    "vllm": {"engines/vllm"},
    "lm_eval": {"objectives/lm_eval"},
    "moocore": {"preferences/front.py"},
    "typer": {"cli"},
    "rich": {"cli"},
    "torch": {"builders", "engines", "experts", "export", "workers/ray", "zoo"},
}
LIGHT = ["core", "journal", "objectives", "optimizers", "preferences", "report", "search", "statistics", "web"]
HEAVY = {"torch", "transformers", "ray"}
MODULES = [path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py"]
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 260, 40


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Modules that are imported when this one is: imports inside functions and for type checkers are left out."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if is_module(name) else node.module for name in names)


def is_module(name: str) -> bool:
    place = ROOT.parent.joinpath(*name.split("."))
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


def floor(room: str) -> int:
    return next(i for i, rooms in enumerate(FLOORS) if room in rooms)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    room, inside = room_of(path), path.relative_to(ROOT).as_posix()
    for name in imports(path):
        top, *rest = name.split(".")
        if top == "swarm" and rest:
            assert rest[0] == room or floor(rest[0]) < floor(room), f"{room} imports {rest[0]}"
            assert not {rest[0], room} <= SEAMS or rest[0] == room, f"the seams {room} and {rest[0]} know each other"
        places = ONLY_IN.get(top, {room})
        assert any(inside.startswith(place) for place in places), f"{inside} imports {top}, which belongs in {places}"


def test_every_room_has_a_floor_and_there_are_few_floors() -> None:
    assert {room_of(path) for path in MODULES} == set().union(*FLOORS)
    assert len(FLOORS) <= 10
    assert len([path for path in MODULES if path.parent == ROOT]) <= 3


def test_no_import_circle() -> None:
    of = {name_of(path): path for path in MODULES}
    below = {name: {other for other in imports(path) if other in of} for name, path in of.items()}
    while free := {name for name, others in below.items() if not others & below.keys()}:
        below = {name: others for name, others in below.items() if name not in free}
    assert not below, f"a circle among {sorted(below)}"


@pytest.mark.parametrize("room", LIGHT)
def test_light_rooms_load_nothing_heavy(room: str) -> None:
    """In a fresh process, with every module of the room imported."""
    statements = [f"import {name_of(path)}" for path in MODULES if room_of(path) == room]
    code = "; ".join(["import sys", *statements, f"print({HEAVY!r} & set(sys.modules))"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()", done.stdout


def test_optimizers_need_numpy_and_nothing_heavier() -> None:
    allowed = {"swarm", "numpy", "scipy", "pydantic", "cmaes", "threadpoolctl"}
    for path in (ROOT / "optimizers").glob("*.py"):
        foreign = {name.split(".")[0] for name in imports(path)} - allowed
        assert foreign <= {"abc", "collections", "contextlib", "dataclasses", "enum", "itertools", "math", "typing"}, (
            path
        )


@pytest.mark.parametrize("schedule", ["loop", "generational", "asynchronous"])
def test_search_cannot_reach_the_test_split(schedule: str) -> None:
    """The loop sees an optimizer and a callable: nothing that holds data, splits or engines."""
    seen = {name.split(".")[1] for name in imports(ROOT / f"search/{schedule}.py") if name.startswith("swarm")}
    assert seen <= {"core", "journal", "optimizers", "preferences", "search"}


def test_exports_need_no_engine() -> None:
    """What is exported is merged by experts/ alone, which every engine uses, too."""
    for path in (ROOT / "export").rglob("*.py"):
        assert not [name for name in imports(path) if name.startswith("swarm.engines")], path


def test_scheduling_knows_neither_ray_nor_the_clock() -> None:
    for path in (ROOT / "workers" / "scheduling").glob("*.py"):
        assert not {"ray", "time"} & {name.split(".")[0] for name in imports(path)}, path


def test_files_and_functions_fit_the_eye() -> None:
    for path in MODULES:
        source = path.read_text()
        assert len(source.splitlines()) <= MOST_LINES, f"{path} wants two names"
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < MOST_LINES_OF_A_FUNCTION, f"{path}: {node.name}"


def test_every_room_says_what_it_is_for() -> None:
    for package in ROOT.rglob("__init__.py"):
        doc = ast.get_docstring(ast.parse(package.read_text()))
        assert doc, f"{package} has no docstring"

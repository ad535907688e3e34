"""What a message about a mistake tells the user to do is done, and then the command is accepted."""

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from support.bad_inputs import Case, Scene, Words
from support.playground import Playground, run_cli
from support.remedies import ELSEWHERE, REMEDIES, SLOW, Remedy

ROOT = Path(__file__).parents[2]


def all_cases() -> list[tuple[str, Case]]:
    """The cases of every table of tests/support/bad_*.py, each once, with the key of its remedies.

    That is its id; where two tables have a case of one id, the table's name stands before it: bad_texts/ID.
    """
    files = sorted((ROOT / "tests" / "support").glob("bad_*.py"))
    modules = [import_module(f"support.{file.stem}") for file in files]
    found = {
        id(case): (file.stem, case)
        for file, module in zip(files, modules, strict=True)
        for table in vars(module).values()
        if isinstance(table, list)
        for case in table
        if isinstance(case, Case)
    }
    return [(own if (own := f"{name}/{case.id}") in REMEDIES else case.id, case) for name, case in found.values()]


CASES = all_cases()
FOLLOWED = [
    pytest.param(case, remedy, id=name, marks=[pytest.mark.slow] if name in SLOW else [])
    for key, case in CASES
    for name, remedy in ((f"{key}-{i}", remedy) for i, remedy in enumerate(REMEDIES.get(key, ()), 1))
]


ACCEPTED: set[tuple[str, ...]] = set()  # what a check depends on, where it was accepted before


@pytest.fixture
def scene(tmp_path: Path, playground: Playground, finished_run: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return Scene(tmp_path, playground, finished_run)


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path) -> Iterator[None]:
    """A cache of the test's own; afterwards the variables as they were."""
    before = dict(os.environ)
    os.environ["SWARM_CACHE"] = str(tmp_path / "cache")
    yield
    os.environ.clear()
    os.environ.update(before)


def tried(case: Case, words: Words) -> Words:
    """The command that shows whether the remedy helped: for a search its check, which says what a search would say.

    A check knows nothing of other runs' directories: where these are the mistake, the search is started.
    """
    if words[0] != "search" or case.place in ("--run-dir", "--continue-from"):
        return words
    at = words.index("--run-dir") if "--run-dir" in words else len(words)
    return ["check", *words[1:at], *words[at + 2 :]]


def checked(case: Case, words: Words, scene: Scene) -> tuple[str, ...]:
    """What a check depends on, where that is all in the config and the words, and they name nothing of this case."""
    if words[0] != "check" or case.environment or str(words[1]).startswith("--"):
        return ()
    seen = (Path(str(words[1])).read_text(), *map(str, words[2:]))
    own = (str(scene.folder), "zoo:", "function:", "modules=", "..")
    return () if any(name in each for each in seen for name in own) else seen


@pytest.mark.parametrize(("case", "remedy"), FOLLOWED)
def test_the_remedy_helps(case: Case, remedy: Remedy, scene: Scene) -> None:
    os.environ.update({name: value.format(folder=scene.folder) for name, value in case.environment.items()})
    words = tried(case, remedy(scene, case.arrange(scene)))
    if (known := checked(case, words, scene)) in ACCEPTED:
        return
    done = run_cli(*words)
    assert done.code == 0, done.err
    if known:
        ACCEPTED.add(known)


def test_every_case_has_its_remedy() -> None:
    """Where this fails: write what the message of the new case says to do into tests/support/remedies_for_*.py."""
    names = {key for key, _ in CASES}
    assert sorted(names - {name for name, remedies in REMEDIES.items() if remedies} - ELSEWHERE.keys()) == []
    assert REMEDIES.keys() & ELSEWHERE.keys() == set()


@pytest.mark.parametrize("test", sorted({each for each in ELSEWHERE.values() if "::" in each}))
def test_the_tests_elsewhere_are_there(test: str) -> None:
    file, _, name = test.partition("::")
    assert f"def {name}(" in (ROOT / file).read_text()

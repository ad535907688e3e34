"""Zoos: their paths, that a build is complete or leaves nothing, and that composing the tiny zoo improves the score."""

import json
import random
from pathlib import Path

import pytest

from support.playground import run_cli
from swarm import zoo
from swarm.core.errors import UserError
from swarm.zoo import tiny
from swarm.zoo.base import Builder, BuildPaths, Progress
from swarm.zoo.store import MANIFEST, build_at
from swarm.zoo.string_tasks import TASKS, Corpus, ExpertMixture, evaluation_examples, prompts

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWARM_CACHE", str(tmp_path))
    return tmp_path / "zoo"


def quiet(_message: str, share: float) -> None:
    assert 0.0 <= share <= 1.0


def small(paths: BuildPaths, progress: Progress) -> None:
    """A zoo of empty folders."""
    for expert in tiny.RECIPE.experts:
        (paths.work / "experts" / expert.name).mkdir(parents=True)
    (paths.work / "base").mkdir()
    (paths.work / "data").mkdir()
    (paths.work / "data" / "examples.jsonl").touch()
    progress("done", 1.0)


def broken(paths: BuildPaths, progress: Progress) -> None:
    small(paths, progress)
    raise RuntimeError("cut off")


def test_references_find_base_experts_and_data(cache: Path) -> None:
    build_at(Builder(tiny.RECIPE, small), "tiny", cache / "tiny", quiet)
    assert zoo.locate("zoo:tiny") == cache / "tiny" / "base"
    assert zoo.locate("zoo:tiny/rot") == cache / "tiny" / "experts" / "rot"
    assert zoo.locate("zoo:tiny/data/examples.jsonl") == cache / "tiny" / "data" / "examples.jsonl"


@pytest.mark.parametrize(
    ("reference", "remedy"),
    [
        ("zoo:tiny", "swarm zoo build tiny"),
        ("zoo:tinny", "tiny"),
    ],
)
def test_an_error_about_a_missing_zoo_has_the_remedy(reference: str, remedy: str) -> None:
    with pytest.raises(UserError, match=remedy):
        zoo.locate(reference)


def test_an_error_about_an_unknown_expert_names_the_closest(cache: Path) -> None:
    build_at(Builder(tiny.RECIPE, small), "tiny", cache / "tiny", quiet)
    with pytest.raises(UserError, match="mirror"):
        zoo.locate("zoo:tiny/miror")


def test_a_build_that_breaks_leaves_nothing(cache: Path) -> None:
    with pytest.raises(RuntimeError, match="cut off"):
        build_at(Builder(tiny.RECIPE, broken), "tiny", cache / "tiny", quiet)
    assert [path.name for path in cache.iterdir() if not path.name.endswith(".lock")] == []


def test_a_zoo_is_built_once_and_again_when_its_recipe_changes(cache: Path) -> None:
    first = build_at(Builder(tiny.RECIPE, small), "tiny", cache / "tiny", quiet)
    assert build_at(Builder(tiny.RECIPE, broken), "tiny", cache / "tiny", quiet) == first
    changed = tiny.RECIPE.model_copy(update={"version": 2})
    build_at(Builder(changed, small), "tiny", cache / "tiny", quiet)
    assert json.loads((first / MANIFEST).read_text())["fingerprint"] == changed.fingerprint


def test_a_folder_that_is_not_a_zoo_is_not_replaced(cache: Path) -> None:
    (cache / "tiny").mkdir(parents=True)
    (cache / "tiny" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="not a zoo"):
        build_at(Builder(tiny.RECIPE, small), "tiny", cache / "tiny", quiet)
    assert (cache / "tiny" / "thesis.txt").read_text() == "mine"


def test_no_evaluation_example_is_used_in_training() -> None:
    examples = evaluation_examples(1, 50, (4, 4))
    held_out = prompts(examples)
    assert len(held_out) == len(examples) == 50 * len(TASKS)
    corpus = Corpus(0.4, (4, 4), held_out)
    trained_on = ExpertMixture(corpus, "rot", "right", 0.5).draw(random.Random(0), 2000)
    assert not held_out & {example.prompt for example in trained_on}


@pytest.mark.slow
def test_composing_the_tiny_zoo_improves_the_score(cache: Path, tmp_path: Path) -> None:
    """The best is 10 points above the best single expert and above the uniform average, on the test split."""
    run = tmp_path / "run"
    done = run_cli("search", str(ROOT / "configs" / "quickstart.yaml"), "--run-dir", str(run))
    assert done.code == 0, done.err
    summary = json.loads((run / "summary.json").read_text())
    singles = [name for name in summary["baselines"] if name.startswith("expert:")]
    assert len(singles) >= 8
    assert all(summary["paired"][name]["difference"] >= 0.10 for name in singles)
    assert summary["paired"]["uniform"]["low"] > 0.0
    assert summary["export_check"]["equal"] == summary["export_check"]["n"]


@pytest.mark.slow
def test_the_tiny_zoo_is_the_same_twice(tmp_path: Path) -> None:
    first, second = (zoo.build("tiny", tmp_path / name, quiet) for name in ("first", "second"))
    for file in sorted(first.rglob("*.safetensors")):
        assert file.read_bytes() == (second / file.relative_to(first)).read_bytes(), file

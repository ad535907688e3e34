"""Looking at runs: what is listed and compared is what their files hold, and nothing is changed."""

import json
import shutil
from pathlib import Path

import pytest

from support.bad_inputs import Scene
from support.playground import Playground, run_cli, summary_of
from swarm.run.lock import locked


@pytest.fixture(scope="module")
def shelf(playground: Playground, finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, one of another seed, a stopped one, a damaged one, and a file."""
    folder = tmp_path_factory.mktemp("shelf")
    shutil.copytree(finished_run, folder / "first")
    done = run_cli("search", playground.config_file, "--run-dir", folder / "other", "--set", "seed=5")
    assert done.code == 0, done.err
    shutil.move(Scene(folder, playground, finished_run).stopped_run(), folder / "stopped")
    shutil.copytree(finished_run, folder / "torn")
    (folder / "torn" / "summary.json").write_text("{")
    (folder / "notes.txt").write_text("no run")
    return folder


def listed(folder: Path) -> dict[str, dict[str, object]]:
    done = run_cli("runs", folder, "--json")
    assert done.code == 0, done.err
    return {Path(run["folder"]).name: run for run in json.loads(done.out)["runs"]}


def test_runs_are_listed_with_state_and_result(shelf: Path) -> None:
    found = listed(shelf)
    assert sorted(found) == ["first", "other", "stopped", "torn"]
    summary = summary_of(shelf / "first")
    best = summary["best"]
    assert isinstance(best, dict)
    assert found["first"]["state"] == "finished"
    assert found["first"]["best"] == best["id"]
    assert found["first"]["test"]["words"]["mean"] == best["test"]["mean"]  # type: ignore[index]
    assert found["stopped"]["state"] == "stopped: searching"
    assert str(found["torn"]["state"]).startswith("unreadable: ")
    with locked(shelf / "stopped"):
        assert listed(shelf)["stopped"]["state"] == "searching"
    shown = run_cli("runs", shelf)
    assert "stopped: searching" in shown.out
    assert "no runs in" in run_cli("runs", shelf / "first").out


def test_candidates_are_those_that_can_be_exported(shelf: Path, tmp_path: Path) -> None:
    run = shelf / "first"
    done = run_cli("candidates", run, "--top", 3, "--json")
    found = json.loads(done.out)["candidates"]
    assert [each["utility"] for each in found] == sorted((each["utility"] for each in found), reverse=True)
    (selected,) = [each for each in found if each["selected"]]
    best = summary_of(run)["best"]
    assert isinstance(best, dict)
    assert selected["id"] == best["id"]
    assert selected["scores"]["test"]["words"] == best["test"]["mean"]
    for each in found:
        done = run_cli(
            "export", run, tmp_path / each["id"].replace(":", "-"), "--format", "recipe", "--candidate", each["id"]
        )
        assert done.code == 0, done.err
    assert "swarm export" in run_cli("candidates", run).out


def test_two_runs_are_compared_by_the_same_examples(shelf: Path) -> None:
    found = json.loads(run_cli("compare", shelf / "first", shelf / "other", "--json").out)
    assert found["config"] == {"seed": [0, 5]}
    means = [scores["mean"] for scores in found["test"]["words"]]
    if "words" in found["differences"]:  # the seed may deal other examples into test
        assert found["differences"]["words"]["difference"] == pytest.approx(means[1] - means[0])
    twin = shelf.parent / "twin"
    shutil.copytree(shelf / "first", twin, dirs_exist_ok=True)
    same = json.loads(run_cli("compare", shelf / "first", twin, "--json").out)
    assert same["config"] == {}
    assert same["differences"]["words"] == {"difference": 0.0, "low": 0.0, "high": 0.0}
    assert "on the same test examples" in run_cli("compare", shelf / "first", twin).out.replace("\n", " ")


def test_looking_changes_nothing(shelf: Path) -> None:
    def content() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted(shelf.rglob("*")) if path.is_file()}

    before = content()
    for words in (("runs", shelf), ("candidates", shelf / "first"), ("compare", shelf / "first", shelf / "other")):
        assert run_cli(*words).code == 0
    assert content() == before

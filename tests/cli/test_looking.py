"""Looking at runs: what is listed and compared is what their files hold, and nothing is changed."""

import io
import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from support.bad_inputs import Scene
from support.playground import Playground, run_cli, summary_of
from swarm.cli.plain_table import Items, folded
from swarm.run.comparing import compared
from swarm.run.lock import locked
from swarm.statistics.intervals import Difference


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


@pytest.fixture(scope="module")
def continued(playground: Playground, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two objectives and two groups, which continues "source it", whose best wins."""
    folder = tmp_path_factory.mktemp("continued runs")
    (words,) = playground.config()["objectives"]  # type: ignore[misc]
    more = words | {"name": "again", "metric": "probability", "weight": 2.0}
    shared = {"objectives": [words, more], "composition": {"type": "weights", "groups": "modules"}}
    for name, particles, options in (("source it", 12, ()), ("then", 2, ("--continue-from", folder / "source it"))):
        optimizer = {"type": "random", "particles": particles, "iterations": 1}
        config = playground.config(
            **shared, optimizer=optimizer, selection={"finalists": 3}, export={"format": "recipe"}
        )
        (folder / "case.yaml").write_text(yaml.safe_dump(config))
        done = run_cli("search", folder / "case.yaml", "--run-dir", folder / name, *options)
        assert done.code == 0, done.err
    return folder / "then"


def edited(run: Path, place: Path, change: Callable[[dict[str, Any]], object], file: str = "config.yaml") -> Path:
    """A copy of a run whose config or summary is changed."""
    copy = shutil.copytree(run, place)
    content = yaml.safe_load((copy / file).read_text())
    change(content)
    (copy / file).write_text(json.dumps(content))  # JSON is YAML, too
    return copy


def refuse(text: str) -> None:
    raise AssertionError(f"{text} is not JSON")


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
    assert "no runs in" in run_cli("runs", shelf / "first" / "best").out
    assert listed(shelf / "first") == {"first": found["first"]}


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


def test_candidates_of_the_continued_run_are_listed(continued: Path, tmp_path: Path) -> None:
    best = summary_of(continued)["best"]
    assert isinstance(best, dict)
    assert best["id"].startswith("source_it/")
    found = json.loads(run_cli("candidates", continued, "--json").out)["candidates"]
    assert [each["id"] for each in found if each["selected"]] == [best["id"]]
    assert sum(each["id"].startswith("source_it/") for each in found) >= 12
    done = run_cli("export", continued, tmp_path / "out", "--format", "recipe", "--candidate", found[-1]["id"])
    assert done.code == 0, done.err


def test_of_equal_candidates_the_earlier_comes_first(continued: Path, shelf: Path, tmp_path: Path) -> None:
    """Every score is made the same: what is left is the candidates' age, and the journal's order among the known."""

    def ids(run: Path) -> list[str]:
        lines = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
        for line in lines:
            for name, values in line.get("examples", {}).items():
                line["examples"][name] = [1.0] * len(values)
                line["scores"][name] = 1.0
        copy = shutil.copytree(run, tmp_path / run.name)
        (copy / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        done = run_cli("candidates", copy, "--top", 100, "--json")
        return [each["id"] for each in json.loads(done.out)["candidates"]]

    found = [id for id in ids(continued.parent / "source it") if id.startswith("0-")]
    assert found == sorted(found, key=lambda id: int(id.partition("-")[2]))
    assert len(found) > 10
    assert ids(continued)[0].startswith("source_it/")
    plain = ids(shelf / "first")
    assert plain.index("base") < plain.index("1-0"), "baselines are of no iteration"


def test_scores_of_several_objectives_are_named(continued: Path) -> None:
    (row,) = [line for line in run_cli("runs", continued).out.splitlines() if line.startswith("then")]
    assert "words 0." in row
    assert "again 0." in row
    out = run_cli("candidates", continued).out
    assert out.split()[:2] == ["candidate", "utility"]
    assert f"swarm export '{continued}' DEST" in out
    found = json.loads(run_cli("candidates", continued, "--json").out)["candidates"]
    assert f" {found[0]['utility']:.3f} " in out.splitlines()[1]


def test_what_is_piped_has_one_line_a_row(continued: Path) -> None:
    found = json.loads(run_cli("candidates", continued, "--json").out)["candidates"]
    lines = run_cli("candidates", continued).out.splitlines()
    assert len(lines) == len(found) + 2
    for line, each in zip(lines[1:], found, strict=False):
        assert "  ".join(f"{name} {x:z.2f}" for name, x in each["coefficients"].items()) in line


@pytest.mark.parametrize("width", [50, 80, 400])
def test_a_terminal_breaks_between_coefficients_alone(width: int) -> None:
    items = [f"expert{i}.attention -0.{i}0" for i in range(9)]
    screen = Console(file=io.StringIO(), width=width)
    rows = [["0-1 (selected)", "0.333", "0.444", "–", Items(items)]]
    screen.print(folded(["candidate", "search", "select", "test", "coefficients"], rows, width))
    lines = screen.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(len(line.rstrip()) for line in lines) <= width
    assert [item for line in lines for item in re.findall(r"expert\d\.attention -0\.\d0", line)] == items


def test_a_summary_of_another_journal_is_unreadable(shelf: Path, tmp_path: Path) -> None:
    edited(shelf / "first", tmp_path / "more", lambda s: s["counts"].update(evaluations=999), "summary.json")
    edited(shelf / "first", tmp_path / "none", lambda s: s["best"].update(id="7-7"), "summary.json")
    found = listed(tmp_path)
    for name in ("more", "none"):
        assert "is not of this journal" in str(found[name]["state"])


def test_an_interval_that_is_not_known_is_null(shelf: Path, tmp_path: Path) -> None:
    unknown = {"low": None, "high": None}
    run = edited(shelf / "first", tmp_path / "run", lambda s: s["best"]["test"].update(unknown), "summary.json")
    for words in (("runs", tmp_path), ("compare", shelf / "first", run)):
        assert "nan" not in run_cli(*words).out
        json.loads(run_cli(*words, "--json").out, parse_constant=refuse)
    assert listed(tmp_path)["run"]["test"]["words"]["low"] is None  # type: ignore[index]
    found = compared(shelf / "first", run)
    found.differences["words"] = Difference(0.5, math.nan, math.nan)  # type: ignore[index]
    assert found.content()["differences"] == {"words": {"difference": 0.5, "low": None, "high": None}}


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


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"metric": "probability"}, "scored by different metrics"), ({"weight": 3.0, "chat": False}, "")],
)
def test_a_difference_is_of_one_metric(shelf: Path, tmp_path: Path, settings: dict[str, object], words: str) -> None:
    run = edited(shelf / "first", tmp_path / "run", lambda config: config["objectives"][0].update(settings))
    found = json.loads(run_cli("compare", shelf / "first", run, "--json").out)
    assert ("words" in found["differences"]) == (not words)
    assert words in found["unpaired"].get("words", "")
    assert words in run_cli("compare", shelf / "first", run).out


def test_a_key_that_is_missing_is_told_from_one_that_differs(shelf: Path, tmp_path: Path) -> None:
    def older(config: dict[str, Any]) -> None:
        del config["optimizer"]["patience"], config["objectives"][0]["chat"], config["seed"]

    run = edited(shelf / "first", tmp_path / "run", older)
    done = run_cli("compare", shelf / "first", run, "--json")
    found = json.loads(done.out)
    assert found["config"] == {}
    assert found["config_only"] == [{"objectives.0.chat": False, "seed": 0}, {}], (
        "patience is null, as where it is missing"
    )
    assert "words" in found["differences"], "what an older config lacks is at its default"
    rows = {
        line.split()[0]: line.split()[1:] for line in run_cli("compare", shelf / "first", run).out.splitlines() if line
    }
    assert rows["seed"] == ["0", "–"]
    (run / "config.yaml").write_text("{}")
    assert "" not in json.loads(run_cli("compare", shelf / "first", run, "--json").out)["config_only"][1]


def test_coefficients_have_the_same_names_everywhere(continued: Path) -> None:
    listed = json.loads(run_cli("candidates", continued, "--json").out)["candidates"][0]["coefficients"]
    found = json.loads(run_cli("compare", continued, continued.parent / "source it", "--json").out)
    assert found["coefficients"].keys() == listed.keys()


def test_looking_changes_nothing(shelf: Path) -> None:
    def content() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted(shelf.rglob("*")) if path.is_file()}

    before = content()
    for words in (("runs", shelf), ("candidates", shelf / "first"), ("compare", shelf / "first", shelf / "other")):
        assert run_cli(*words).code == 0
    assert content() == before

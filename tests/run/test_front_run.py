"""A whole run whose objectives are held apart, and one under a floor: delivered, killed, resumed, refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.playground import Playground, examples, make_playground, run_cli, summary_of, write_lines
from support.runs import journal, timeless

WORDS = {"type": "multiple_choice"}


@pytest.fixture(scope="module")
def playground(tmp_path_factory: pytest.TempPathFactory) -> Playground:
    made = make_playground(tmp_path_factory.mktemp("fronts"))
    grouped = [{**row, "task": "ab"[i % 2], "group": "xy"[i % 2]} for i, row in enumerate(examples(60))]
    write_lines(made.data, grouped)
    return made


def config(playground: Playground, **sections: object) -> dict[str, Any]:
    objectives = [{"name": task, **WORDS, "data": str(playground.data), "only_tasks": [task]} for task in "ab"]
    front = {"goal": "front", "evaluations": 24}
    return playground.config(**{"objectives": objectives, "optimizer": front, "selection": {"members": 5}} | sections)


def search(playground: Playground, run: Path, **sections: object) -> Any:
    path = run.parent / f"{run.name}.yaml"
    path.write_text(yaml.safe_dump(config(playground, **sections)))
    return run_cli("search", path, "--run-dir", run)


@pytest.fixture(scope="module")
def finished(playground: Playground, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("front") / "run"
    done = search(playground, run)
    assert done.code == 0, done
    return run


def test_the_summary_holds_the_front(finished: Path) -> None:
    front = json.loads((finished / "summary.json").read_text())["front"]
    assert front["objectives"] == ["a", "b"]
    assert front["apart"] is True
    assert set(front["hypervolume"]) == {"search", "select", "test"}
    tested = [member for member in front["members"] if member["test"]]
    assert tested, "the members that nobody dominates were scored on the test split"
    assert {label for member in front["members"] for label in member["groups"]} == {"x", "y"}
    assert all(set(member["select"]) == {"a", "b"} for member in front["members"])


def test_the_budget_counts_as_ever(finished: Path) -> None:
    assert json.loads((finished / "summary.json").read_text())["counts"]["evaluations"] == 24
    assert all(line["status"] == "ok" for line in journal(finished) if line["kind"] == "evaluation"), "nobody is raced"


def test_a_run_that_was_cut_anywhere_ends_the_same(playground: Playground, finished: Path, tmp_path: Path) -> None:
    """As after a kill: the journal ends early, once in a line; what follows is made again."""
    whole = (finished / "journal.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    for cut in (len(lines) // 4, len(lines) // 2, len(lines) - 12):
        run = tmp_path / f"cut{cut}"
        run.mkdir()
        (run / "config.yaml").write_bytes((finished / "config.yaml").read_bytes())
        (run / "journal.jsonl").write_bytes(b"".join(lines[:cut]) + lines[cut][:20])
        assert run_cli("resume", run).code == 0
        assert summary_of(run)["front"] == summary_of(finished)["front"]
        assert summary_of(run)["best"] == summary_of(finished)["best"]
        assert len(journal(run)) == len(journal(finished))


def test_the_same_config_gives_the_same_journal(playground: Playground, finished: Path, tmp_path: Path) -> None:
    assert search(playground, tmp_path / "again").code == 0
    first, again = (
        [{k: v for k, v in line.items() if k != "time"} for line in timeless(journal(run))]
        for run in (finished, tmp_path / "again")
    )
    assert first == again


def test_a_floor_that_nobody_keeps(playground: Playground, tmp_path: Path) -> None:
    """It stops before anything is delivered and says what would deliver; that needs no further search."""
    objectives = config(playground)["objectives"]
    objectives[0]["floor"] = 0.99
    run = tmp_path / "run"
    stopped = search(playground, run, objectives=objectives, optimizer={"evaluations": 16})
    assert stopped.code == 2
    assert "no candidate keeps the floors" in stopped.err
    assert not (run / "best").exists()
    before = len(journal(run))
    done = run_cli("resume", run, "--set", "selection.floors=nearest")
    assert done.code == 0, done
    front = json.loads((run / "summary.json").read_text())["front"]
    assert front["kept"] is False
    assert front["floors"] == {"a": "0.99"}
    assert not [line for line in journal(run)[before:] if line["kind"] == "evaluation"]


def test_the_base_keeps_a_floor_that_counts_from_it(playground: Playground, tmp_path: Path) -> None:
    objectives = config(playground)["objectives"]
    objectives[1] |= {"floor": "base - 0.0", "weight": 0}
    run = tmp_path / "run"
    done = search(playground, run, objectives=objectives, optimizer={"evaluations": 16})
    assert done.code == 0, done
    front = json.loads((run / "summary.json").read_text())["front"]
    assert front["kept"] is True
    assert front["objectives"] == ["a"], "an objective without a weight is scored, and no more"
    kept = {member["id"]: member["floors"]["b"]["kept"] for member in front["members"]}
    assert kept["base"] is True


def test_where_lower_is_better_every_score_is_turned_round(playground: Playground, tmp_path: Path) -> None:
    objectives = config(playground)["objectives"][:1]
    scores = {}
    for direction in ("higher", "lower"):
        objectives[0]["direction"] = direction
        run = tmp_path / direction
        assert search(playground, run, objectives=objectives, optimizer={"evaluations": 8}).code == 0
        found = json.loads((run / "summary.json").read_text())["baselines"]["base"]
        scores[direction] = found["test"]["mean"]
    assert scores["lower"] == -scores["higher"] != 0


def test_check_says_what_is_held_apart_and_what_a_floor_asks_for(playground: Playground, tmp_path: Path) -> None:
    """sqrt(0.8 * 0.2 / 8) is 0.141; 1.645 times that over 0.8 is above 1, the most that there is."""
    content = config(playground)
    content["objectives"][0]["floor"] = 0.8
    content["objectives"][1]["floor"] = "base - 0.1"
    path = tmp_path / "front.yaml"
    path.write_text(yaml.safe_dump(content))
    done = run_cli("check", path)
    assert done.code == 0, done
    assert "front        of a, b" in done.out
    asked = "to keep it for certain a mean of about 1 on the 8 select examples is needed"
    assert f"floor        a: 0.8; {asked}" in done.out
    assert "floor        b: base - 0.1\n" in done.out

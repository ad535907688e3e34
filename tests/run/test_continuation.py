"""`swarm search --continue-from RUN`: the scores of another run are known from the start."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.playground import Playground, run_cli, summary_of
from support.runs import journal, timeless
from swarm.config.load import parse_config
from swarm.config.references import resolve
from swarm.journal.archive import Archive
from swarm.journal.records import KnownRecord
from swarm.run.continuation import first_lines, open_source
from swarm.run.plan import make_plan

MORE = {"type": "bayesian", "particles": 3, "iterations": 2, "evaluations": 4}


def continued(playground: Playground, place: Path, source: Path, **sections: object) -> Path:
    """A run in `place` that continues `source`."""
    (place / "case.yaml").write_text(yaml.safe_dump(playground.config(**{"optimizer": MORE} | sections)))
    done = run_cli("search", place / "case.yaml", "--run-dir", place / "second", "--continue-from", source)
    assert done.code == 0, done.err
    assert f"note: this search continues {source}: " in done.out
    return place / "second"


@pytest.fixture(scope="module")
def second(playground: Playground, finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that continues another one, which is gone since."""
    place = tmp_path_factory.mktemp("continued")
    first = shutil.copytree(finished_run, place / "first")
    run = continued(playground, place, first, selection={"finalists": 12})
    shutil.rmtree(first)
    return run


def evaluations(run: Path) -> list[dict[str, Any]]:
    return [line for line in journal(run) if line["kind"] == "evaluation"]


def at(lines: list[dict[str, Any]]) -> set[tuple[str, tuple[float, ...]]]:
    """Split and position of every line that something was run for."""
    return {(line["split"], tuple(line["position"])) for line in lines if "position" in line and "same_as" not in line}


def test_known_scores_come_first_and_are_never_paid_again(finished_run: Path, second: Path) -> None:
    lines, before = journal(second), journal(finished_run)
    known = [line for line in lines if line["kind"] == "known"]
    assert lines[1 : 1 + len(known)] == known
    assert at(known) == at(before)
    mine = {(line["split"], tuple(line["position"])): line for line in before if "position" in line}
    for line in known:
        assert line["examples"] == mine[line["split"], tuple(line["position"])]["examples"]
    fresh = at([line for line in lines if line["kind"] != "known"])
    assert not fresh & at(known)
    assert summary_of(second)["counts"]["evaluations"] == 4, "the budget counts what is new"  # type: ignore[index]
    assert lines[0]["continued"]["evaluations"] == len({tuple(line["position"]) for line in evaluations(finished_run)})


def test_the_optimizer_goes_on_from_what_is_known(finished_run: Path, second: Path) -> None:
    """The reference points, where it would start, are known: all that it asks for is new."""
    assert len(evaluations(second)) == 4
    assert not any("same_as" in line for line in evaluations(second))


def test_an_old_candidate_may_win(finished_run: Path, second: Path) -> None:
    best = max(Archive(second / "journal.jsonl").prior_results(), key=lambda e: e.scores["words"])
    assert best.candidate.id.startswith("first/")
    selected = [line for line in journal(second) if line["kind"] == "select" and line["split"] == "select"]
    assert best.candidate.id in {line["id"] for line in selected}
    won = summary_of(second)["best"]
    assert won["select"]["mean"] == max(line["scores"]["words"] for line in selected)  # type: ignore[index]


def test_the_finalists_of_the_first_run_take_part_however_few_there_are(
    playground: Playground, finished_run: Path, tmp_path: Path
) -> None:
    second = continued(playground, tmp_path, finished_run, selection={"finalists": 1})
    before = {tuple(line["position"]) for line in journal(finished_run) if line.get("split") == "select"}
    again = {tuple(line["position"]) for line in journal(second) if line["kind"] == "select"}
    assert before <= again
    won, first = (summary_of(run)["best"]["select"]["mean"] for run in (second, finished_run))  # type: ignore[index]
    assert won >= first


def test_it_says_that_the_test_split_is_no_longer_untouched(second: Path) -> None:
    words = "The test split is no longer untouched"
    assert summary_of(second)["continued"]["tested"] is True  # type: ignore[index]
    assert words in run_cli("test", second).out.replace("\n", " ")
    for file in ("report.md", "report.html", "best/README.md"):
        assert words in (second / file).read_text(), file
    assert "The test split was used for no choice" not in (second / "best" / "README.md").read_text()


def test_its_journal_alone_resumes_it(second: Path, tmp_path: Path) -> None:
    """The run that it continues is gone. Cut after any line, it ends as it did."""
    lines = (second / "journal.jsonl").read_text().splitlines(keepends=True)
    known = sum('"kind": "known"' in line for line in lines)
    run = shutil.copytree(second, tmp_path / "second")
    (run / "summary.json").unlink()
    (run / "journal.jsonl").write_text("".join(lines[: known + 3]))
    done = run_cli("resume", run)
    assert done.code == 0, done.err
    assert timeless(journal(run)) == timeless(journal(second))
    assert summary_of(run) == summary_of(second)


def test_other_bounds_keep_the_scores_within_them(playground: Playground, finished_run: Path) -> None:
    """A search goes elsewhere with them; what a position scores stays the same."""
    source = open_source(finished_run)
    before = at(journal(finished_run))
    for low, high in ((-1.0, 2.5), (-0.25, 1.0)):
        bounds = {"low": low, "high": high}
        config = resolve(parse_config(playground.config(composition=bounds), "test"), playground.folder)
        notes: list[str] = []
        began, *known = first_lines(make_plan(config), source, notes.append)
        inside = {(split, x_D) for split, x_D in before if all(low <= x <= high for x in x_D)}
        assert {(line.split, tuple(line.position)) for line in known if isinstance(line, KnownRecord)} == inside
        lost = len(before - inside)
        assert any(f"{lost} scores of {finished_run} are left out" in note for note in notes) == (lost > 0)
        assert began.notes[-len(notes) :] == tuple(notes)
    assert lost, "narrower bounds leave some out"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pso", "bayesian", "guided_pso", "random", "cma_es", "model_swarms", "greedy_soup"])
@pytest.mark.parametrize("schedule", ["sync", "async"])
def test_every_optimizer_can_continue_and_resume(
    playground: Playground, finished_run: Path, tmp_path: Path, kind: str, schedule: str
) -> None:
    """Cut in the middle of its search, each ends as it did; those that start afresh say so."""
    if schedule == "async" and kind not in ("pso", "bayesian", "guided_pso", "model_swarms"):
        pytest.skip("moves by generations alone")
    settings: dict[str, object] = {"type": kind, "iterations": 3, "schedule": schedule}
    settings |= {} if kind == "greedy_soup" else {"particles": 4}
    source = shutil.copytree(finished_run, tmp_path / "first")
    run = continued(playground, tmp_path, source, optimizer=settings)
    shutil.rmtree(source)
    notes = " ".join(journal(run)[0]["notes"])
    assert ("starts afresh" in notes) == (kind not in ("pso", "bayesian", "guided_pso"))
    known = at([line for line in journal(run) if line["kind"] == "known"])
    assert not known & at(evaluations(run))
    lines = (run / "journal.jsonl").read_text().splitlines(keepends=True)
    again = shutil.copytree(run, tmp_path / "again")
    (again / "summary.json").unlink()
    kept = next(i for i, line in enumerate(lines) if '"kind": "evaluation"' in line) + 2
    (again / "journal.jsonl").write_text("".join(lines[:kept]))
    assert run_cli("resume", again).code == 0
    assert timeless(journal(again)) == timeless(journal(run))
    assert summary_of(again) == summary_of(run)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pso", "bayesian", "guided_pso"])
def test_races_against_scores_of_a_search_without_sequential_tests(
    playground: Playground, finished_run: Path, tmp_path: Path, kind: str
) -> None:
    """Those have no surrogate scores to compare with."""
    racing = {"sequential": True, "rungs": [4, 8]}
    run = continued(playground, tmp_path, finished_run, optimizer=MORE | {"type": kind, "iterations": 4}, racing=racing)
    assert {line["status"] for line in evaluations(run)} <= {"ok", "stopped"}


@pytest.mark.slow
def test_a_chain_of_runs_of_one_name(playground: Playground, finished_run: Path, tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("a", "b", "c")]
    source = shutil.copytree(finished_run, tmp_path / "second")
    for seed, place in enumerate(places):
        place.mkdir()
        optimizer = MORE | {"boldness": 1.0 + seed}
        source = continued(playground, place, source, optimizer=optimizer)
    lines = journal(source)
    known = [line for line in lines if line["kind"] == "known" and line["split"] == "search"]
    assert len({line["id"] for line in known}) == len(known)
    assert len(at(known)) == len(known)
    assert lines[0]["continued"]["tested"]


def test_a_run_that_is_not_tested_yet_leaves_the_test_split_untouched(
    playground: Playground, finished_run: Path, tmp_path: Path
) -> None:
    source = shutil.copytree(finished_run, tmp_path / "first")
    lines = (source / "journal.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["kind"] in ("start", "evaluation")]
    (source / "journal.jsonl").write_text("".join(kept) + '{"kind": "evalu')
    os.remove(source / "summary.json")
    run = continued(playground, tmp_path, source, optimizer={"type": "random", "particles": 2, "iterations": 1})
    assert summary_of(run)["continued"]["tested"] is False  # type: ignore[index]
    assert "The test split was used for no choice" in (run / "best" / "README.md").read_text()

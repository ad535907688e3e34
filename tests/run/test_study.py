"""`swarm study`: the trials are the evaluations of the search."""

import json
from pathlib import Path

import pytest

from support.playground import run_cli
from support.runs import journal

optuna = pytest.importorskip("optuna", reason="the extra optuna is not installed")
pytest.importorskip("sqlalchemy", reason="sqlalchemy is not installed")


def test_the_trials_are_the_evaluations(finished_run: Path, tmp_path: Path) -> None:
    done = run_cli("study", finished_run, tmp_path / "study.db")
    assert done.code == 0, done.err
    assert "optuna-dashboard sqlite:///" in done.out
    assert [path.name for path in tmp_path.iterdir()] == ["study.db"]
    study = optuna.load_study(study_name=finished_run.name, storage=f"sqlite:///{tmp_path / 'study.db'}")
    start, *records = journal(finished_run)
    searched = [each for each in records if each["kind"] == "evaluation" and each.get("split", "search") == "search"]
    assert [trial.user_attrs["candidate"] for trial in study.trials] == [each["id"] for each in searched]
    assert [trial.values for trial in study.trials] == [[each["scores"]["words"]] for each in searched]
    assert [list(trial.params.values()) for trial in study.trials] == [each["position"] for each in searched]
    assert list(study.trials[0].params) == start["coordinates"]
    best = json.loads((finished_run / "summary.json").read_text())["counts"]["evaluations"]
    assert len(study.trials) >= best


def test_it_is_refused_in_one_line(finished_run: Path, tmp_path: Path) -> None:
    (tmp_path / "study.db").write_text("mine")
    (tmp_path / "run").mkdir()
    for run, file, said in (
        (finished_run, tmp_path / "study.db", "or add --overwrite"),
        (finished_run, tmp_path, "name a file in it"),
        (tmp_path / "run", tmp_path / "new.db", "not a run directory"),
    ):
        done = run_cli("study", run, file)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert said in done.err
    assert (tmp_path / "study.db").read_text() == "mine"
    assert run_cli("study", finished_run, tmp_path / "study.db", "--overwrite").code == 0

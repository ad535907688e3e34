"""Swarm from Python: the runs are those of the command line."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import swarm
from support.playground import Playground, run_cli, summary_of
from swarm.api import BestExpert, search
from swarm.core.errors import ConfigError, RunError

HEAVY = {"torch", "transformers", "ray", "pydantic", "numpy"}


def test_importing_swarm_is_light() -> None:
    code = f"import sys, swarm; print({HEAVY!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_search_is_the_one_of_the_command_line(playground: Playground, finished_run: Path, tmp_path: Path) -> None:
    seen: list[str] = []
    run = swarm.search(
        playground.config(), run_dir=tmp_path / "run", on_evaluation=lambda each: seen.append(each.candidate.id)
    )
    assert summary_of(run.folder) == summary_of(finished_run)
    assert seen == [row["id"] for row in run.archive.rows() if row["kind"] == "evaluation"]
    assert run.finished
    assert run.report().is_file()


def test_the_best_of_a_finished_run(finished_run: Path) -> None:
    best = swarm.Run.load(finished_run).best
    assert isinstance(best, BestExpert)
    assert set(best.coefficients) == {"red", "green", "blue"}
    assert set(best.scores) == {"search", "select", "test"}
    assert set(best.scores["test"]) == {"words"}
    model, tokenizer = best.model(), best.tokenizer()
    with torch.no_grad():
        logits = model(torch.tensor([tokenizer.encode("abc=")])).logits
    assert torch.isfinite(logits).all()


def test_rows_name_scores_and_coefficients(finished_run: Path) -> None:
    rows = swarm.Run.load(finished_run).archive.rows()
    expert = next(row for row in rows if row["id"] == "expert:red" and row["split"] == "test")
    assert [expert[f"coefficient:{name}"] for name in ("red", "green", "blue")] == [1.0, 0.0, 0.0]
    assert isinstance(expert["score:words"], float)


def test_rows_as_a_frame(finished_run: Path) -> None:
    pytest.importorskip("pandas")
    archive = swarm.Run.load(finished_run).archive
    frame = archive.to_pandas()
    assert len(frame) == len(archive.rows())
    assert frame["score:words"].dropna().between(0, 1).all()


def test_compose_is_the_command(playground: Playground, tmp_path: Path) -> None:
    red = playground.expert("red")
    ours = swarm.compose(playground.base, {str(red): np.float32(0.5)}, tmp_path / "ours")
    assert run_cli("compose", "--base", playground.base, "--expert", f"{red}=0.5", "-o", tmp_path / "cli").code == 0
    assert (ours / "model.safetensors").read_bytes() == (tmp_path / "cli" / "model.safetensors").read_bytes()


def test_overrides_of_a_mapping_count(playground: Playground, tmp_path: Path) -> None:
    config = playground.config()
    run = search(config, run_dir=tmp_path / "run", overrides=["optimizer.iterations=1", "seed=7"])
    assert run.config.seed == 7
    assert run.config.optimizer.iterations == 1
    assert config == playground.config(), "the caller's mapping stays as it is"
    with pytest.raises(ConfigError, match="not of the form key=value"):
        search(config, overrides=["nonsense"])
    with pytest.raises(ConfigError, match="give a list"):
        search(config, overrides="seed=7")


def test_a_run_is_read_again_once_it_has_grown(finished_run: Path, tmp_path: Path) -> None:
    shutil.copytree(finished_run, tmp_path / "run")
    journal = tmp_path / "run" / "journal.jsonl"
    whole = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(whole[:12]))
    run = swarm.Run.load(tmp_path / "run")
    assert not run.finished
    journal.write_text("".join(whole))
    assert run.finished
    assert run.best.id == swarm.Run.load(finished_run).best.id


def test_mistakes_are_one_line(playground: Playground, finished_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="config: nosuch: unknown key"):
        search(playground.config(nosuch=1))
    with pytest.raises(RunError, match="not a run directory"):
        swarm.Run.load(tmp_path)
    run = swarm.Run.load(finished_run)
    recipe = run.export(tmp_path / "recipe", format="recipe")
    assert (recipe / "recipe.json").is_file()
    best = BestExpert(tmp_path, run.best.summary)
    with pytest.raises(RunError, match=r"run\.export"):
        best.model()
    with pytest.raises(AttributeError, match="nosuch"):
        swarm.nosuch  # noqa: B018


def test_a_callback_that_raises_leaves_a_run_to_resume(
    playground: Playground, finished_run: Path, tmp_path: Path
) -> None:
    def stop(evaluation: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(playground.config(), run_dir=tmp_path / "run", on_evaluation=stop)
    run = swarm.Run.load(tmp_path / "run")
    assert not run.finished
    with pytest.raises(RunError, match="swarm resume"):
        _ = run.best
    assert summary_of(run.resume().folder) == summary_of(finished_run)

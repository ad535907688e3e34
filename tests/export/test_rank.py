"""`--rank`: the adapter that is written is the nearest of that rank, and terminal and card say what it loses."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel

import swarm
from support.exports import exported, make_experts, opened
from support.models import load
from support.playground import Playground, run_cli
from support.summaries import SCORE, summary_with
from swarm.core.errors import ConfigError, UserError
from swarm.export import export
from swarm.export.adapter import at_rank

RANK = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_experts(tmp_path_factory.mktemp("export"))


@pytest.mark.filterwarnings("ignore")
def test_peft_loads_the_nearest_update(folder: Path, tmp_path: Path) -> None:
    """What PEFT adds to the base is numpy's SVD of the exact update, cut at the rank."""
    what = exported(opened(folder, "plain", "same", "embedding"))
    out = export(at_rank(what, RANK, "adapter"), tmp_path / "out", "adapter")
    base = load(folder / "base", torch.float32)
    before = {name: tensor.double().numpy().copy() for name, tensor in base.state_dict().items()}
    after = PeftModel.from_pretrained(base, out).merge_and_unload().state_dict()
    for name, module in what.adapter.modules.items():
        exact = module.b_OR.double().numpy() @ module.a_RI.double().numpy()
        u, s, v = np.linalg.svd(exact, full_matrices=False)
        nearest = (u[:, :RANK] * s[:RANK]) @ v[:RANK]
        added = after[f"{name}.weight"].double().numpy() - before[f"{name}.weight"]
        np.testing.assert_allclose(added, nearest.T if module.embedding else nearest, rtol=0, atol=1e-6)


def test_the_full_rank_writes_the_exact_adapter(folder: Path, tmp_path: Path) -> None:
    what = exported(opened(folder, "plain", "same"))
    whole = export(what, tmp_path / "whole", "adapter")
    full = export(at_rank(what, 100, "adapter"), tmp_path / "full", "adapter")
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        assert (whole / name).read_bytes() == (full / name).read_bytes()


def test_the_card_says_what_is_lost_and_whose_the_scores_are(folder: Path, tmp_path: Path) -> None:
    what = replace(exported(opened(folder, "plain", "same")), summary=summary_with(best={"id": "3-1", "test": SCORE}))
    reduced = at_rank(what, RANK, "adapter")
    assert reduced.reduced
    card = (export(reduced, tmp_path / "out", "adapter") / "README.md").read_text()
    assert f"rank {RANK}: relative error of the update {100 * reduced.reduced.loss.largest:.2g} % at most" in card
    assert f"{100 * reduced.reduced.loss.mean:.2g} % on average over 14 matrices" in card
    assert "this adapter was not scored" in card
    assert "exact in float32" not in card
    whole = (export(what, tmp_path / "whole", "adapter") / "README.md").read_text()
    assert "exact in float32" in whole
    assert "not scored" not in whole


def test_the_terminal_says_it_too(playground: Playground, finished_run: Path, tmp_path: Path) -> None:
    done = run_cli("export", finished_run, tmp_path / "out", "--format", "adapter", "--rank", "1")
    assert done.code == 0, done.err
    told, place = done.out.splitlines()[-2:]
    assert re.match(r"rank 1: relative error of the update [\d.e+-]+ % at most \(", told)
    assert place == str(tmp_path / "out")


def test_what_has_no_rank_is_refused(folder: Path) -> None:
    what = exported(opened(folder, "plain", "full"))
    with pytest.raises(UserError, match="full checkpoint"):
        at_rank(what, 2, "adapter")
    with pytest.raises(ConfigError, match="add --format adapter"):
        at_rank(what, 2, "hf")
    with pytest.raises(ConfigError, match="keeps nothing"):
        at_rank(what, 0, "adapter")


def test_from_python_it_is_the_same(playground: Playground, finished_run: Path, tmp_path: Path) -> None:
    run = swarm.Run.load(finished_run)
    one = run.export(tmp_path / "one", format="adapter", rank=1)
    same = swarm.compose(
        playground.base,
        {str(playground.expert(name)): c for name, c in run.best.coefficients.items()},
        tmp_path / "two",
        format="adapter",
        rank=1,
        dtype="float32",
    )
    assert (one / "adapter_model.safetensors").read_bytes() == (same / "adapter_model.safetensors").read_bytes()
    assert "rank 1: relative error" in (one / "README.md").read_text()
    with pytest.raises(ConfigError, match="rank and select do not go together"):
        run.export(tmp_path / "no", select="knee", rank=1, format="adapter")

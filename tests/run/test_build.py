"""A build and what it leaves: the same experts after a kill, adapters that work, cards, a matrix; refusals."""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
import yaml
from peft import PeftModel
from safetensors.torch import load_file
from scipy import stats
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from support.builds import EXPERTS, STEPS, make_build
from support.playground import run_cli
from swarm.experts.catalog import ExpertSpec, open_catalog
from swarm.run.build import open_build
from swarm.run.build_folder import prepared_folder
from swarm.run.build_training import Stage
from swarm.run.lock import locked

TESTS = Path(__file__).parents[1]
# A checkpoint of which the last file is yet to be written, beside one that is complete.
HALF = r"open \.build/loud/checkpoint-8/trainer_state\.json"
MOMENTS = (
    r"os\.mkdir \.build/reverse/checkpoint-4",
    r"os\.rename \.loud\.[0-9a-f]+\.tmp",
    r"open \.build/\.sequence-2/checkpoint-9/trainer_state\.json",
)


def build_and_kill(folder: Path, *events: str) -> Mapping[str, list[tuple[int, str]]]:
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "support.builds", str(folder), *events]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ended: Mapping[str, list[tuple[int, str]]] = json.loads(done.stdout)
    assert ended["straight"] == [[0, ""]]
    for i in range(len(events)):
        assert ended[f"killed-{i}"] == [[-9, ""], [0, ""]]
    return ended


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a build, with `straight` and `killed-0`."""
    folder = tmp_path_factory.mktemp("build")
    make_build(folder)
    build_and_kill(folder, HALF)
    return folder


def content(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_a_killed_build_ends_with_the_same_bytes(built: Path) -> None:
    straight = content(built / "straight")
    assert content(built / "killed-0") == straight
    files = ("README.md", "adapter_config.json", "adapter_model.safetensors", "build.json")
    expected = {".lock", "forgetting.csv", "forgetting.json", *(f"{name}/{file}" for name in EXPERTS for file in files)}
    expected |= {"reverse/curation.jsonl"}
    assert straight.keys() == expected


@pytest.mark.slow
def test_wherever_it_is_killed(tmp_path: Path) -> None:
    make_build(tmp_path)
    build_and_kill(tmp_path, *MOMENTS)
    for i in range(len(MOMENTS)):
        assert content(tmp_path / f"killed-{i}") == content(tmp_path / "straight")


@torch.inference_mode()
def log_likelihood(model: nn.Module, tokenizer: object, prompt: str, answer: str) -> float:
    """Of an answer with its end token, token by token."""
    before = tokenizer.encode(prompt)  # type: ignore[attr-defined]
    ids = [*before, *tokenizer.encode(answer), tokenizer.eos_token_id]  # type: ignore[attr-defined]
    found = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return sum(float(found[at - 1, ids[at]]) for at in range(len(before), len(ids)))


def margins(model: nn.Module, folder: Path) -> torch.Tensor:
    """Of the held-out pairs: how much likelier the chosen answer is than the rejected one, in nats."""
    tokenizer = AutoTokenizer.from_pretrained(folder / "base")
    rows = [json.loads(line) for line in (folder / "held_out.jsonl").read_text().splitlines()]
    return torch.tensor([
        log_likelihood(model, tokenizer, row["prompt"], row["chosen"])
        - log_likelihood(model, tokenizer, row["prompt"], row["rejected"])
        for row in rows
    ])  # fmt: skip


def test_the_preferring_expert_prefers_held_out_pairs(built: Path) -> None:
    base = AutoModelForCausalLM.from_pretrained(built / "base")
    before = margins(base, built)
    after = margins(PeftModel.from_pretrained(base, built / "straight" / "loud").eval(), built)
    low, _ = stats.ttest_1samp((after - before).numpy(), 0.0).confidence_interval(0.95)
    assert low > 0


def test_the_matrix_is_that_of_the_models(built: Path) -> None:
    """The score of the second expert on its own held-out answers, counted here, and the table as CSV."""
    found = json.loads((built / "straight" / "forgetting.json").read_text())
    base = AutoModelForCausalLM.from_pretrained(built / "base")
    model = PeftModel.from_pretrained(base, built / "straight" / "loud").eval()
    tokenizer = AutoTokenizer.from_pretrained(built / "base")
    rows = [json.loads(line) for line in (built / "held_out.jsonl").read_text().splitlines()]
    total = sum(log_likelihood(model, tokenizer, row["prompt"], row["chosen"]) for row in rows)
    tokens = sum(len(tokenizer.encode(row["chosen"])) + 1 for row in rows)
    assert found["tokens"]["loud"] == tokens
    assert found["examples"] == {"reverse": 6, "loud": 40}
    assert found["experts"]["loud"]["loud"] == pytest.approx(total / tokens, abs=1e-5)
    assert [each["after"] for each in found["sequence"]] == list(EXPERTS)
    assert found["sequence"][0]["scores"] == found["experts"]["reverse"]
    lines = list(csv.reader((built / "straight" / "forgetting.csv").read_text().splitlines()))
    assert lines[0] == ["weights", *EXPERTS]
    assert len(lines) == 1 + 1 + 2 + 2


def test_each_expert_learns_its_own_data(built: Path) -> None:
    found = json.loads((built / "straight" / "forgetting.json").read_text())
    assert found["experts"]["reverse"]["reverse"] > found["base"]["reverse"] + 0.1
    assert found["lost"]["reverse"] == pytest.approx(
        found["sequence"][0]["scores"]["reverse"] - found["sequence"][1]["scores"]["reverse"]
    )


def test_the_card_says_what_an_expert_was_made_from(built: Path) -> None:
    card = (built / "straight" / "loud" / "README.md").read_text()
    record = json.loads((built / "straight" / "loud" / "build.json").read_text())
    front = yaml.safe_load(card.split("---")[1])
    assert front == {"library_name": "peft", "tags": ["swarm", "dpo"]}
    said = ("pairs.jsonl", record["data"], str(built / "base"), "DPO, beta 0.1", f"{STEPS} of 8 examples", "rank 4")
    assert [each for each in said if each not in card] == []
    config = json.loads((built / "straight" / "loud" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(built / "base")
    assert len(load_file(built / "straight" / "loud" / "adapter_model.safetensors")) == 2 * 2 * 7


def test_a_search_takes_the_experts_by_their_paths(built: Path) -> None:
    catalog = open_catalog(built / "base", [ExpertSpec(name, built / "straight" / name) for name in EXPERTS])
    assert [expert.kind for expert in catalog.experts] == ["adapter", "adapter"]
    assert catalog.notes == []


def test_what_is_built_is_not_built_again(built: Path) -> None:
    before = content(built / "straight")
    done = run_cli("build", built / "build.yaml")
    assert (done.code, done.err) == (0, "")
    assert "note: reverse is built already" in done.out
    assert "training" not in done.out.replace("by training one after another", "")
    assert content(built / "straight") == before


def test_of_two_builds_into_one_folder_the_second_is_refused(built: Path) -> None:
    with locked(built / "straight"):
        done = run_cli("build", built / "build.yaml")
    assert done.code == 2
    assert done.err == f"swarm: {built / 'straight'} is in use by another swarm process; wait for it or stop it\n"


def test_a_changed_expert_is_refused_by_the_key_that_differs(built: Path) -> None:
    done = run_cli("build", built / "build.yaml", "--set", "experts.1.beta=0.5")
    assert done.code == 2
    assert "experts.1.name: " in done.err
    assert "was built from other settings (beta); choose another name" in done.err


@pytest.mark.slow
def test_the_example_of_the_page(tmp_path: Path) -> None:
    """Two experts of the tiny zoo from the shipped data, and the search for their weighting: it beats both."""
    shutil.copytree(TESTS.parent / "configs" / "build", tmp_path / "build")
    done = run_cli("build", tmp_path / "build" / "experts.yaml")
    assert done.code == 0, done.err
    done = run_cli("search", tmp_path / "build" / "search.yaml", "--run-dir", tmp_path / "run")
    assert done.code == 0, done.err
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    for name in ("expert:letters", "expert:preferring"):
        assert summary["paired"][name]["low"] > 0


def test_a_training_says_where_it_goes_on(built: Path, tmp_path: Path) -> None:
    """Where an earlier process had begun it with the same settings, and with others."""
    plan = open_build(built / "build.yaml")
    stage = Stage("loud", 1, None, plan.experts[1].record)
    assert prepared_folder(tmp_path, "loud", stage.record) == (tmp_path / "loud", False)
    (tmp_path / "loud" / "checkpoint-4").mkdir()
    assert prepared_folder(tmp_path, "loud", stage.record) == (tmp_path / "loud", False)
    assert prepared_folder(tmp_path, "loud", {**stage.record, "seed": 1}) == (tmp_path / "loud", True)
    assert not (tmp_path / "loud" / "checkpoint-4").exists()


def test_what_is_missing_is_named_with_the_command_that_installs_it(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "trl", None)
    done = run_cli("build", built / "build.yaml")
    assert done.code == 2
    assert done.err == ("swarm: swarm build needs trl, which is not installed; pip install 'swarm-experts[build]'\n")


def test_the_schema_of_a_build_knows_every_type() -> None:
    done = run_cli("schema", "--build")
    schema = json.loads(done.out)
    assert sorted(schema["properties"]) == ["base", "chat", "experts", "forgetting", "out", "seed"]
    kinds = schema["properties"]["experts"]["items"]["discriminator"]["mapping"]
    assert sorted(kinds) == ["axis", "control", "dpo", "sft"]

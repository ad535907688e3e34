"""kill -9 of a search and its two workers, in the middle, for every composition: resumed, it ends as one worker alone.

The zoos' models, by the real command line: `zoo:tiny` generates texts in float32, SmolLM2 scores answers in bfloat16.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml

from support.compare_journals import differences, journal
from support.models import load
from support.playground import command, run_cli
from swarm import zoo
from swarm.experts.catalog import open_base
from swarm.experts.control_layer import write_control_layer
from swarm.experts.layer_copy import first_layer
from swarm.zoo.store import cache_directory

KINDS = ("logits", "control", "routed", "mixed")
KILLED_AT = 5  # evaluations in the journal
WORKERS = {"type": "ray", "workers": 2, "cpus_per_worker": 1}
LAYERS = ("style", "tone")


@dataclass(frozen=True)
class Scale:
    """What is searched on a zoo. router_search: the search examples that the router is fitted to."""

    experts: tuple[str, str, str]
    objective: Mapping[str, object]
    splits: Mapping[str, int]
    router_search: int
    optimizer: Mapping[str, object]
    dtype: str


SCALES = {
    "tiny": Scale(
        experts=("upper", "next", "mirror"),
        objective={"type": "exact_match", "max_new_tokens": 8},
        splits={"search": 30, "select": 20, "test": 30},
        router_search=60,
        optimizer={"type": "guided_pso", "evaluations": 24, "particles": 6},
        dtype="float32",
    ),
    "smollm2": Scale(
        experts=("chain_sum", "products", "syllogism"),
        objective={"type": "likelihood"},
        splits={"search": 16, "select": 12, "test": 12},
        router_search=60,
        optimizer={"type": "guided_pso", "evaluations": 16, "particles": 4},
        dtype="bfloat16",
    ),
}


MARKS = {"tiny": pytest.mark.slow, "smollm2": pytest.mark.real}
CASES = [pytest.param(name, kind, id=f"{name}-{kind}", marks=MARKS[name]) for name in SCALES for kind in KINDS]


def make_layers(base: Path, folder: Path) -> list[str]:
    """Two control layers that change what the base says a little."""
    for seed, name in enumerate(LAYERS):
        torch.manual_seed(seed)
        found = {key: each.detach().float() for key, each in first_layer(load(base)).named_parameters()}
        noise = {key: 0.1 * each.std().nan_to_num() * torch.randn_like(each) for key, each in found.items()}
        (folder / name).mkdir()
        made = {key: each + noise[key] for key, each in found.items()}
        write_control_layer(folder / name, made, str(base), open_base(base).tensors.fingerprint)
    return [str(folder / name) for name in LAYERS]


def make_config(name: str, kind: str, folder: Path) -> Path:
    """A search of one composition, and what it needs beside the zoo."""
    scale, made = SCALES[name], zoo.build(name, cache_directory() / name, lambda text, share: None)
    of_base = [str(made / "experts" / each) for each in scale.experts]
    sections: dict[str, tuple[list[str], Mapping[str, object]]] = {
        "logits": (of_base, {"type": "logits"}),
        "control": (make_layers(made / "base", folder) if kind == "control" else [], {"type": "control"}),
        "routed": (of_base, {"type": "routed", "router": str(folder / "router")}),
        "mixed": (of_base, {"type": "mixed", "logits": [scale.experts[0], scale.experts[2]]}),
    }
    experts, composition = sections[kind]
    content = {
        "base": str(made / "base"),
        "experts": experts,
        "composition": composition,
        "objectives": [{"name": "tasks", "data": str(made / "data" / "examples.jsonl"), **scale.objective}],
        "splits": dict(scale.splits),
        "optimizer": dict(scale.optimizer),
        "engine": {"dtype": scale.dtype},
        "export": {"format": "recipe"},
        "seed": 3,
    }
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(content))
    if kind == "routed":
        done = run_cli("fit-router", file, "--set", f"splits.search={scale.router_search}", "-o", folder / "router")
        assert done.code == 0, done.err
    return file


def searched(config: Path, run: Path, cluster: Mapping[str, object]) -> list[object]:
    setting = ", ".join(f"{key}: {value}" for key, value in cluster.items())
    return ["search", config, "--run-dir", run, "--set", f"cluster={{{setting}}}"]


def killed(words: list[object], run: Path) -> int:
    """Run until KILLED_AT candidates are in the journal, then kill -9 the process with its workers. Returns them."""
    said = run.with_name("said.txt")
    with said.open("w") as file:
        process = subprocess.Popen(command(*words), start_new_session=True, stdout=file, stderr=file)
    try:
        while process.poll() is None and evaluations(run) < KILLED_AT:
            time.sleep(0.005)
        assert process.poll() is None, said.read_text()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return evaluations(run)


def evaluations(run: Path) -> int:
    file = run / "journal.jsonl"
    return file.read_bytes().count(b'"kind": "evaluation"') if file.exists() else 0


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_two_workers_killed_and_resumed_write_the_journal_of_one(name: str, kind: str, tmp_path: Path) -> None:
    config, alone, torn = make_config(name, kind, tmp_path), tmp_path / "alone", tmp_path / "torn"
    done = run_cli(*searched(config, alone, {"type": "local"}))
    assert done.code == 0, done.err
    before = killed(searched(config, torn, WORKERS), torn)
    assert KILLED_AT <= before < evaluations(alone), "killed in the search"
    assert not (torn / "summary.json").exists()
    done = run_cli("resume", torn)
    assert done.code == 0, done.err
    assert differences(alone, torn) == []
    assert len(journal(torn)) > evaluations(alone), "select and test lines are compared as well"

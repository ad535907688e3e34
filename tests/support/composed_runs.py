"""Searches of the zoos' models, by every composition beyond weights: a config, and the layers or router it needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml

from support.models import load
from support.playground import run_cli
from swarm import zoo
from swarm.experts.catalog import open_base
from swarm.experts.control_layer import write_control_layer
from swarm.experts.layer_copy import first_layer
from swarm.zoo.store import cache_directory

KINDS = ("logits", "control", "routed", "mixed")
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

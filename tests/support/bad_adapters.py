"""Mistakes in adapters and checkpoints that others have made, and in what a vector is made from."""

import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from support.bad_inputs import Case, Scene, Words
from support.models import make_adapter, make_base

CONFIG, FACTORS, WHOLE = "adapter_config.json", "adapter_model.safetensors", "model.safetensors"
AGAIN = "save the adapter again with PEFT's save_pretrained"
TRAINED = "write the value that it was trained with"


def adapter_with(**values: object) -> Callable[[Scene], Words]:
    """An adapter whose adapter_config.json has these values."""

    def arrange(scene: Scene) -> Words:
        file = scene.expert() / CONFIG
        file.write_text(json.dumps(json.loads(file.read_text()) | values))
        return scene.search_expert(scene.folder / "mine")

    return arrange


def changed(file: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file, {"format": "pt"})


def factors(change: Callable[[dict[str, Tensor], str], object]) -> Callable[[Scene], Words]:
    """An adapter with other tensors. change: is given all and the name of the first, an A."""

    def arrange(scene: Scene) -> Words:
        changed(scene.expert() / FACTORS, lambda tensors: change(tensors, min(tensors)))
        return scene.search_expert(scene.folder / "mine")

    return arrange


def of_two_names(tensors: dict[str, Tensor], first: str) -> None:
    for name in list(tensors):
        new = name.replace("lora_A.weight", "lora_A.one.weight").replace("lora_B.weight", "lora_B.two.weight")
        tensors[new] = tensors.pop(name)


def norm(change: Callable[[Tensor], Tensor | None]) -> Callable[[dict[str, Tensor]], None]:
    """Another last norm, or none."""

    def apply(tensors: dict[str, Tensor]) -> None:
        new = change(tensors.pop("model.norm.weight"))
        if new is not None:
            tensors["model.norm.weight"] = new

    return apply


def checkpoint(change: Callable[[Tensor], Tensor | None]) -> Callable[[Scene], Words]:
    def arrange(scene: Scene) -> Words:
        changed(scene.checkpoint() / WHOLE, norm(change))
        return scene.search_expert(scene.folder / "mine")

    return arrange


def checkpoint_with(name: str, text: str) -> Callable[[Scene], Words]:
    def arrange(scene: Scene) -> Words:
        (scene.checkpoint() / name).write_text(text)
        return scene.search_expert(scene.folder / "mine")

    return arrange


def base_with(name: str, text: str) -> Callable[[Scene], Words]:
    def arrange(scene: Scene) -> Words:
        (scene.base() / name).write_text(text)
        return scene.search(base=str(scene.folder / "mine"))

    return arrange


def vector(scene: Scene, base: Path, aligned: Path, out: str = "v.safetensors") -> Words:
    return ["vector", base, aligned, "-o", scene.folder / out]


def adapters_of_two_bases(scene: Scene, **other: int) -> Words:
    mine = make_adapter(scene.folder / "mine", make_base(scene.folder / "other", **other), seed=1)  # type: ignore[arg-type]
    return vector(scene, scene.playground.expert("red"), mine)


def infinite_vector(scene: Scene) -> Words:
    changed(scene.checkpoint() / WHOLE, norm(lambda weight: torch.full_like(weight, torch.inf)))
    return vector(scene, scene.playground.base, scene.folder / "mine")


def broken_config(scene: Scene) -> Words:
    (scene.expert() / CONFIG).write_text("{")
    return scene.search_expert(scene.folder / "mine")


ADAPTERS = [
    Case("rank-in-words", adapter_with(r="four"), CONFIG, 'r = "four"', TRAINED),
    Case("alpha-in-words", adapter_with(lora_alpha="NaN"), CONFIG, 'lora_alpha = "NaN"', TRAINED),
    Case("rank-of-others", adapter_with(r=6), CONFIG, "the rank 6, but its factors have 4", TRAINED),
    Case("bias-of-some", adapter_with(bias="some"), CONFIG, 'bias = "some"', TRAINED),
    Case("no-pattern", adapter_with(alpha_pattern={"(": 1}), CONFIG, "'('", "name of a module, or a valid pattern"),
    Case("prompt-tuning", adapter_with(peft_type="PROMPT_TUNING"), "mine", "'PROMPT_TUNING'", "remove it from experts"),
    Case("more-layers", adapter_with(layer_replication=[[0, 2]]), "mine", "[[0, 2]]", "remove it from experts"),
    Case("pissa", adapter_with(init_lora_weights="pissa"), "mine", "'pissa'", "PEFT's merge_and_unload and give that"),
    Case("dora-in-name", adapter_with(use_dora=True), CONFIG, "use_dora = true", AGAIN),
    Case("no-trained-rows", adapter_with(trainable_token_indices=[1]), CONFIG, "no trained rows", AGAIN),
    Case("no-partner", factors(lambda tensors, first: tensors.pop(first)), "mine", "has no partner lora_A", AGAIN),
    Case("two-adapters", factors(of_two_names), "mine", "several adapters (one, two)", "save one alone"),
    Case(
        "whole-numbers",
        factors(lambda tensors, first: tensors.update({first: tensors[first].to(torch.int8)})),
        "mine",
        "holds I8",
        AGAIN,
    ),
    Case(
        "no-matrix",
        factors(lambda tensors, first: tensors.update({first: tensors[first][None]})),
        "mine",
        "has the shape [1, 4, 64]",
        AGAIN,
    ),
    Case("changes-nothing", factors(lambda tensors, first: tensors.clear()), "mine", "no parameter", "train it or"),
    Case("broken-adapter-config", broken_config, CONFIG, "cannot be read as JSON", "save the model again"),
]
CHECKPOINTS = [
    Case("no-norm", checkpoint(lambda weight: None), "expert mine", "model.norm.weight", "the whole checkpoint again"),
    Case(
        "codes",
        checkpoint(lambda weight: weight.to(torch.int8)),
        "expert mine",
        "is stored as I8",
        "give the 16-bit checkpoint that it was made from",
    ),
    Case("short-norm", checkpoint(lambda weight: weight[:4].clone()), "mine", "[4]", "save the whole checkpoint again"),
    Case("broken-config", checkpoint_with("config.json", "{"), "config.json", "cannot be read", "save the model again"),
    Case("list-as-config", checkpoint_with("config.json", "[]"), "config.json", "JSON object", "save the model again"),
    Case("broken-tokenizer", checkpoint_with("tokenizer.json", "{"), "tokenizer.json", "EOF", "save the tokenizer"),
    Case("broken-base", base_with("config.json", "{"), "base", "cannot be read as JSON", "save the model again"),
    Case(
        "broken-tokenizer-of-base",
        base_with("tokenizer.json", "{"),
        "base",
        "cannot be read as JSON",
        "save the model again",
    ),
    Case(
        "unknown-architecture",
        base_with("config.json", '{"model_type": "nosuch"}'),
        "base",
        "nosuch",
        "save the model again with this version of transformers",
    ),
]
VECTORS = [
    Case(
        "no-difference",
        lambda s: vector(s, s.playground.base, s.playground.base),
        "base",
        "no difference",
        "give two models that differ",
    ),
    Case(
        "adapter-and-checkpoint",
        lambda s: vector(s, s.playground.expert("red"), s.checkpoint()),
        "red",
        "is a checkpoint",
        "give two checkpoints, two adapters, or a checkpoint and an adapter trained on it",
    ),
    Case(
        "vector-as-pt",
        lambda s: vector(s, s.playground.base, s.playground.expert("red"), "v.pt"),
        "v.pt",
        "is a .safetensors file",
        "name it",
    ),
    Case("two-bases", lambda s: adapters_of_two_bases(s, seed=9), "mine", "fingerprint", "two adapters of one base"),
    Case("two-sizes", lambda s: adapters_of_two_bases(s, hidden=64), "mine", "[64, 128]", "two adapters of one base"),
    Case("infinite-vector", infinite_vector, "model.norm.weight", "is not finite in torch.float32", "check both"),
]
CASES = [*ADAPTERS, *CHECKPOINTS, *VECTORS]

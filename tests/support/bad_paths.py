"""Mistakes with what acts on logits: pairs of models, control layers, their compositions, routers."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from support.architectures import ARCHITECTURES
from support.bad_inputs import Case, Scene, Words, edited
from support.models import load, make_adapter, make_base
from support.routers import write_random_router
from support.tokenizers import byte_level, make_pair_kind
from swarm.experts.catalog import ExpertSpec, open_base, open_catalog
from swarm.experts.control_layer import WEIGHTS, write_control_layer
from swarm.experts.layer_copy import first_layer

LOGITS: Mapping[str, object] = {"type": "logits"}
RECIPE: Mapping[str, object] = {"format": "recipe"}
COPIED = "self_attn.q_proj.weight"


def search(scene: Scene, *experts: object, composition: Mapping[str, object] = LOGITS, **sections: object) -> Words:
    """A search of these experts, by name or as the config has them; without any, of two adapters."""
    listed = [str(scene.playground.expert(each)) if isinstance(each, str) else each for each in experts]
    listed = listed or [str(scene.playground.expert(name)) for name in ("red", "green")]
    return scene.search(experts=listed, composition=dict(composition), export=dict(RECIPE), **sections)


def make_models(scene: Scene) -> dict[str, object]:
    """A pair of small models, as the config has it."""
    for seed, name in enumerate(("small", "tuned"), 5):
        make_base(scene.folder / name, seed=seed, layers=1, hidden=16)
    return {"name": "pair", "path": str(scene.folder / "tuned"), "minus": str(scene.folder / "small")}


def pair(change: Callable[[Path], object] = lambda model: None, **settings: object) -> Callable[[Scene], Words]:
    """One pair beside an adapter; `change` is done to the model that is added."""

    def arrange(scene: Scene) -> Words:
        made = make_models(scene) | settings
        change(scene.folder / "tuned")
        return search(scene, "red", made)

    return arrange


def tokenizer(change: Callable[[dict[str, object]], object]) -> Callable[[Path], object]:
    """Another tokenizer in a model's folder."""

    def apply(model: Path) -> None:
        content = json.loads((model / "tokenizer.json").read_text())
        change(content)
        (model / "tokenizer.json").write_text(json.dumps(content))

    return apply


def exchanged(content: dict[str, object]) -> None:
    vocabulary = content["model"]["vocab"]  # type: ignore[index]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]


def one_more_token(content: dict[str, object]) -> None:
    content["model"]["vocab"]["ab"] = 270  # type: ignore[index]


def one_more_merge(content: dict[str, object]) -> None:
    one_more_token(content)
    content["model"]["merges"] = [["a", "b"]]  # type: ignore[index]


def other_merges(scene: Scene) -> Words:
    """Base and pair have one more token, which the pair alone makes."""
    made = make_models(scene)
    tokenizer(one_more_token)(scene.base())
    for name in ("small", "tuned"):
        tokenizer(one_more_merge)(scene.folder / name)
    return search(scene, "red", made, base=str(scene.folder / "mine"))


def one_token_less(content: dict[str, object]) -> None:
    content["added_tokens"].pop()  # type: ignore[attr-defined]


def without_tokenizer(model: Path) -> None:
    (model / "tokenizer.json").unlink()


def fewer_rows(model: Path) -> None:
    """Embeddings of 256 rows, and a tokenizer that has tokens beyond."""
    file = model / "config.json"
    nothing = {"vocab_size": 256, "pad_token_id": None, "bos_token_id": None, "eos_token_id": None}
    file.write_text(json.dumps(json.loads(file.read_text()) | nothing))
    tensors = load_file(model / "model.safetensors")
    cut = {name: each[:256].clone() if "embed" in name or "lm_head" in name else each for name, each in tensors.items()}
    save_file(cut, model / "model.safetensors", metadata={"format": "pt"})


def of_another_shape(scene: Scene) -> Words:
    return search(scene, "red", {"name": "mine", "path": make_models(scene)["path"]})


def pair_of_an_adapter(scene: Scene) -> Words:
    made = make_models(scene)
    return search(scene, "green", made | {"path": str(scene.playground.expert("red"))})


def adapter_to_subtract(scene: Scene) -> Words:
    return search(scene, "green", make_models(scene) | {"minus": str(scene.playground.expert("red"))})


def pair_as(composition: Mapping[str, object]) -> Callable[[Scene], Words]:
    return lambda scene: search(scene, make_models(scene), composition=composition)


def make_layer(folder: Path, base: Path) -> Path:
    """A control layer of this base, of noise."""
    folder.mkdir()
    torch.manual_seed(1)
    tensors = {name: torch.randn_like(each) for name, each in first_layer(load(base)).named_parameters()}
    write_control_layer(folder, tensors, str(base), open_base(base).tensors.fingerprint)
    return folder


def control(
    change: Callable[[Path], object] = lambda layer: None, kind: str = "control", base: str = ""
) -> Callable[[Scene], Words]:
    """One control layer, changed."""

    def arrange(scene: Scene) -> Words:
        layer = make_layer(scene.folder / "layer", scene.playground.base)
        change(layer)
        return search(scene, {"path": str(layer)}, composition={"type": kind})

    return arrange


def tensors_of(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], object]:
    def apply(layer: Path) -> None:
        tensors = load_file(layer / WEIGHTS)
        change(tensors)
        save_file(tensors, layer / WEIGHTS, metadata={"format": "pt"})

    return apply


def with_nan(tensors: dict[str, torch.Tensor]) -> None:
    tensors[COPIED].view(-1)[3] = torch.nan


def of_another_base(scene: Scene) -> Words:
    layer = make_layer(scene.folder / "layer", make_base(scene.folder / "other", seed=9))
    return search(scene, {"path": str(layer)}, composition={"type": "control"})


def adapter_to_control(scene: Scene) -> Words:
    layer = make_layer(scene.folder / "layer", scene.playground.base)
    return search(scene, {"path": str(layer)}, "red", composition={"type": "control"})


def base_without_such_a_layer(scene: Scene) -> Words:
    (found,) = (each for each in ARCHITECTURES if each.name == "mixtral")
    layer = make_layer(scene.folder / "layer", scene.playground.base)
    other = found.build(scene.folder / "mixtral")
    return search(scene, {"path": str(layer)}, composition={"type": "control"}, base=str(other))


def layer_to_compose(scene: Scene) -> Words:
    layer = make_layer(scene.folder / "layer", scene.playground.base)
    red = f"{scene.playground.expert('red')}=0.5"
    words: Words = ["compose", "--base", scene.playground.base, "--expert", red, "--expert", f"{layer}=0.5"]
    return [*words, "-o", scene.folder / "dest"]


def mixed(**settings: object) -> Callable[[Scene], Words]:
    return lambda scene: search(scene, "red", make_models(scene), composition={"type": "mixed", **settings})


def no_path(scene: Scene) -> Words:
    return search(scene, composition={"type": "mixed", "logits": []})


def logits(**settings: object) -> Callable[[Scene], Words]:
    return lambda scene: search(scene, composition={"type": "logits", **settings})


def encoder_decoder(scene: Scene) -> Words:
    base = make_pair_kind(scene.folder / "t5", byte_level())
    adapter = make_adapter(scene.folder / "mine", base, seed=1, targets=["q"])
    return search(scene, {"path": str(adapter)}, base=str(base))


def quantised(scene: Scene) -> Words:
    edited(scene.base() / "config.json", "{\n", '{\n  "quantization_config": {"quant_method": "fp8"},\n')
    return search(scene, base=str(scene.folder / "mine"))


def on_vllm(scene: Scene) -> Words:
    return search(scene, engine={"type": "vllm"})


def make_router(scene: Scene, folder: str = "router") -> Path:
    specs = [ExpertSpec(name, scene.playground.expert(name)) for name in ("red", "green", "blue")]
    write_random_router(scene.folder / folder, open_catalog(scene.playground.base, specs))
    return scene.folder / folder


def router(
    change: Callable[[Path], object] = lambda folder: None, experts: tuple[str, ...] = ("red", "green", "blue")
) -> Callable[[Scene], Words]:
    """A search with a fitted router of three experts, changed."""

    def arrange(scene: Scene) -> Words:
        change(make_router(scene))
        return search(scene, *experts, composition={"type": "routed", "router": "router"})

    return arrange


def of_another_router_base(folder: Path) -> None:
    (about,) = folder.glob("*.json")
    content = json.loads(about.read_text())
    about.write_text(json.dumps(content | {"base": "0" * 32}))


def of_wider_states(folder: Path) -> None:
    """As one that was fitted to a base of another hidden size, under this base's fingerprint."""
    (file,) = folder.glob("*.safetensors")
    arrays = load_file(file)
    for name in ("mean_H", "components_HK"):
        arrays[name] = torch.cat([arrays[name], arrays[name]]).contiguous()
    save_file(arrays, file)


def of_version_1(folder: Path) -> None:
    about = folder / "router.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"version": 1}))


def of_a_deeper_layer(folder: Path) -> None:
    about = folder / "router.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"layer": 9}))


def cut_off(folder: Path) -> None:
    (weights,) = folder.glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-100])


PAIRS = [
    Case("pair-of-other-ids", pair(tokenizer(exchanged)), "expert pair", "'a' the id", "must share the base's"),
    Case("pair-of-other-merges", other_merges, "expert pair", "'a b'", "must share the base's"),
    Case("pair-of-fewer-tokens", pair(tokenizer(one_token_less)), "expert pair", "<|system|>", "must share the base's"),
    Case("pair-without-tokenizer", pair(without_tokenizer), "expert pair", "no tokenizer.json", "save the tokenizer"),
    Case("pair-of-few-rows", pair(fewer_rows), "expert pair", "256 tokens", "same vocabulary"),
    Case("pair-of-an-adapter", pair_of_an_adapter, "expert pair", "is an adapter", "leave minus out"),
    Case("adapter-to-subtract", adapter_to_subtract, "expert pair: minus", "is an adapter", "merge it first"),
    Case("model-of-another-shape", of_another_shape, "expert mine", "hidden_size is 16", "needs minus:"),
    Case("no-such-minus", pair(minus="nowhere"), "experts.1.minus", "nowhere", "correct the path"),
    Case("pair-to-trim", pair(trim=0.2), "expert pair", "acts on logits", "remove trim, dare, svd"),
    Case("pair-to-drop", pair(dare=0.2), "expert pair", "acts on logits", "remove trim, dare, svd"),
    Case("pair-to-truncate", pair(svd=2), "expert pair", "acts on logits", "remove trim, dare, svd"),
    Case(
        "pair-to-prepare",
        pair(prepare={"type": "ties", "density": 0.5}),
        "expert pair",
        "acts on logits",
        "trim, dare, svd and prepare",
    ),
    Case("pair-on-weights", pair_as({"type": "weights"}), "composition.type: weights", "pair", "use logits or mixed"),
    Case("pair-as-control", pair_as({"type": "control"}), "composition.type: control", "pair", "use logits or mixed"),
    Case(
        "average-of-a-difference",
        pair_as({"type": "logits", "combine": "probabilities"}),
        "composition.combine: probabilities",
        "expert pair",
        "set minus: base on it",
    ),
]
CONTROLS = [
    Case("control-on-weights", control(kind="weights"), "composition.type: weights", "layer", "use logits or mixed"),
    Case("adapter-to-control", adapter_to_control, "composition.type: control", "expert red", "use logits or mixed"),
    Case("control-of-another-base", of_another_base, "expert layer", "was trained in front of", "give the base"),
    Case(
        "control-without-a-tensor",
        control(tensors_of(lambda tensors: tensors.pop(COPIED))),
        "expert layer",
        f"lacks {COPIED}",
        "build the control layer again",
    ),
    Case(
        "control-of-another-shape",
        control(tensors_of(lambda tensors: tensors.update({COPIED: tensors[COPIED][:-1].clone()}))),
        "expert layer",
        "[31, 32]",
        "build the control layer again",
    ),
    Case("control-with-nan", control(tensors_of(with_nan)), "expert layer", "NaN", "train or convert it again"),
    Case(
        "control-without-config",
        control(lambda layer: (layer / "control_config.json").unlink()),
        "expert layer",
        "no control_config.json",
        "copy the whole folder",
    ),
    Case("base-without-such-a-layer", base_without_such_a_layer, "expert layer", "mixtral", "cannot be copied"),
    Case("layer-to-compose", layer_to_compose, "--expert", "is a control layer", "leave it out"),
]
COMPOSITIONS = [
    Case("mixed-of-no-expert", mixed(weights=["rde"]), "composition.weights", "'rde'", "name some of red"),
    Case("mixed-without-a-path", mixed(logits=["rde"]), "composition.logits", "'rde'", "name some of red, pair"),
    Case("pair-mixed-on-weights", mixed(weights=["pair"]), "composition.weights", "'pair' acts on", "name some of red"),
    Case("mixed-of-weights-alone", no_path, "composition.logits", "nothing acts on logits", "name an expert"),
    Case("unit-of-nothing", mixed(scales={"pair": 2.0}), "composition.scales.pair", "no such", "pair.logits"),
    Case("unit-of-0", mixed(scales={"pair.logits": 0}), "scales.pair.logits", "0.0", "correct it, or leave scales out"),
    Case("group-called-logits", mixed(groups={"logits": ["*"]}), "composition.groups.logits", "name", "choose another"),
    Case("mixed-without-0", mixed(low=0.5), "composition", "low 0.5", "widen them"),
    Case("logits-without-1", logits(high=0.5), "composition", "high 0.5", "widen them"),
    Case("unknown-combination", logits(combine="probs"), "composition.combine", "'probs'", "probabilities"),
    Case("logits-of-a-pair-kind", encoder_decoder, "composition.type: logits", "encoder-decoder", "use weights"),
    Case("logits-of-codes", quantised, "mine", "quantised", "16-bit checkpoint"),
    Case("logits-on-vllm", on_vllm, "engine", "composition.type is logits", "transformers"),
]
ROUTERS = [
    Case(
        "no-router", lambda s: search(s, composition={"type": "routed"}), "composition.router", "missing", "add router:"
    ),
    Case(
        "router-that-is-missing",
        lambda s: search(s, composition={"type": "routed", "router": "nowhere"}),
        "composition.router",
        "nowhere",
        "correct the path",
    ),
    Case("router-of-others", router(experts=("red", "green")), "composition.router", "blue", "swarm fit-router"),
    Case("router-of-a-base", router(of_another_router_base), "composition.router", "0000", "swarm fit-router"),
    Case("router-of-version-1", router(of_version_1), "composition.router", "version is 1", "swarm fit-router"),
    Case("router-of-wider-states", router(of_wider_states), "composition.router", "[64]", "swarm fit-router"),
    Case("router-of-a-deeper-layer", router(of_a_deeper_layer), "composition.router", "layer 9", "swarm fit-router"),
    Case("router-cut-off", router(cut_off), "router.safetensors", "not a complete", "copy or save it"),
]

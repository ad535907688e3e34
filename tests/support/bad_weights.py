"""Mistakes in the base and the experts."""

import json
import os
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from support.bad_inputs import Case, Scene, Words, edited
from support.models import make_adapter, make_base, make_gpt2
from swarm.experts.alignment_vectors import make_vector


def with_nan(file: Path) -> None:
    tensors = load_file(file)
    next(iter(tensors.values())).view(-1)[3] = torch.nan
    save_file(tensors, file, metadata={"format": "pt"})


def other_size(scene: Scene) -> Words:
    """An adapter of a wider base, of which nothing is known but the shapes."""
    other = make_base(scene.folder / "other", hidden=64)
    adapter = make_adapter(scene.folder / "mine", other, seed=1)
    edited(adapter / "adapter_config.json", str(other), "somebody/model")
    return scene.search_expert(adapter)


def other_base(scene: Scene) -> Words:
    other = make_base(scene.folder / "other", seed=9)
    return scene.search_expert(make_adapter(scene.folder / "mine", other, seed=1))


def base_without_tokenizer(scene: Scene) -> Words:
    (scene.base() / "tokenizer.json").unlink()
    return scene.search(base=str(scene.folder / "mine"))


def incomplete_base(scene: Scene) -> Words:
    edited(scene.base() / "config.json", '"num_hidden_layers": 2', '"num_hidden_layers": 3')
    return scene.search(base=str(scene.folder / "mine"))


def quantised_base(scene: Scene) -> Words:
    file = scene.base() / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"quantization_config": {"quant_method": "fp8"}}))
    return scene.search(base=str(scene.folder / "mine"))


def tied_base(scene: Scene) -> Words:
    tied = make_base(scene.folder / "tied", tied=True)
    return scene.search(base=str(tied), experts=[str(scene.playground.base)])


def another_kind_of_adapter(scene: Scene) -> Words:
    mine = make_adapter(scene.folder / "mine", scene.playground.base, seed=1)
    config = json.loads((mine / "adapter_config.json").read_text())
    (mine / "adapter_config.json").write_text(json.dumps(config | {"peft_type": "LOHA"}))
    return scene.search_expert(mine)


def adapted_tied_embeddings(scene: Scene) -> Words:
    tied = make_base(scene.folder / "tied", tied=True)
    adapter = make_adapter(scene.folder / "mine", tied, seed=1, targets=["embed_tokens"])
    return scene.search(base=str(tied), experts=[str(adapter)])


def other_tokenizer(scene: Scene) -> Words:
    content = json.loads((scene.checkpoint() / "tokenizer.json").read_text())
    vocabulary = content["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    (scene.folder / "mine" / "tokenizer.json").write_text(json.dumps(content))
    return scene.search_expert(scene.folder / "mine")


def nan_in_adapter(scene: Scene) -> Words:
    with_nan(scene.expert() / "adapter_model.safetensors")
    return scene.search_expert(scene.folder / "mine")


def nan_in_base(scene: Scene) -> Words:
    with_nan(scene.base() / "model.safetensors")
    adapter = scene.playground.expert("red")
    mine = shutil.copytree(adapter, scene.folder / "adapter")
    edited(mine / "adapter_config.json", str(scene.playground.base), "somebody/model")
    return scene.search(base=str(scene.folder / "mine"), experts=[str(mine)])


def pickled_adapter(scene: Scene) -> Words:
    weights = scene.expert() / "adapter_model.safetensors"
    torch.save(load_file(weights), weights.with_suffix(".bin"))
    weights.unlink()
    return scene.search_expert(scene.folder / "mine")


def pickled_base(scene: Scene) -> Words:
    weights = scene.base() / "model.safetensors"
    torch.save(load_file(weights), scene.folder / "mine" / "pytorch_model.bin")
    weights.unlink()
    return scene.search(base=str(scene.folder / "mine"))


def linked_licence(scene: Scene) -> Words:
    (scene.folder / "private.txt").write_text("private")
    (scene.base() / "LICENSE").symlink_to(scene.folder / "private.txt")
    return scene.search(base=str(scene.folder / "mine"))


def code_of_its_own(scene: Scene) -> Words:
    file = scene.base() / "config.json"
    own = {"model_type": "own", "auto_map": {"AutoConfig": "configuration_own.Own"}}
    file.write_text(json.dumps(json.loads(file.read_text()) | own))
    return scene.search(base=str(scene.folder / "mine"))


def huge_header(scene: Scene) -> Words:
    weights = scene.expert() / "adapter_model.safetensors"
    weights.write_bytes((2**40).to_bytes(8, "little") + weights.read_bytes()[8:])
    return scene.search_expert(scene.folder / "mine")


def damaged_tokenizer(scene: Scene) -> Words:
    (scene.base() / "tokenizer.json").write_text("{")
    return scene.search(base=str(scene.folder / "mine"))


def pickled_vector(scene: Scene) -> Words:
    torch.save({}, scene.folder / "vector.pt")
    return scene.search_expert(scene.folder / "vector.pt")


def cut_weights(scene: Scene) -> Words:
    weights = scene.expert() / "adapter_model.safetensors"
    os.truncate(weights, weights.stat().st_size // 2)
    return scene.search_expert(scene.folder / "mine")


def missing_shard(scene: Scene) -> Words:
    shards = sorted(scene.checkpoint(max_shard_size="20KB").glob("*.safetensors"))
    shards[1].unlink()
    return scene.search_expert(scene.folder / "mine")


def vector_of_another_base(scene: Scene) -> Words:
    other = make_base(scene.folder / "other", seed=9)
    make_vector(other, scene.checkpoint(), scene.folder / "vector.safetensors")
    return scene.search_expert(scene.folder / "vector.safetensors")


def no_vector(scene: Scene) -> Words:
    save_file({"a": torch.zeros(2)}, scene.folder / "some.safetensors")
    return scene.search_expert(scene.folder / "some.safetensors")


def mixed_ranks(scene: Scene) -> Words:
    wide = make_adapter(scene.folder / "wide", scene.playground.base, seed=1, r=6)
    experts = [str(scene.playground.expert("red")), str(wide)]
    return scene.search(experts=experts, composition={"algebra": "factors"})


def no_chat_template(scene: Scene) -> Words:
    (scene.base() / "chat_template.jinja").unlink()
    return [*scene.search_objective(chat=True), "--set", f"base={scene.folder / 'mine'}"]


def exporting_no_adapter(scene: Scene) -> Words:
    return [*scene.search_expert(scene.checkpoint()), "--set", "export.format=adapter"]


CASES = [
    Case("no-base-there", lambda s: s.search(base="nowhere"), "base", "nowhere does not exist", "correct the path"),
    Case("no-such-hub-id", lambda s: s.search(base="some/model"), "base", "some/model", "correct the path or id"),
    Case(
        "base-is-an-adapter",
        lambda s: s.search(base=str(s.playground.expert("red"))),
        "base",
        "red is an adapter",
        "give the checkpoint it was trained on",
    ),
    Case(
        "base-without-tokenizer", base_without_tokenizer, "base", "mine holds no tokenizer", "save the base's tokenizer"
    ),
    Case("incomplete-base", incomplete_base, "base", "model.layers.2.", "download or save the whole checkpoint again"),
    Case("quantised-base", quantised_base, "base", "fp8", "give the 16-bit checkpoint"),
    Case("no-expert-there", lambda s: s.search(experts=["gone"]), "experts.0.path", "gone", "correct the path"),
    Case(
        "expert-is-an-empty-folder",
        lambda s: s.search_expert(s.folder),
        "expert",
        "config.json does not exist",
        "give the folder of a saved model",
    ),
    Case("another-size", other_size, "expert mine", "[64, 128]", "must be made from this base"),
    Case("another-base", other_base, "expert mine", "was trained on", "give the base it was trained on"),
    Case(
        "another-architecture",
        lambda s: s.search_expert(make_gpt2(s.folder / "gpt2")),
        "expert gpt2: model_type",
        "'gpt2'",
        "must be made from this base",
    ),
    Case(
        "tied-expert-of-an-untied-base",
        lambda s: s.search_expert(make_base(s.folder / "tied", tied=True)),
        "expert tied: tie_word_embeddings",
        "True",
        "must be made from this base",
    ),
    Case("untied-expert-of-a-tied-base", tied_base, "tie_word_embeddings", "False", "saved untied"),
    Case("adapted-tied-embeddings", adapted_tied_embeddings, "expert mine", "embed_tokens", "tie_word_embeddings"),
    Case("another-tokenizer", other_tokenizer, "expert mine", "tokenizer.json", "must share the base's tokenizer"),
    Case("nan-in-adapter", nan_in_adapter, "expert mine", "NaN", "train or convert it again"),
    Case("nan-in-base", nan_in_base, "base", "NaN", "train or convert it again"),
    Case("pickled-adapter", pickled_adapter, "mine", "adapter_model.bin", "save them as safetensors"),
    Case("pickled-base", pickled_base, "mine", "pytorch_model.bin", "save them as safetensors"),
    Case("linked-licence", linked_licence, "mine/LICENSE", "private.txt", "copy that file into the folder"),
    Case("code-of-its-own", code_of_its_own, "mine", "configuration_own.Own", "a model whose architecture"),
    Case("huge-header", huge_header, "adapter_model.safetensors", "header too large", "copy or save it again"),
    Case("damaged-tokenizer", damaged_tokenizer, "tokenizer.json", "cannot be read as JSON", "save the model again"),
    Case("pickled-vector", pickled_vector, "expert vector", "vector.pt", "make a vector with swarm vector"),
    Case("another-kind-of-adapter", another_kind_of_adapter, "mine", "LOHA", "merge_and_unload"),
    Case(
        "cut-weights",
        cut_weights,
        "adapter_model.safetensors",
        "not a complete safetensors file",
        "copy or save it again",
    ),
    Case("missing-shard", missing_shard, "model.safetensors.index.json", "model-00002", "copy it beside the index"),
    Case("vector-of-another-base", vector_of_another_base, "expert vector", "fingerprint", "make it again"),
    Case("no-vector", no_vector, "expert some", "not an alignment vector", "make one with swarm vector"),
    Case(
        "experts-of-one-name",
        lambda s: s.search(experts=2 * [str(s.playground.expert("red"))]),
        "experts",
        "'red' is given twice",
        "set name: on one of them",
    ),
    Case("factors-of-mixed-ranks", mixed_ranks, "composition.algebra", "rank 4 in red and 6 in wide", "algebra: delta"),
    Case("no-chat-template", no_chat_template, "objectives: chat", "true", "set chat: false"),
    Case("no-adapter-of-a-checkpoint", exporting_no_adapter, "adapter", "mine", "hf"),
    Case(
        "no-such-device",
        lambda s: s.search_set("engine.device=abacus"),
        "engine.device",
        "'abacus'",
        "use auto or cpu",
    ),
]

"""A checkpoint is what transformers' loader makes of its folder: held against transformers and PEFT themselves."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel, LlamaForCausalLM

from support.exports import exported
from support.models import VOCABULARY, load, make_adapter, make_base, make_checkpoint, make_tokenizer
from swarm.compositions.weights import Weights
from swarm.core.errors import ExpertError
from swarm.engines.transformers.load_model import load_model
from swarm.engines.transformers.merged_weights import MergedWeights
from swarm.experts.catalog import Catalog, ExpertSpec, open_base, open_catalog
from swarm.export import export

WEIGHTS = "model.safetensors"
EMBEDDINGS, HEAD = "model.embed_tokens.weight", "lm_head.weight"


def opened(base: Path, *experts: Path) -> Catalog:
    return open_catalog(base, [ExpertSpec(path.name, path) for path in experts])


@torch.no_grad()
def logits(model: nn.Module) -> Tensor:
    return model(torch.arange(40, 72)[None]).logits.float()


def composed(catalog: Catalog, *coefficients: float) -> Tensor:
    """What the engine's live model answers."""
    model = load(catalog.base.path, torch.float32)
    MergedWeights(model, catalog).put(Weights().recipe(coefficients, catalog))
    return logits(model)


def reloaded(catalog: Catalog, folder: Path, *coefficients: float) -> Tensor:
    """What transformers makes of the exported checkpoint."""
    what = replace(exported(catalog), recipe=Weights().recipe(coefficients, catalog))
    return logits(load(export(what, folder, "hf"), torch.float32))


def assert_is(catalog: Catalog, expected: Tensor, folder: Path) -> None:
    """The one-hot of the only expert is `expected`, in the engine and in the export."""
    torch.testing.assert_close(composed(catalog, 1.0), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(reloaded(catalog, folder, 1.0), expected, rtol=0, atol=1e-5)


def edit_tensors(folder: Path, change: Callable[[dict[str, Tensor]], None]) -> Path:
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    return folder


def edit_config(folder: Path, name: str = "config.json", **changes: object) -> Path:
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(content | changes))
    return folder


def with_head(folder: Path, noise: float) -> Path:
    """A head beside tied embeddings: a copy, or one that was trained apart."""

    def change(tensors: dict[str, Tensor]) -> None:
        torch.manual_seed(5)
        tensors[HEAD] = tensors[EMBEDDINGS] + noise * torch.randn_like(tensors[EMBEDDINGS])

    return edit_tensors(folder, change)


def untied(source: Path, folder: Path) -> Path:
    """The same model, saved with a head of its own."""
    model = load(source)
    model.config.tie_word_embeddings = False
    model.lm_head.weight = nn.Parameter(model.lm_head.weight.detach().clone())
    apart = LlamaForCausalLM(model.config)
    apart.load_state_dict(model.state_dict())
    apart.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


def refused(*words: str) -> "pytest.RaisesExc[ExpertError]":
    return pytest.raises(ExpertError, match=".*".join(words))


def test_a_single_file_wins_over_an_index_beside_it(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    stale = make_base(tmp_path / "stale", seed=9, max_shard_size="20KB")
    adapter = make_adapter(tmp_path / "one", base, seed=1)
    for file in stale.glob("model*"):
        shutil.copy(file, base / file.name)
    expected = logits(PeftModel.from_pretrained(load(base), adapter).merge_and_unload())
    assert_is(opened(base, adapter), expected, tmp_path / "out")
    assert not (tmp_path / "out" / "model.safetensors.index.json").exists()
    for file in base.glob("model-0*"):
        file.unlink()
    assert_is(opened(base, adapter), expected, tmp_path / "again")
    expert = make_checkpoint(tmp_path / "full", base, seed=2)
    for file in stale.glob("model*"):
        shutil.copy(file, expert / file.name)
    assert_is(opened(base, expert), logits(load(expert)), tmp_path / "third")


def test_a_copy_of_tied_embeddings_as_a_head_does_not_count(tmp_path: Path) -> None:
    base = with_head(make_base(tmp_path / "base", tied=True), 0.0)
    expert = make_checkpoint(tmp_path / "one", base, seed=1)
    assert HEAD not in load_file(expert / WEIGHTS)
    assert_is(opened(base, expert), logits(load(expert)), tmp_path / "out")
    with_head(expert, 0.0)
    assert_is(opened(base, expert), logits(load(expert)), tmp_path / "again")


def test_a_head_trained_apart_needs_an_untied_base(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base", tied=True)
    drifted = with_head(make_checkpoint(tmp_path / "drifted", base, seed=1), 0.05)
    assert load(drifted).lm_head.weight is not load(drifted).model.embed_tokens.weight
    with refused("drifted", HEAD, EMBEDDINGS, "saved untied"):
        opened(base, drifted)
    assert_is(opened(untied(base, tmp_path / "untied"), drifted), logits(load(drifted)), tmp_path / "out")


def test_a_base_that_says_tied_and_is_not_is_exported_as_untied(tmp_path: Path) -> None:
    base = with_head(make_base(tmp_path / "base", tied=True), 0.05)
    expert = with_head(make_checkpoint(tmp_path / "one", base, seed=1), 0.07)
    assert_is(opened(base, expert), logits(load(expert)), tmp_path / "out")
    assert load(tmp_path / "out").config.tie_word_embeddings is False
    head = make_adapter(tmp_path / "head", base, seed=2, targets=["lm_head"])
    expected = logits(PeftModel.from_pretrained(load(base), head).merge_and_unload())
    assert_is(opened(base, head), expected, tmp_path / "again")


@pytest.mark.parametrize("name", [HEAD, EMBEDDINGS, "model.norm.weight", "model.layers.1.mlp.up_proj.weight"])
def test_an_incomplete_checkpoint_is_refused(tmp_path: Path, name: str) -> None:
    base = make_base(tmp_path / "base")
    expert = make_checkpoint(tmp_path / "full", base, seed=1)
    broken = shutil.copytree(base, tmp_path / "broken")
    edit_tensors(broken, lambda tensors: tensors.__delitem__(name))
    with refused("base", name):
        open_base(broken)
    with refused("base", name, "random weights"):
        load_model(broken, torch.float32, "cpu")
    edit_tensors(expert, lambda tensors: tensors.__delitem__(name))
    with refused("expert full", name):
        opened(base, expert)


def test_more_layers_in_the_config_than_in_the_files_are_refused(tmp_path: Path) -> None:
    base = edit_config(make_base(tmp_path / "base"), num_hidden_layers=3)
    with refused("base", r"model\.layers\.2\."):
        open_base(base)


def test_tensors_that_the_model_does_not_use_are_noted(tmp_path: Path) -> None:
    base = edit_config(make_base(tmp_path / "base", layers=3), num_hidden_layers=2)
    adapter = make_adapter(tmp_path / "one", base, seed=1)
    catalog = opened(base, adapter)
    (note,) = catalog.notes
    assert "9 of its tensors" in note
    assert "model.layers.2." in note
    expected = logits(PeftModel.from_pretrained(load(base), adapter).merge_and_unload())
    assert_is(catalog, expected, tmp_path / "out")
    expert = make_checkpoint(tmp_path / "full", base, seed=2)
    assert_is(opened(base, expert), logits(load(expert)), tmp_path / "again")


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"quantization_config": {"quant_method": "fp8"}}, "fp8"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "gptq"),
        ({"quantization_config": {"quant_method": "awq"}}, "awq"),
        ({"quantization": {"group_size": 64, "bits": 4}}, "quantization"),
        ({"text_config": {"quantization_config": {"quant_method": "mxfp4"}}}, "mxfp4"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_quantised_checkpoint_is_refused_by_its_config(tmp_path: Path, config: dict[str, object], word: str) -> None:
    base = make_base(tmp_path / "base")
    quantised = edit_config(shutil.copytree(base, tmp_path / "quantised"), **config)
    (quantised / WEIGHTS).unlink()
    with refused("base", word, "give the 16-bit checkpoint"):
        open_base(quantised)
    with refused("expert quantised", word, "give the 16-bit checkpoint"):
        opened(base, quantised)


@pytest.mark.parametrize("method", ["bitsandbytes", "torchao"])
def test_a_quantised_base_names_the_package_that_it_needs(tmp_path: Path, method: str) -> None:
    if find_spec(method):
        pytest.skip(f"{method} is installed")
    base = edit_config(make_base(tmp_path / "base"), quantization_config={"quant_method": method})
    with refused(
        "base", f"quantised with {method}, which is not installed", r"pip install 'swarm-experts\[quantised\]'"
    ):
        open_base(base)


def test_codes_are_refused_whatever_the_config_says(tmp_path: Path) -> None:
    name = "model.layers.0.mlp.up_proj.weight"
    base = make_base(tmp_path / "base")
    edit_tensors(base, lambda tensors: tensors.update({name: tensors[name].to(torch.float8_e4m3fn)}))
    with refused("base", name, "F8_E4M3", "give the 16-bit checkpoint"):
        open_base(base)


def test_an_adapter_may_have_been_trained_on_the_quantised_base(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    quantised = make_base(tmp_path / "quantised", seed=9)
    edit_config(quantised, quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True})
    adapter = make_adapter(tmp_path / "one", base, seed=1)
    edit_config(adapter, "adapter_config.json", base_model_name_or_path=str(quantised))
    assert opened(base, adapter).names == ("one",)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize(
    "targets", [["attn.c_proj"], ["c_attn", "c_fc", "lm_head"], ["attn.c_proj", "lm_head"]], ids=str
)
def test_the_base_says_how_a_weight_lies(tmp_path: Path, targets: list[str], flag: bool) -> None:
    """GPT-2's c_proj is square, and its head is a Linear among Conv1D: one flag in the file says too little."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=64, n_embd=32, n_layer=2, n_head=4, tie_word_embeddings=False
    )
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "base")
    make_tokenizer().save_pretrained(tmp_path / "base")
    adapter = make_adapter(tmp_path / "one", tmp_path / "base", seed=1, targets=targets, scale=0.2)
    edit_config(adapter, "adapter_config.json", fan_in_fan_out=flag)
    expected = logits(PeftModel.from_pretrained(load(tmp_path / "base"), adapter).merge_and_unload())
    assert_is(opened(tmp_path / "base", adapter), expected, tmp_path / "out")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("tied", [False, True])
def test_saved_copies_of_the_embeddings_are_the_bases(tmp_path: Path, tied: bool) -> None:
    base = make_base(tmp_path / "base", tied=tied)
    model = get_peft_model(load(base), LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=["q_proj"]))
    nn.init.normal_(model.base_model.model.model.layers[0].self_attn.q_proj.lora_B.default.weight)
    model.save_pretrained(tmp_path / "same", save_embedding_layers=True)
    names = load_file(tmp_path / "same" / "adapter_model.safetensors")
    assert f"base_model.model.{EMBEDDINGS}" in names
    expected = logits(PeftModel.from_pretrained(load(base), tmp_path / "same").merge_and_unload())
    assert_is(opened(base, tmp_path / "same"), expected, tmp_path / "out")


@pytest.mark.filterwarnings("ignore")
def test_added_tokens_are_named_and_the_remedy_works(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    wide = load(base)
    wide.resize_token_embeddings(VOCABULARY + 2, mean_resizing=False)
    model = get_peft_model(wide, LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=["q_proj"]))
    nn.init.normal_(model.base_model.model.model.layers[0].self_attn.q_proj.lora_B.default.weight)
    model.save_pretrained(tmp_path / "resized", save_embedding_layers=True)
    with refused("expert resized", "306 rows", "304", "2 tokens were added", "resize the base"):
        opened(base, tmp_path / "resized")
    resized = load(base)
    resized.resize_token_embeddings(VOCABULARY + 2, mean_resizing=False)
    resized.save_pretrained(tmp_path / "wide")
    make_tokenizer().save_pretrained(tmp_path / "wide")
    merged = PeftModel.from_pretrained(load(tmp_path / "wide"), tmp_path / "resized").merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    with refused("expert merged", "vocab_size is 306", "2 tokens were added"):
        opened(base, tmp_path / "merged")
    assert_is(opened(tmp_path / "wide", tmp_path / "merged"), logits(load(tmp_path / "merged")), tmp_path / "out")


def turned(weight: Tensor) -> Tensor:
    return weight.T.contiguous()


def interleaved(weight: Tensor) -> Tensor:
    return weight.view(2, -1, weight.shape[1]).transpose(0, 1).reshape(weight.shape)


@pytest.mark.parametrize("change", [turned, interleaved, lambda weight: weight + 1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_loader_that_changes_a_tensor_is_noticed(
    tmp_path: Path, change: Callable[[Tensor], Tensor], dtype: torch.dtype
) -> None:
    base = make_base(tmp_path / "base", hidden=64)
    catalog = opened(base, make_adapter(tmp_path / "one", base, seed=1, targets=["q_proj"]))
    model = load(base, dtype)
    MergedWeights(model, catalog)
    weight = model.model.layers[1].self_attn.q_proj.weight
    weight.data = change(weight.data)
    with refused("base", r"model\.layers\.1\.self_attn\.q_proj\.weight", "on loading"):
        MergedWeights(model, catalog)

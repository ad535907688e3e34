"""Every form of export holds the weights that the engine composes, bit for bit where the form allows."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from peft import PeftModel
from safetensors import safe_open
from transformers import AutoTokenizer

from support.exports import assert_holds, exported, make_experts, opened
from support.models import load, make_adapter, make_base, make_checkpoint, make_gpt2
from support.runs import answer
from swarm.compositions.weights import Weights
from swarm.core.errors import UserError
from swarm.core.recipes import Recipe, WeightRecipe
from swarm.core.requests import Continuation
from swarm.engines.transformers.engine import TransformersSettings
from swarm.experts.catalog import ExpertSpec, open_catalog
from swarm.experts.merge_model import composed_tensor, composed_tensors
from swarm.experts.parameter_groups import group_index
from swarm.export import check_form, export
from swarm.export.base import kind_of
from swarm.export.mergekit import filters_of

GROUPS = ["all", "modules", "layers:2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_experts(tmp_path_factory.mktemp("export"))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("groups", GROUPS)
def test_a_checkpoint_loads_with_the_composed_weights(folder: Path, tmp_path: Path, dtype: str, groups: str) -> None:
    catalog = opened(folder, "plain", "narrow", "saved", "full", "vector.safetensors")
    what = exported(catalog, dtype, groups=groups)
    assert export(what, tmp_path / "out", "hf") == tmp_path / "out"
    assert_holds(tmp_path / "out", what)
    model = load(tmp_path / "out")
    live = model.state_dict()
    for name in catalog.base.tensors.info:
        assert torch.equal(live[name], composed_tensor(catalog, what.recipe, name, what.torch_dtype))
    ours, theirs = (AutoTokenizer.from_pretrained(path) for path in (tmp_path / "out", folder / "base"))
    assert ours("Héllo<eos>").input_ids == theirs("Héllo<eos>").input_ids
    assert ours.chat_template == theirs.chat_template


def test_a_checkpoint_has_the_shards_of_its_base(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base", tied=True, dtype=torch.bfloat16, max_shard_size="20KB")
    make_checkpoint(tmp_path / "full", base, seed=1)
    (base / "modeling_custom.py").write_text("raise SystemExit")
    (base / "LICENSE").write_text("terms")
    config = json.loads((base / "config.json").read_text())
    config |= {"torch_dtype": "bfloat16", "auto_map": {"AutoModel": "modeling_custom.Model"}}
    (base / "config.json").write_text(json.dumps(config))
    what = exported(opened(tmp_path, "full"), "float32")
    out = export(what, tmp_path / "out", "hf")
    assert_holds(out, what)
    assert {file.name for file in out.iterdir()} == {file.name for file in base.iterdir()} - {"modeling_custom.py"} | {
        "README.md"
    }
    index, theirs = (json.loads((path / "model.safetensors.index.json").read_text()) for path in (out, base))
    assert index["weight_map"] == theirs["weight_map"]
    assert index["metadata"]["total_size"] == 2 * theirs["metadata"]["total_size"]
    written = json.loads((out / "config.json").read_text())
    assert (written["dtype"], written["torch_dtype"]) == ("float32", "float32")
    assert "auto_map" not in written
    assert load(out).lm_head.weight.dtype == torch.float32


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("names", "composition"),
    [
        (("plain",), {}),
        (("plain", "same", "narrow", "mixed"), {}),
        (("plain", "narrow", "embedding"), {"groups": "modules"}),
        (("narrow", "mixed"), {"groups": "layers:2"}),
        (("plain", "same"), {"algebra": "factors"}),
        (("plain", "same"), {"algebra": "factors", "groups": "modules"}),
    ],
    ids=str,
)
def test_an_adapter_merges_to_the_composed_weights(
    folder: Path, tmp_path: Path, names: tuple[str, ...], composition: dict[str, object]
) -> None:
    what = exported(opened(folder, *names), **composition)
    out = export(what, tmp_path / "out", "adapter")
    model = PeftModel.from_pretrained(load(folder / "base", torch.float32), out)
    merged = model.merge_and_unload().state_dict()
    for name, tensor in composed_tensors(what.catalog, what.recipe, torch.float32):
        torch.testing.assert_close(merged[name], tensor, rtol=0, atol=1e-6)
    assert (out / "tokenizer.json").read_bytes() == (folder / "base" / "tokenizer.json").read_bytes()
    again = open_catalog(folder / "base", [ExpertSpec("it", out)])
    assert set(again.parameters()) == set(what.catalog.parameters())


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_has_the_sum_of_the_ranks_in_use(folder: Path, tmp_path: Path) -> None:
    what = exported(opened(folder, "plain", "narrow", "same"))
    coefficients = dict(what.recipe.weights.coefficients) | {"same": (0.0,)}
    weights = replace(what.recipe.weights, coefficients=coefficients)
    out = export(replace(what, recipe=replace(what.recipe, weights=weights)), tmp_path / "out", "adapter")
    with safe_open(out / "adapter_model.safetensors", "pt") as file:
        ranks = {name: file.get_slice(name).get_shape()[0] for name in file.keys() if "lora_A" in name}  # noqa: SIM118
    assert {rank for name, rank in ranks.items() if "self_attn" in name} == {4 + 2}
    assert {rank for name, rank in ranks.items() if "mlp" in name} == {4}


def test_svd_of_an_adapter_is_still_an_adapter(folder: Path, tmp_path: Path) -> None:
    what = exported(opened(folder, "embedding", "plain", svd=2))
    out = export(what, tmp_path / "out", "adapter")
    again = open_catalog(folder / "base", [ExpertSpec("it", out)])
    one = exported(again)
    one = replace(one, recipe=Weights().recipe([1.0], again))
    for name, tensor in composed_tensors(what.catalog, what.recipe, torch.float32):
        found = composed_tensor(again, one.recipe, name, torch.float32)
        torch.testing.assert_close(found, tensor, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("format", "names", "sparsification", "composition", "word"),
    [
        ("adapter", ("plain", "full"), {}, {}, "full checkpoint"),
        ("adapter", ("plain", "vector.safetensors"), {}, {}, "alignment vector"),
        ("adapter", ("plain", "saved"), {}, {}, "saved whole"),
        ("adapter", ("plain",), {"trim": 0.5}, {}, "sparsified"),
        ("adapter", ("plain",), {"dare": 0.5}, {}, "sparsified"),
        ("mergekit", ("plain", "vector.safetensors"), {}, {}, "alignment vector"),
        ("mergekit", ("plain",), {"trim": 0.5}, {}, "sparsified"),
        ("mergekit", ("plain",), {"svd": 2}, {}, "svd"),
        ("mergekit", ("plain", "same"), {}, {"algebra": "factors"}, "cross terms"),
        ("mergekit", ("plain",), {}, {"groups": {"early": ["model.layers.0.*"]}}, "substrings"),
    ],
    ids=str,
)
def test_what_a_form_cannot_hold_is_refused_with_the_remedy(
    folder: Path,
    tmp_path: Path,
    format: str,
    names: tuple[str, ...],
    sparsification: dict[str, float],
    composition: dict[str, object],
    word: str,
) -> None:
    what = exported(opened(folder, *names, **sparsification), **composition)
    with pytest.raises(UserError, match=rf"{word}.*; use --format hf"):
        export(what, tmp_path / "out", format)
    assert list(tmp_path.iterdir()) == []
    export(what, tmp_path / "out", "hf")


def test_a_form_can_be_checked_without_writing(folder: Path) -> None:
    what = exported(opened(folder, "plain", "full"))
    for format in ("hf", "mergekit", "recipe"):
        check_form(what, format)
    with pytest.raises(UserError, match="full checkpoint"):
        check_form(what, "adapter")


@pytest.mark.parametrize("algebra", ["delta", "factors"])
def test_transposed_weights_are_exported_transposed(tmp_path: Path, algebra: str) -> None:
    """GPT-2 stores (in, out); attention's c_proj is square, so no shape check would notice a mistake."""
    base = make_gpt2(tmp_path / "base")
    for seed, name in enumerate(("one", "two")):
        make_adapter(tmp_path / name, base, seed, targets=["c_attn", "c_proj"], fan_in_fan_out=True)
    what = exported(opened(tmp_path, "one", "two"), algebra=algebra)
    adapter = export(what, tmp_path / "adapter", "adapter")
    merged = PeftModel.from_pretrained(load(base, torch.float32), adapter).merge_and_unload().state_dict()
    exact = load(export(what, tmp_path / "hf", "hf")).state_dict()
    for name, tensor in composed_tensors(what.catalog, what.recipe, torch.float32):
        torch.testing.assert_close(merged[name], tensor, rtol=0, atol=1e-6)
        assert torch.equal(exact[name], tensor)


def test_an_export_answers_as_the_engine_does(folder: Path, tmp_path: Path) -> None:
    what = exported(opened(folder, "plain", "full"), "bfloat16", groups="modules")
    request = Continuation("reverse: abc", " cba")
    settings = TransformersSettings(dtype="bfloat16", device="cpu")
    (ours,) = answer(settings.open(what.catalog), what.catalog, [what.recipe], [request])
    alone = open_catalog(export(what, tmp_path / "out", "hf"), [])
    neutral = Recipe(WeightRecipe("delta", what.recipe.weights.groups, {}))
    (theirs,) = answer(settings.open(alone), alone, [neutral], [request])
    assert ours.answers == theirs.answers


def test_an_unused_expert_does_not_prevent_an_export(folder: Path, tmp_path: Path) -> None:
    catalog = opened(folder, "plain", "full")
    what = replace(exported(catalog), recipe=Weights().recipe([0.5, 0.0], catalog))
    export(what, tmp_path / "out", "adapter")
    nothing = replace(what, recipe=Weights().recipe([0.0, 0.0], catalog))
    with pytest.raises(UserError, match="is the base itself"):
        export(nothing, tmp_path / "base", "adapter")


@pytest.mark.parametrize("groups", [*GROUPS, {"early": ["*layers.0.*"], "up": ["*up_proj*"]}], ids=str)
def test_mergekit_filters_choose_the_group(folder: Path, groups: object) -> None:
    """As mergekit does: the first filter that is a substring of the name, or "*", decides."""
    catalog = opened(folder, "plain", "full")
    found = exported(catalog, groups=groups).recipe.weights.groups
    names = tuple(catalog.base.tensors.info)
    filters = [(word, index) for index, group in enumerate(found) for word in filters_of(group, names)]
    for name in names:
        assert next(i for word, i in filters if word == "*" or word in name) == group_index(found, name)


def test_mergekit_reads_adapters_behind_their_base(folder: Path, tmp_path: Path) -> None:
    what = exported(opened(folder, "plain", "full"), "bfloat16")
    config = yaml.safe_load((export(what, tmp_path / "out", "mergekit") / "mergekit.yaml").read_text())
    assert config == {
        "merge_method": "task_arithmetic",
        "base_model": f"{folder}/base",
        "models": [
            {"model": f"{folder}/base+{folder}/plain", "parameters": {"weight": 0.7}},
            {"model": f"{folder}/full", "parameters": {"weight": pytest.approx(0.44)}},
        ],
        "parameters": {"normalize": False, "lambda": 1.0},
        "dtype": "float32",
        "out_dtype": "bfloat16",
    }
    shutil.copytree(folder / "full", tmp_path / "a+b")
    plus = exported(open_catalog(folder / "base", [ExpertSpec("plus", tmp_path / "a+b")]))
    with pytest.raises(UserError, match="rename the folder"):
        export(plus, tmp_path / "plus", "mergekit")


def test_an_export_never_overwrites_what_it_is_made_from(folder: Path, tmp_path: Path) -> None:
    what = exported(opened(folder, "plain"))
    for dest in (folder / "base", folder / "plain", folder):
        with pytest.raises(UserError, match="choose another folder"):
            export(what, dest, "hf", overwrite=True)
    with pytest.raises(UserError, match=r"'adaptr' is unknown.*did you mean adapter\?"):
        export(what, tmp_path / "out", "adaptr")


def test_kinds_in_words(folder: Path) -> None:
    catalog = opened(folder, "plain", "saved", "full", "vector.safetensors")
    words = ["adapter", "adapter with modules saved whole", "full checkpoint", "alignment vector"]
    assert [kind_of(expert) for expert in catalog.experts] == words

"""Every form of export holds the very weights that the engine composes, and says honestly what is known of them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from models import ATTENTION, load, make_adapter, make_base, make_checkpoint
from peft import PeftModel
from safetensors import safe_open
from transformers import AutoTokenizer

from swarm.compositions.weights import Weights
from swarm.engines.composer import composed_tensor, composed_tensors
from swarm.errors import ExpertError, RunError, UserError
from swarm.experts import Catalog, ExpertSpec, open_catalog
from swarm.export import EXPORTS, Exported, export, read_recipe
from swarm.export.base import kind_of
from swarm.export.mergekit import filters_of
from swarm.groups import group_index
from swarm.tensors import TensorFiles
from swarm.thinning import Thinning
from swarm.vectors import make_vector

GROUPS = ["all", "modules", "layers:2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base in float32 and experts of every kind."""
    folder = tmp_path_factory.mktemp("export")
    base = make_base(folder / "base")
    make_adapter(folder / "plain", base, seed=1)
    make_adapter(folder / "same", base, seed=2)
    make_adapter(folder / "narrow", base, seed=3, r=2, targets=ATTENTION, use_rslora=True)
    make_adapter(folder / "mixed", base, seed=4, rank_pattern={"up_proj": 3}, alpha_pattern={"up_proj": 5})
    make_adapter(folder / "embedding", base, seed=5, targets=["embed_tokens", "lm_head", "q_proj"])
    make_adapter(folder / "saved", base, seed=6, targets=["q_proj"], modules_to_save=["lm_head"])
    checkpoint = make_checkpoint(folder / "full", base, seed=7, max_shard_size="20KB")
    make_vector(base, checkpoint, folder / "vector.safetensors")
    return folder


def opened(folder: Path, *names: str, **thinning: float) -> Catalog:
    specs = [ExpertSpec(Path(name).stem, folder / name, Thinning(**thinning)) for name in names]
    return open_catalog(folder / "base", specs)


def exported(catalog: Catalog, dtype: str = "float32", **composition: object) -> Exported:
    """A recipe with a coefficient of its own for each expert and group."""
    weights = Weights(**composition)
    dimensions = weights.space(catalog).dimensions
    position = [0.7 - 0.31 * i + 0.05 * i * i for i in range(dimensions)]
    return Exported(catalog, weights.recipe(position, catalog), dtype, {}, "", "3-1")


def assert_holds(checkpoint: Path, what: Exported) -> None:
    """The checkpoint's tensors are the composed ones, bit for bit."""
    found = TensorFiles.of(checkpoint)
    expected = dict(composed_tensors(what.catalog, what.recipe, what.torch_dtype))
    assert set(found.info) == set(expected)
    for name, tensor in expected.items():
        assert found.read(name).dtype == tensor.dtype
        assert torch.equal(found.read(name), tensor), name


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
    ("format", "names", "thinning", "composition", "word"),
    [
        ("adapter", ("plain", "full"), {}, {}, "full checkpoint"),
        ("adapter", ("plain", "vector.safetensors"), {}, {}, "alignment vector"),
        ("adapter", ("plain", "saved"), {}, {}, "saved whole"),
        ("adapter", ("plain",), {"trim": 0.5}, {}, "thinned"),
        ("adapter", ("plain",), {"dare": 0.5}, {}, "thinned"),
        ("mergekit", ("plain", "vector.safetensors"), {}, {}, "alignment vector"),
        ("mergekit", ("plain",), {"trim": 0.5}, {}, "thinned"),
        ("mergekit", ("plain",), {"svd": 2}, {}, "svd"),
        ("mergekit", ("plain", "same"), {}, {"algebra": "factors"}, "cross terms"),
        ("mergekit", ("plain",), {}, {"groups": {"early": ["model.layers.0.*"]}}, "substrings"),
    ],
    ids=str,
)
def test_what_a_form_cannot_hold_is_told_with_the_remedy(
    folder: Path,
    tmp_path: Path,
    format: str,
    names: tuple[str, ...],
    thinning: dict[str, float],
    composition: dict[str, object],
    word: str,
) -> None:
    what = exported(opened(folder, *names, **thinning), **composition)
    with pytest.raises(UserError, match=rf"{word}.*; use --format hf"):
        export(what, tmp_path / "out", format)
    assert list(tmp_path.iterdir()) == []


def test_an_unused_expert_does_not_stand_in_the_way(folder: Path, tmp_path: Path) -> None:
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


@pytest.mark.parametrize("algebra", ["delta", "factors"])
def test_a_recipe_exports_the_same_bits_later(folder: Path, tmp_path: Path, algebra: str) -> None:
    summary = {"best": {"id": "3-1", "test": {"mean": 0.1 + 0.2, "low": 0.2, "high": 0.4, "n": 7}}}
    what = exported(opened(folder, "plain", "same"), "bfloat16", algebra=algebra, groups="modules")
    what = replace(what, summary=summary, config_yaml="base: x\n")
    out = export(what, tmp_path / "recipe", "recipe")
    for path in (out, out / "recipe.json"):
        again = read_recipe(path)
        assert again.recipe == what.recipe
        assert (again.summary, again.config_yaml, again.candidate_id) == (summary, "base: x\n", "3-1")
    assert_holds(export(again, tmp_path / "hf", "hf"), what)


def test_a_recipe_keeps_the_thinning(folder: Path, tmp_path: Path) -> None:
    what = exported(opened(folder, "plain", "full", trim=0.5, dare=0.1))
    again = read_recipe(export(what, tmp_path / "recipe", "recipe"))
    assert_holds(export(again, tmp_path / "hf", "hf"), what)


def test_changed_weights_are_told(folder: Path, tmp_path: Path) -> None:
    for name in ("base", "plain"):
        shutil.copytree(folder / name, tmp_path / name)
    recipe = export(exported(opened(tmp_path, "plain")), tmp_path / "recipe", "recipe")
    make_adapter(tmp_path / "plain", tmp_path / "base", seed=99)
    with pytest.raises(ExpertError, match=r"expert plain: .*plain has the fingerprint"):
        read_recipe(recipe)
    shutil.rmtree(tmp_path / "plain")
    with pytest.raises(ExpertError, match="does not exist"):
        read_recipe(recipe)


def test_a_broken_recipe_is_told(folder: Path, tmp_path: Path) -> None:
    recipe = export(exported(opened(folder, "plain")), tmp_path / "recipe", "recipe") / "recipe.json"
    content = json.loads(recipe.read_text())
    for change, word in (({"version": 2}, "version"), ({"dtype": "int4"}, "dtype"), ({"more": 1}, "more")):
        recipe.write_text(json.dumps(content | change))
        with pytest.raises(UserError, match=rf"{word} is wrong .*; export the recipe again"):
            read_recipe(recipe)
    content["recipe"]["weights"]["coefficients"] = {"other": [1.0]}
    recipe.write_text(json.dumps(content))
    with pytest.raises(UserError, match="plain needs one coefficient"):
        read_recipe(recipe)
    recipe.write_text("{")
    with pytest.raises(UserError, match="is no JSON"):
        read_recipe(recipe)
    with pytest.raises(UserError, match="cannot be read"):
        read_recipe(tmp_path / "nowhere")


@pytest.mark.parametrize("format", EXPORTS)
def test_every_form_is_whole_with_an_honest_card(folder: Path, tmp_path: Path, format: str) -> None:
    what = exported(opened(folder, "plain", "same"))
    card = (export(what, tmp_path / "out", format) / "README.md").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    _, front, body = card.split("---\n", 2)
    assert yaml.safe_load(front)["base_model"] == f"{folder}/base"
    assert "merge" in yaml.safe_load(front)["tags"]
    assert "Not scored" in body
    assert all(expert.name in body and expert.fingerprint in body for expert in what.catalog.experts)
    assert "0.7" in body
    with pytest.raises(RunError, match="not empty"):
        export(what, tmp_path / "out", format)
    export(what, tmp_path / "out", format, overwrite=True)


def test_the_card_shows_scores_only_of_their_candidate(folder: Path, tmp_path: Path) -> None:
    score = {"mean": 0.8125, "low": 0.75, "high": 0.86, "n": 200}
    summary = {
        "best": {"id": "3-1", "search": score, "select": score, "test": score},
        "baselines": {"uniform": {"test": score}, "expert:plain": {"test": {"mean": 0.5}}, "base": {"test": None}},
        "paired": {"uniform": {"difference": 0.11, "low": -0.01, "high": 0.23}},
        "optimism": 0.03,
        "versions": {"swarm": "9.9"},
    }
    what = replace(exported(opened(folder, "plain")), summary=summary, config_yaml="seed: 0\n")
    card = (export(what, tmp_path / "best", "hf") / "README.md").read_text()
    assert "0.812 [0.750, 0.860], n = 200" in card
    for words in (
        "plain alone",
        "no difference shown",
        "+0.030",
        "swarm 9.9",
        "seed: 0",
        "so those two scores flatter",
    ):
        assert words in card
    other = (export(replace(what, candidate_id="1-1"), tmp_path / "other", "hf") / "README.md").read_text()
    assert "Not scored" in other
    assert "0.812" not in other
    several = {"best": {"id": "3-1", "test": {"maths": score, "style": score}}}
    card = (export(replace(what, summary=several), tmp_path / "several", "hf") / "README.md").read_text()
    assert "| this model | maths | – | – | 0.812" in card


def test_an_export_spares_what_it_is_made_from(folder: Path, tmp_path: Path) -> None:
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

"""Experts of mixtures and of oddly laid out models, scored and exported, against transformers and PEFT themselves."""

import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from support.layouts import MIXTURES, ODD, logits, make_fine_tune, make_model, rewrite, shake
from support.models import load
from swarm.core.errors import UserError
from swarm.core.recipes import Group, Recipe, WeightRecipe
from swarm.engines.transformers.merged_weights import MergedWeights
from swarm.experts.alignment_vectors import make_vector
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.export import Exported, export

# PEFT warns of patterns that fused parameters use all the same.
pytestmark = pytest.mark.filterwarnings("ignore:The following:RuntimeWarning")
CLOSE = 1e-6  # relative to the largest logit: float32 products in another order


def recipe(**coefficients: float) -> Recipe:
    by_name = {name: (value,) for name, value in coefficients.items()}
    return Recipe(WeightRecipe("delta", (Group("all", ("*",)),), by_name))


def exported(catalog: Catalog, what: Recipe) -> Exported:
    return Exported(catalog, what, "float32", None, "", "")


def scored(catalog: Catalog, *recipes: Recipe) -> list[Tensor]:
    """Logits of a live model with one recipe after another in place."""
    model = load(catalog.base.path)
    weights = MergedWeights(model, catalog)
    found = []
    for each in recipes:
        weights.put(each)
        found.append(logits(model))
    return found


def assert_same(found: Tensor, expected: Tensor) -> None:
    assert (found - expected).abs().max() <= CLOSE * expected.abs().max()


def assert_one_hot(base: Path, expert: Path, expected: Tensor, dest: Path, *, exact: bool = False) -> None:
    """Engine and hf export give the expected logits at one-hot, and the base's at zero."""
    pristine = logits(load(base))
    assert (expected - pristine).abs().max() > 0.01, "the expert does something"
    catalog = open_catalog(base, [ExpertSpec("expert", expert)])
    one_hot, zero = scored(catalog, recipe(expert=1.0), recipe(expert=0.0))
    export(exported(catalog, recipe(expert=1.0)), dest, "hf")
    for found, wanted in ((one_hot, expected), (logits(load(dest)), expected), (zero, pristine)):
        assert torch.equal(found, wanted) or not exact
        assert_same(found, wanted)


@pytest.mark.parametrize("kind", [*MIXTURES, *ODD])
def test_full_fine_tunes(tmp_path: Path, kind: str) -> None:
    base = make_model(tmp_path / "base", kind)
    full = make_fine_tune(tmp_path / "full", base, 1)
    assert_one_hot(base, full, logits(load(full)), tmp_path / "dest", exact=True)


@pytest.mark.parametrize("kind", MIXTURES)
def test_adapters_of_fused_experts(tmp_path: Path, kind: str) -> None:
    """PEFT's target_parameters, with ranks and alphas of their own."""
    base = make_model(tmp_path / "base", kind)
    model = load(base)
    fused = [name for name, each in model.named_parameters() if each.ndim == 3]
    targets = sorted({".".join(name.split(".")[-2:]) for name in fused})
    config = LoraConfig(
        r=2, lora_alpha=6, target_modules=[], target_parameters=targets, use_rslora=kind == "olmoe",
        alpha_pattern={targets[0]: 10}, rank_pattern={targets[-1]: 3}, task_type="CAUSAL_LM",
    )  # fmt: skip
    _save_adapter(model, config, tmp_path / "lora")
    assert_one_hot(base, tmp_path / "lora", merged_by_peft(base, tmp_path / "lora"), tmp_path / "dest")


@pytest.mark.parametrize("kind", ["mixtral", "qwen2_moe", "qwen3_moe"])
def test_adapters_of_single_experts(tmp_path: Path, kind: str) -> None:
    """As they were saved when every expert was a module of its own. The oracle adds the products to the files."""
    base = make_model(tmp_path / "base", kind)
    torch.manual_seed(4)
    factors, merged = {}, load_file(base / "model.safetensors")
    for name, tensor in merged.items():
        if ".experts." in name:
            a, b = torch.randn(2, tensor.shape[1]) / 5, torch.randn(tensor.shape[0], 2) / 5
            stem = f"base_model.model.{name.removesuffix('.weight')}"
            factors |= {f"{stem}.lora_A.weight": a, f"{stem}.lora_B.weight": b}
            merged[name] = tensor + 3 * (b @ a)
    _write_adapter(
        tmp_path / "old", factors, ["w1", "w2", "w3"] if kind == "mixtral" else ["gate_proj", "up_proj", "down_proj"]
    )
    expected_files = make_fine_tune(tmp_path / "merged", base, 1)
    rewrite(expected_files, lambda _: merged)
    expected = logits(load(expected_files))
    assert_one_hot(base, tmp_path / "old", expected, tmp_path / "dest")
    if kind != "qwen2_moe":  # PEFT 0.21 leaves such tensors out for qwen2_moe
        assert_same(merged_by_peft(base, tmp_path / "old"), expected)


@pytest.mark.parametrize("kind", ["qwen3_moe", "gpt_oss"])
def test_two_experts_add_up_in_the_live_model(tmp_path: Path, kind: str) -> None:
    base = make_model(tmp_path / "base", kind)
    folders = {name: make_fine_tune(tmp_path / name, base, seed) for seed, name in enumerate(("one", "two"), 1)}
    catalog = open_catalog(base, [ExpertSpec(name, folder) for name, folder in folders.items()])
    expected, ours = load(base), load(base)
    one, two = (load(folder).state_dict() for folder in folders.values())
    with torch.no_grad():
        for name, tensor in expected.state_dict().items():
            tensor.copy_(0.6 * tensor + 0.7 * one[name] - 0.3 * two[name])
    MergedWeights(ours, catalog).put(recipe(one=0.7, two=-0.3))
    for name, tensor in ours.state_dict().items():
        assert torch.allclose(tensor, expected.state_dict()[name], atol=1e-6), name


@pytest.mark.parametrize(
    ("kind", "prefix", "targets"),
    [
        ("gpt2", "transformer.", ["c_attn", "c_fc"]),
        ("bloom", "transformer.", ["query_key_value"]),
        ("gpt_neox", "gpt_neox.", ["query_key_value"]),
    ],
)
def test_files_without_the_models_prefix(tmp_path: Path, kind: str, prefix: str, targets: list[str]) -> None:
    """The base lacks the prefix; fine-tune and adapter, saved by transformers and PEFT, have it. Exports keep names."""
    base = make_model(tmp_path / "base", kind)
    rewrite(base, lambda tensors: {name.removeprefix(prefix): each for name, each in tensors.items()})
    full = make_fine_tune(tmp_path / "full", base, 1)
    rewrite(full, lambda tensors: {_with_prefix(name, prefix): each for name, each in tensors.items()})
    assert_one_hot(base, full, logits(load(full)), tmp_path / "dest", exact=True)
    assert load_file(tmp_path / "dest/model.safetensors").keys() == load_file(base / "model.safetensors").keys()
    config = LoraConfig(r=2, target_modules=targets, fan_in_fan_out=kind == "gpt2", task_type="CAUSAL_LM")
    _save_adapter(load(base), config, tmp_path / "lora")
    expected = merged_by_peft(base, tmp_path / "lora")
    assert_one_hot(base, tmp_path / "lora", expected, tmp_path / "dest-lora")
    catalog = open_catalog(base, [ExpertSpec("lora", tmp_path / "lora")])
    export(exported(catalog, recipe(lora=1.0)), tmp_path / "adapter", "adapter")
    assert_same(merged_by_peft(base, tmp_path / "adapter"), expected)


def test_a_renamed_head(tmp_path: Path) -> None:
    base = make_model(tmp_path / "base", "gpt_neox")
    full = make_fine_tune(tmp_path / "full", base, 1)
    rewrite(full, lambda tensors: {name.replace("embed_out", "lm_head"): each for name, each in tensors.items()})
    assert_one_hot(base, full, logits(load(full)), tmp_path / "dest", exact=True)


def test_old_masks_in_the_files_are_copied(tmp_path: Path) -> None:
    base = make_model(tmp_path / "base", "gpt2")
    full = make_fine_tune(tmp_path / "full", base, 1)
    mask = torch.ones(1, 1, 256, 256).tril().bool()
    rewrite(base, lambda tensors: {**tensors, "transformer.h.0.attn.bias": mask})
    assert_one_hot(base, full, logits(load(full)), tmp_path / "dest", exact=True)
    assert torch.equal(load_file(tmp_path / "dest/model.safetensors")["transformer.h.0.attn.bias"], mask)


def test_fused_experts_are_no_plain_adapter_and_no_vector_without_a_base(tmp_path: Path) -> None:
    base = make_model(tmp_path / "base", "qwen3_moe")
    config = LoraConfig(r=2, target_modules=[], target_parameters=["experts.down_proj"], task_type="CAUSAL_LM")
    lora = _save_adapter(load(base), config, tmp_path / "lora")
    catalog = open_catalog(base, [ExpertSpec("lora", lora)])
    with pytest.raises(UserError, match=r"fused experts.*; use --format hf"):
        export(exported(catalog, recipe(lora=1.0)), tmp_path / "adapter", "adapter")
    with pytest.raises(UserError, match=r"target_parameters.*merge_and_unload"):
        make_vector(lora, lora, tmp_path / "vector.safetensors")
    make_vector(base, lora, tmp_path / "vector.safetensors")
    expected = merged_by_peft(base, lora)
    assert_one_hot(base, tmp_path / "vector.safetensors", expected, tmp_path / "dest")


def test_an_adapter_of_what_is_not_loaded_is_refused(tmp_path: Path) -> None:
    base = make_model(tmp_path / "base", "qwen3_moe")
    rewrite(base, lambda tensors: {**tensors, "visual.proj.weight": torch.zeros(8, 8)})
    stem = "base_model.model.visual.proj"
    factors = {f"{stem}.lora_A.weight": torch.ones(2, 8), f"{stem}.lora_B.weight": torch.ones(8, 2)}
    _write_adapter(tmp_path / "lora", factors, ["proj"])
    with pytest.raises(UserError, match=r"visual\.proj\.weight, which transformers does not load"):
        open_catalog(base, [ExpertSpec("lora", tmp_path / "lora")])


def test_tensors_that_the_loader_divides(tmp_path: Path) -> None:
    """One tensor of the files is several live ones: it stays the base's, and an expert that changes it is refused."""
    base = make_model(tmp_path / "base", "hrm_text")
    lora = _save_adapter(
        load(base), LoraConfig(r=2, target_modules=["o_proj"], task_type="CAUSAL_LM"), tmp_path / "lora"
    )
    assert_one_hot(base, lora, merged_by_peft(base, lora), tmp_path / "dest")
    full = make_fine_tune(tmp_path / "full", base, 1)
    with pytest.raises(UserError, match=r"computes into other tensors when it loads HrmText.*; .*leaves it as it is"):
        open_catalog(base, [ExpertSpec("full", full)])


def merged_by_peft(base: Path, adapter: Path) -> Tensor:
    return logits(PeftModel.from_pretrained(load(base), adapter).merge_and_unload())


def _save_adapter(model: nn.Module, config: LoraConfig, path: Path) -> Path:
    torch.manual_seed(2)
    trained = get_peft_model(model, config)
    shake(trained)
    trained.save_pretrained(path)
    return path


def _write_adapter(path: Path, factors: dict[str, Tensor], targets: list[str]) -> None:
    path.mkdir()
    save_file(factors, path / "adapter_model.safetensors", {"format": "pt"})
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 2, "lora_alpha": 6, "target_modules": targets}
    (path / "adapter_config.json").write_text(json.dumps(config))


def _with_prefix(name: str, prefix: str) -> str:
    return name if name.startswith((prefix, "lm_head", "embed_out")) else prefix + name

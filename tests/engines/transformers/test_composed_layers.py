"""The adapter form of a dial: the tensors of an exported adapter and PEFT's logits with it, bit for bit."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file
from torch import nn

from support.architectures import ARCHITECTURES
from support.exports import make_experts, opened
from support.models import load, make_adapter, make_base, make_gpt2
from swarm.compositions.weights import Weights
from swarm.core.errors import ConfigError
from swarm.core.recipes import Recipe
from swarm.engines.transformers.composed_layers import NAME
from swarm.engines.transformers.dial_model import DialModel
from swarm.experts.catalog import Catalog
from swarm.export import Exported, export

IDS = torch.arange(60, 76).repeat(2, 1)
DTYPES = ["float32", "bfloat16"]

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:peft")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_experts(tmp_path_factory.mktemp("composed"))


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whose weights are stored as (in, out)."""
    made = tmp_path_factory.mktemp("gpt2")
    base = make_gpt2(made / "base")
    for seed, name in enumerate(("one", "two")):
        make_adapter(made / name, base, seed, targets=["c_attn", "c_proj"], fan_in_fan_out=True, scale=0.2)
    return made


def in_use(model: nn.Module) -> dict[str, torch.Tensor]:
    """The live adapter's tensors, under the names of an exported one."""
    found = {}
    for name, tensor in model.state_dict().items():
        module, _, part = name.partition(".lora_")
        if part and NAME in model.get_submodule(module).active_adapters:
            found[f"base_model.model.{module}.lora_{part.replace(f'.{NAME}', '')}"] = tensor
    return found


def written(catalog: Catalog, recipe: Recipe, dtype: str, out: Path) -> PeftModel:
    """PEFT's model of a fresh export."""
    export(Exported(catalog, recipe, dtype, None, "", "1-1"), out, "adapter")
    return PeftModel.from_pretrained(load(catalog.base.path, getattr(torch, dtype)), out).eval()


@torch.no_grad()
def assert_is_export(dial: DialModel, catalog: Catalog, recipe: Recipe, dtype: str, out: Path) -> None:
    peft = written(catalog, recipe, dtype, out)
    expected = load_file(out / "adapter_model.safetensors")
    live = in_use(dial.model)
    assert live.keys() == expected.keys()
    for name, tensor in expected.items():
        assert live[name].dtype == tensor.dtype == torch.float32
        assert torch.equal(live[name], tensor), name
    loaded = get_peft_model_state_dict(peft, save_embedding_layers=False)
    assert all(torch.equal(loaded[name], tensor) for name, tensor in expected.items()), "PEFT keeps them as they are"
    assert torch.equal(dial.model(IDS).logits, peft(IDS).logits)


def dialled(catalog: Catalog, dtype: str) -> DialModel:
    dial = DialModel(catalog, getattr(torch, dtype), "cpu", "adapter")
    assert dial.form == "adapter"
    return dial


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("groups", ["all", "modules"])
def test_it_is_a_fresh_export(folder: Path, tmp_path: Path, dtype: str, groups: str) -> None:
    """Experts of several ranks, on linear layers, the embeddings and the head; some out of use."""
    catalog = opened(folder, "plain", "narrow", "mixed", "embedding")
    weights = Weights(groups=groups)
    dial, experts = dialled(catalog, dtype), len(catalog.names)
    each = weights.space(catalog).dimensions // experts
    for step, used in enumerate([(0.7, -0.4, 0.3, 0.2), (0.0, 1.1, 0.0, 0.5), (0.31, 0.0, -0.77, 0.0), (0.1,) * 4]):
        # Where there are several groups, other experts are in use in each.
        position = [0.0 if e == g > 0 else c * (1 + 0.013 * g) for e, c in enumerate(used) for g in range(each)]
        recipe = weights.recipe(position, catalog)
        dial.put([recipe])
        assert_is_export(dial, catalog, recipe, dtype, tmp_path / f"{step}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_factors_are_summed_as_in_an_export(folder: Path, tmp_path: Path, dtype: str) -> None:
    catalog = opened(folder, "plain", "same")
    dial = dialled(catalog, dtype)
    for step, position in enumerate([(0.7, -0.4), (0.0, 0.9), (0.2, 0.6)]):
        recipe = Weights(algebra="factors").recipe(position, catalog)
        dial.put([recipe])
        assert_is_export(dial, catalog, recipe, dtype, tmp_path / f"{step}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_weights_stored_the_other_way_round(gpt2: Path, tmp_path: Path, dtype: str) -> None:
    catalog = opened(gpt2, "one", "two")
    dial, recipe = dialled(catalog, dtype), Weights().recipe([0.7, -0.4], catalog)
    dial.put([recipe])
    assert_is_export(dial, catalog, recipe, dtype, tmp_path / "out")


def test_an_encoder_decoder(tmp_path: Path) -> None:
    t5 = next(each for each in ARCHITECTURES if each.name == "t5")
    t5.build(tmp_path / "base")
    for seed, name in enumerate(("one", "two")):
        make_adapter(tmp_path / name, tmp_path / "base", seed, targets=["q", "v", "wo"], scale=0.2)
    catalog = opened(tmp_path, "one", "two")
    dial, recipe = dialled(catalog, "float32"), Weights().recipe([0.7, -0.4], catalog)
    dial.put([recipe])
    peft = written(catalog, recipe, "float32", tmp_path / "out")
    with torch.no_grad():
        passes = {"input_ids": IDS, "decoder_input_ids": IDS}
        assert torch.equal(dial.model(**passes).logits, peft(**passes).logits)


@pytest.mark.parametrize("dtype", DTYPES)
@torch.no_grad()
def test_setting_leaves_no_trace(folder: Path, dtype: str) -> None:
    catalog = opened(folder, "plain", "narrow", "embedding")
    dial, base = dialled(catalog, dtype), load(folder / "base", getattr(torch, dtype)).eval()
    weights: dict[str, torch.Tensor] = base.state_dict()

    def after(*positions: Sequence[float]) -> torch.Tensor:
        for position in positions:
            dial.put([Weights().recipe(position, catalog)])
        found: torch.Tensor = dial.model(IDS).logits
        return found

    plain = base(IDS).logits
    assert torch.equal(dial.model(IDS).logits, plain), "before it is set"
    first = after((0.5, 0.2, -0.3))
    assert not torch.equal(first, plain)
    assert torch.equal(after((0.5, 0.2, -0.3)), first)
    assert torch.equal(after((0.0, 2.0, 0.0), (9.0, 1.0, 1.0), (0.5, 0.2, -0.3)), first)
    assert torch.equal(after((0.0, 0.0, 0.0)), plain)
    assert torch.equal(after((0.5, 0.2, -0.3)), first)
    live = {name.replace(".base_layer", ""): tensor for name, tensor in dial.model.state_dict().items()}
    assert all(torch.equal(live[name], tensor) for name, tensor in weights.items())
    assert not any(parameter.requires_grad for parameter in dial.model.parameters())


def test_it_can_be_set_within_and_without_inference_mode(folder: Path) -> None:
    catalog = opened(folder, "plain", "narrow")
    dial, recipes = dialled(catalog, "float32"), [Weights().recipe([x, 0.4], catalog) for x in (0.3, 0.6)]
    with torch.inference_mode():
        dial.put(recipes[:1])
    dial.put(recipes[1:])
    other = dialled(catalog, "float32")
    other.put(recipes[1:])
    assert torch.equal(dial.model(IDS).logits, other.model(IDS).logits)


def test_what_an_adapter_cannot_hold_is_told(folder: Path, tmp_path: Path) -> None:
    for names, problem in {
        ("plain", "full"): "expert full is not a plain LoRA adapter",
        ("plain", "saved"): "expert saved is not a plain LoRA adapter",
    }.items():
        with pytest.raises(ConfigError, match=rf"^form: adapter is not possible, as {problem}; use form auto"):
            DialModel(opened(folder, *names), torch.float32, "cpu", "adapter")
    with pytest.raises(ConfigError, match="expert plain is not a plain LoRA adapter"):
        DialModel(opened(folder, "plain", trim=0.5), torch.float32, "cpu", "adapter")
    base = make_base(tmp_path / "base", tied=True)
    make_adapter(tmp_path / "rows", base, seed=1, targets=["embed_tokens"], ensure_weight_tying=True)
    with pytest.raises(ConfigError, match=r"adapts model.embed_tokens.weight, which the base uses in two places"):
        DialModel(opened(tmp_path, "rows"), torch.float32, "cpu", "adapter")
    assert DialModel(opened(tmp_path, "rows"), torch.float32, "cpu").form == "stacked"
    catalog = opened(folder, "plain")
    with pytest.raises(ConfigError, match=r"2 weightings in one batch need form stacked, and this dial's is adapter"):
        dialled(catalog, "float32").put([Weights().recipe([0.3], catalog)] * 2)


def test_layers_that_no_pass_calls_are_found(tmp_path: Path) -> None:
    """Mamba reads the weight of a projection itself, so nothing beside the layer acts; there it is merged."""
    mamba = next(each for each in ARCHITECTURES if each.name == "falcon_mamba")
    mamba.build(tmp_path / "base")
    make_adapter(tmp_path / "one", tmp_path / "base", 1, targets=["dt_proj"], scale=0.2)
    catalog = opened(tmp_path, "one")
    with pytest.raises(ConfigError, match=r"the model does not call .*dt_proj"):
        DialModel(catalog, torch.float32, "cpu", "adapter")
    dial = DialModel(catalog, torch.float32, "cpu")
    assert dial.form == "merged"
    assert not [name for name, _ in dial.model.named_modules() if "base_layer" in name], "the model is the plain one"

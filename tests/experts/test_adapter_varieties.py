"""Adapters as PEFT makes them, against PEFT's own merge: tests/benchmarks/adapters.py tries many more."""

import sys
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from support.exports import exported
from support.models import load, make_adapter, make_base, make_gpt2
from swarm.core.errors import ExpertError, UserError
from swarm.engines.transformers.memory import LargestBatch, memory
from swarm.experts.catalog import Catalog, ExpertSpec, factors_problem, open_catalog
from swarm.export import export

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))  # the scripts import each other from their own folder

import adapters

VARIETIES = [
    ("rank_pattern and alpha_pattern", "untied"),
    ("DoRA, rsLoRA, patterns", "tied"),
    ("DoRA on Conv1D", "gpt2"),
    ("DoRA on embeddings", "untied"),
    ("LoRA on embeddings", "tied"),
    ("LoRA on embeddings, ensure_weight_tying", "tied"),
    ("modules_to_save, ensure_weight_tying", "tied"),
    ("trainable_token_indices", "tied"),
    ("bias: all", "biased"),
    ("lora_bias", "biased"),
    ("names with the adapter's", "untied"),
    ("LoHa", "untied"),
]
REFUSED = ("LoRA on embeddings", "LoHa")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "kind"), VARIETIES, ids=[f"{name}, {kind}" for name, kind in VARIETIES])
def test_a_variety_is_read_right_or_refused_with_a_remedy_that_works(tmp_path: Path, name: str, kind: str) -> None:
    row = adapters.row(tmp_path, name, kind)
    assert not row.bad, adapters.markdown([row])
    assert row.cells["remedy" if name in REFUSED else "as hf"].verdict.startswith("ok"), adapters.markdown([row])


def test_the_table_marks_what_is_wrong() -> None:
    row = adapters.Row("x", "tied", {"one expert": adapters.Cell(0.1), "as hf": adapters.Cell(1e-8)})
    assert row.bad
    assert "WRONG, 1.0e-01" in adapters.markdown([row])
    assert not adapters.Row("x", "tied", {"one expert": adapters.Cell(text="refused: so")}).bad


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("varieties") / "base", layers=1)


def opened(base: Path, *paths: Path) -> Catalog:
    return open_catalog(base, [ExpertSpec(path.name, path) for path in paths])


def test_dora_costs_the_memory_of_full_updates(base: Path, tmp_path: Path) -> None:
    dora = opened(base, make_adapter(tmp_path / "dora", base, seed=1, use_dora=True))
    plain = opened(base, make_adapter(tmp_path / "plain", base, seed=1))
    assert {dora.experts[0].rank(name) for name in dora.parameters()} == {None}
    weights = sum(base_info.elements for name, base_info in dora.base.tensors.info.items() if "proj" in name)
    needed = [memory(catalog, "float32", LargestBatch()).private for catalog in (dora, plain)]
    factors = 8 * sum(info.elements for info in plain.experts[0].source.files.info.values())
    assert needed[0] - needed[1] == pytest.approx(4 * weights - factors)
    assert "plain LoRA" in (factors_problem(dora) or "")


def test_an_output_without_any_weights_stays_so(base: Path, tmp_path: Path) -> None:
    """The direction of a row of zeros is not defined: DoRA leaves it, and the result is finite."""
    adapter = make_adapter(tmp_path / "dora", base, seed=1, targets=["q_proj"], use_dora=True)
    tensors = load_file(adapter / "adapter_model.safetensors")
    (b,) = (name for name in tensors if "lora_B" in name)
    tensors[b][3] = 0
    save_file(tensors, adapter / "adapter_model.safetensors")
    weights = load_file(base / "model.safetensors")
    weights["model.layers.0.self_attn.q_proj.weight"][3] = 0
    other = make_base(tmp_path / "zeros", layers=1)
    save_file(weights, other / "model.safetensors", {"format": "pt"})
    record = adapter / "adapter_config.json"
    record.write_text(record.read_text().replace(str(base), "somebody/model"))
    catalog = opened(other, adapter)
    value = catalog.experts[0].source.update("model.layers.0.self_attn.q_proj.weight").value  # type: ignore[union-attr]
    assert torch.isfinite(value).all()
    assert not value[3].any()


@pytest.mark.parametrize("form", ["hf", "adapter"])
def test_what_is_exported_is_finite_or_nothing_is(base: Path, tmp_path: Path, form: str) -> None:
    adapter = make_adapter(tmp_path / "adapter", base, seed=1, targets=["q_proj"])
    tensors = {name: 1e30 * tensor for name, tensor in load_file(adapter / "adapter_model.safetensors").items()}
    save_file(tensors, adapter / "adapter_model.safetensors")
    what = exported(opened(base, adapter))
    with pytest.raises(UserError, match="is not finite in float32"):
        export(what, tmp_path / "out", form)
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore")
def test_a_half_precision_export_that_overflows_is_refused(base: Path, tmp_path: Path) -> None:
    adapter = make_adapter(tmp_path / "adapter", base, seed=1, targets=["q_proj"], alpha=400_000_000)
    with pytest.raises(ExpertError, match=r"not finite in float16; use a wider dtype"):
        export(exported(opened(base, adapter), "float16"), tmp_path / "out", "hf")
    export(exported(opened(base, adapter), "float32"), tmp_path / "out", "hf")


@pytest.mark.filterwarnings("ignore")
def test_a_full_state_dict_of_a_peft_model_is_read(base: Path, tmp_path: Path) -> None:
    """Saved by hand: the adapter's name in the names, the base's weights and originals of saved modules beside."""
    adapter = make_adapter(tmp_path / "adapter", base, seed=1, modules_to_save=["lm_head"])
    model = PeftModel.from_pretrained(load(base), adapter)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, adapter / "adapter_model.safetensors")
    (expert,) = opened(base, adapter).experts
    assert "lm_head.weight" in expert.source.parameters()
    merged = model.merge_and_unload().state_dict()
    update = expert.source.update("lm_head.weight")
    assert torch.equal(update.value, merged["lm_head.weight"])  # type: ignore[union-attr]


def test_positions_are_no_tied_embeddings(tmp_path: Path) -> None:
    base = make_gpt2(tmp_path / "gpt2")
    assert opened(base, make_adapter(tmp_path / "positions", base, seed=1, targets=["wpe"])).parameters()

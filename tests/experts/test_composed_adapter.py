"""A recipe over LoRA experts as one adapter: what PEFT merges is what the recipe means."""

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import save_file

from support.exports import make_experts, opened
from support.models import load
from swarm.compositions.weights import Weights
from swarm.core.files import write_json
from swarm.experts.composed_adapter import composed_adapter
from swarm.experts.merge_model import composed_tensors


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_experts(tmp_path_factory.mktemp("adapters"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("largest", [True, False], ids=["largest", "smallest"])
def test_any_module_may_name_the_rank(folder: Path, tmp_path: Path, largest: bool) -> None:
    """Modules of another rank than r are named by patterns, whichever rank is r."""
    catalog = opened(folder, "plain", "narrow", "mixed", "embedding")
    recipe = Weights().recipe([0.7, -0.4, 0.3, 0.2], catalog)
    adapter = composed_adapter(catalog, recipe)
    assert len(set(adapter.ranks)) > 2
    rank = max(adapter.ranks) if largest else min(adapter.ranks)
    write_json(tmp_path / "adapter_config.json", adapter.config(str(folder / "base"), rank))
    save_file(adapter.tensors(), tmp_path / "adapter_model.safetensors", {"format": "pt"})
    merged = PeftModel.from_pretrained(load(folder / "base"), tmp_path).merge_and_unload().state_dict()
    for name, tensor in composed_tensors(catalog, recipe, torch.float32):
        torch.testing.assert_close(merged[name], tensor, rtol=0, atol=1e-6)


def test_only_experts_in_use_are_in_it(folder: Path) -> None:
    catalog = opened(folder, "plain", "full", "narrow")
    assert composed_adapter(catalog, Weights().recipe([0.0, 0.0, 0.0], catalog)).modules == {}
    adapter = composed_adapter(catalog, Weights().recipe([0.0, 0.0, 0.5], catalog))
    assert set(adapter.ranks) == {2}
    assert all("self_attn" in name for name in adapter.modules)

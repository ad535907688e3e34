"""Factors of fused experts (target_parameters) must fit the parameter that holds all of them."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from support.layouts import make_model
from swarm.core.errors import ExpertError
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog

EXPERTS, RANK, INPUTS, OUTPUTS = 4, 2, 32, 64
NAME = "base_model.model.model.layers.0.mlp.experts"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("fused") / "base", "mixtral")


def opened(base: Path, folder: Path, ranks: int, inputs: int, outputs: int, **values: object) -> Catalog:
    """An adapter of the first layer's gate_up_proj. ranks: the rows of A, for all experts."""
    folder.mkdir()
    config = {"peft_type": "LORA", "lora_alpha": 4, "target_parameters": ["mlp.experts.gate_up_proj"], **values}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    tensors = {f"{NAME}.lora_A.weight": torch.ones(ranks, inputs), f"{NAME}.lora_B.weight": torch.ones(outputs, ranks)}
    save_file(tensors, folder / "adapter_model.safetensors")
    return open_catalog(base, [ExpertSpec("one", folder)])


@pytest.mark.parametrize("r", [{"r": RANK}, {}], ids=["with-rank", "without-rank"])
def test_factors_that_fit_are_read(base: Path, tmp_path: Path, r: dict[str, int]) -> None:
    catalog = opened(base, tmp_path / "one", EXPERTS * RANK, INPUTS, OUTPUTS, **r)
    source = catalog.experts[0].source
    assert source.parameters()
    assert all(source.update(name) is not None for name in source.parameters())


@pytest.mark.parametrize(
    ("ranks", "inputs", "outputs"),
    [
        (EXPERTS - 1, INPUTS, OUTPUTS),
        (EXPERTS + 2, INPUTS, OUTPUTS),
        (EXPERTS * RANK, 8, OUTPUTS),
        (EXPERTS * RANK, INPUTS, 8),
        (EXPERTS * RANK, OUTPUTS, INPUTS),
    ],
)
def test_factors_that_do_not_fit_are_refused(base: Path, tmp_path: Path, ranks: int, inputs: int, outputs: int) -> None:
    with pytest.raises(
        ExpertError, match=r"do not fit model\.layers\.0\.mlp\.experts\.gate_up_proj with \[4, 64, 32\]"
    ):
        opened(base, tmp_path / "one", ranks, inputs, outputs)

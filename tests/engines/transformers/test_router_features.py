"""A router's features: means over a prompt's own tokens, whatever else is in the batch."""

from pathlib import Path

import numpy as np
import pytest
import torch

from support.architectures import ARCHITECTURES, Architecture
from support.models import load, make_base
from swarm.core.errors import ExpertError
from swarm.engines.transformers import router_features
from swarm.engines.transformers.load_model import load_model
from swarm.engines.transformers.router_features import features_of, middle_layer

CPU = torch.device("cpu")
WITHOUT = [each for each in ARCHITECTURES if each.name in ("gemma3n", "pegasus_x")]  # several a token, padded ones
ROWS = [[5, 6, 7], [9], [8, 8, 8, 8, 8, 8, 8], [5, 6], [4, 3, 2, 1]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> torch.nn.Module:
    found: torch.nn.Module = load(make_base(tmp_path_factory.mktemp("features") / "base")).eval()
    return found


@torch.no_grad()
def test_features_are_means_of_the_hidden_states_of_each_prompt_alone(model: torch.nn.Module) -> None:
    for layer in (0, 1, 2):
        alone = [model(torch.tensor([row]), output_hidden_states=True).hidden_states[layer][0].mean(0) for row in ROWS]
        np.testing.assert_allclose(features_of(model, ROWS, layer, CPU), torch.stack(alone), atol=1e-6)


def test_batches_change_features_by_rounding_alone(model: torch.nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = features_of(model, ROWS, 1, CPU)
    for most in (1, 8, 14):
        monkeypatch.setattr(router_features, "BATCH_TOKENS", most)
        np.testing.assert_allclose(features_of(model, ROWS, 1, CPU), whole, atol=1e-6)


def test_states_of_a_narrow_dtype_are_summed_in_float32(model: torch.nn.Module, tmp_path: Path) -> None:
    """Sixty equal tokens have the mean of one."""
    narrow = load(make_base(tmp_path / "base")).to(torch.bfloat16).eval()
    row = [[7] * 60]
    wide = features_of(narrow.float(), row, 0, CPU)
    np.testing.assert_allclose(features_of(narrow.to(torch.bfloat16), row, 0, CPU), wide, rtol=1e-2, atol=1e-6)


def test_the_middle_layer_is_one_of_the_model(model: torch.nn.Module) -> None:
    assert 1 <= middle_layer(model) <= model.config.num_hidden_layers  # type: ignore[union-attr, operator]


@pytest.mark.parametrize("architecture", WITHOUT, ids=lambda each: each.name)
def test_a_base_without_one_hidden_state_per_token_is_refused(architecture: Architecture, tmp_path: Path) -> None:
    model = load_model(architecture.build(tmp_path / "base"), torch.float32, "cpu").model
    with pytest.raises(ExpertError, match=r"^base: \w+ has no hidden state .* use another composition than routed$"):
        features_of(model, ROWS, 1, CPU)

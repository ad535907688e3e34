"""A live model with a dial: all forms have the same answers, for groups of parameters and both algebras."""

from pathlib import Path

import pytest
import torch

from support.models import make_adapter
from support.runs import ADAPTERS, make_workshop, opened, recipe
from swarm.compositions.weights import Weights
from swarm.core.errors import ConfigError
from swarm.engines.transformers.dial_model import DialModel

IDS = torch.arange(60, 76)[None]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_workshop(tmp_path_factory.mktemp("dials"))
    make_adapter(
        folder / "embedding", folder / "base", seed=7, targets=["embed_tokens", "lm_head", "q_proj"], scale=0.2
    )
    return folder


@pytest.mark.parametrize("algebra", ["delta", "factors"])
@pytest.mark.parametrize("groups", ["all", "modules", "layers:2"])
def test_all_forms_agree(workshop: Path, algebra: str, groups: str) -> None:
    catalog = opened(workshop, *ADAPTERS)
    weights = Weights(algebra=algebra, groups=groups)
    dimensions = weights.space(catalog).dimensions
    merged, *others = (DialModel(catalog, torch.float32, "cpu", form) for form in ("merged", "adapter", "stacked"))
    for step in (1, 2):
        position = [0.8 - 0.3 * i + 0.2 * step for i in range(dimensions)]
        for dial in (merged, *others):
            dial.put([weights.recipe(position, catalog)])
        for dial in others:
            torch.testing.assert_close(dial.model(IDS).logits, merged.model(IDS).logits, atol=1e-3, rtol=1e-3)


def test_embeddings_and_the_head_have_rows_of_their_own(workshop: Path) -> None:
    catalog = opened(workshop, "one", "embedding")
    dial, merged = (DialModel(catalog, torch.float32, "cpu", form) for form in ("stacked", "merged"))
    recipes = [recipe(catalog, one=0.5, embedding=x) for x in (0.0, 0.6, 1.2)]
    dial.put(recipes)
    together = dial.model(IDS.repeat(3, 1)).logits
    for row, each in enumerate(recipes):
        merged.put([each])
        torch.testing.assert_close(together[row], merged.model(IDS).logits[0], atol=1e-3, rtol=1e-3)


def test_whole_fine_tunes_are_merged(workshop: Path) -> None:
    catalog = opened(workshop, "one", "full")
    assert DialModel(catalog, torch.float32, "cpu").form == "merged"
    with pytest.raises(ConfigError, match="use form merged"):
        DialModel(catalog, torch.float32, "cpu", "stacked")

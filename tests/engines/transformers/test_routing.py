"""The engine routes: each prompt is answered under the coefficients that the router gives its hidden states."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from support.models import load
from support.runs import ADAPTERS, answer, opened, recipe
from swarm.core.recipes import LogitRecipe, Recipe, RoutingRecipe
from swarm.core.requests import Answer, Continuation, Generation
from swarm.engines.transformers.engine import TransformersEngine
from swarm.experts.catalog import Catalog
from swarm.experts.router import Router, nearest
from swarm.experts.router_files import write_router
from swarm.experts.router_fit import RouterFit, fit_router

PROMPTS = ["a", "hello there", "one two three", "xyz" * 5, "zz top", "b c d"]
ASKED = [Continuation(prompt, " yes") for prompt in PROMPTS] + [Generation(prompt, 5) for prompt in PROMPTS]
LAYER = 1


@torch.no_grad()
def features(base: Path, prompts: list[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Mean hidden states as plain transformers has them, one unpadded prompt after another."""
    model, tokenizer = load(base).eval(), AutoTokenizer.from_pretrained(base)
    rows = []
    for prompt in prompts:
        found = model(torch.tensor([tokenizer.encode(prompt)]), output_hidden_states=True)
        rows.append(found.hidden_states[LAYER][0].mean(dim=0).double().numpy())
    return np.stack(rows)


@pytest.fixture(scope="module")
def catalog(folder: Path) -> Catalog:
    return opened(folder, *ADAPTERS)


@pytest.fixture(scope="module")
def router(folder: Path, catalog: Catalog) -> Router:
    """Fitted to texts of three kinds, each of which one expert is the best at."""
    texts = [letter * (1 + i % 7) + " " + letter for i in range(20) for letter in "aoz"]
    found = fit_router(features(folder / "base", texts), np.tile(np.eye(3), (20, 1)), catalog.names, RouterFit())
    made = Router(
        base=catalog.base.tensors.fingerprint,
        experts={each.name: each.fingerprint for each in catalog.sources},
        layer=LAYER,
        calibration="isotonic",
        geometry=found.geometry,
        spreads=found.spreads,
        fractal_ME=found.fractal_ME,
        natural_ME=found.natural_ME,
        report={},
    )
    (folder / "router").mkdir()
    write_router(made, folder / "router")
    return made


def routing(folder: Path, by: str, strength: float = 1.0) -> RoutingRecipe:
    return RoutingRecipe(
        router=str(folder / "router"),
        by=by,  # type: ignore[arg-type]
        clusters=2,
        fractal=0.6,
        natural=0.4,
        temperature=0.5,
        base_share=0.1,
        strength=strength,
        biases=dict.fromkeys(ADAPTERS, 0.0),
        scales={"one": 1.0, "two": 0.5, "three": 1.5},
    )


def one_by_one(shared: TransformersEngine, catalog: Catalog, recipes: list[Recipe]) -> list[Answer]:
    """Every request alone under its own recipe."""
    return [answer(shared, catalog, [each], [ask])[0].answers[0] for each, ask in zip(recipes, ASKED, strict=True)]


def test_logits_have_each_prompts_own_coefficients(
    folder: Path, catalog: Catalog, router: Router, shared: TransformersEngine
) -> None:
    asked = routing(folder, "logits")
    (found,) = answer(shared, catalog, [Recipe(recipe(catalog).weights, routing=asked)], ASKED)
    weights_NE = router.weights(features(folder / "base", PROMPTS * 2), asked)
    assert np.ptp(weights_NE, axis=0).max() > 0.1
    rows = [LogitRecipe("logits", dict(zip(ADAPTERS, row.tolist(), strict=True))) for row in weights_NE]
    expected = one_by_one(shared, catalog, [Recipe(recipe(catalog).weights, row) for row in rows])
    assert [_text(each) for each in found.answers] == [_text(each) for each in expected]
    assert [_score(each) for each in found.answers] == pytest.approx([_score(each) for each in expected], abs=1e-4)


def test_clusters_have_merged_weights_each(
    folder: Path, catalog: Catalog, router: Router, shared: TransformersEngine
) -> None:
    asked = routing(folder, "clusters")
    (found,) = answer(shared, catalog, [Recipe(recipe(catalog).weights, routing=asked)], ASKED)
    centres_KE = router.centres(asked)
    label_N = nearest(router.weights(features(folder / "base", PROMPTS * 2), asked), centres_KE)
    rows = [dict(zip(ADAPTERS, centres_KE[k].tolist(), strict=True)) for k in label_N]
    expected = one_by_one(shared, catalog, [recipe(catalog, **row) for row in rows])
    assert [_text(each) for each in found.answers] == [_text(each) for each in expected]
    assert [_score(each) for each in found.answers] == pytest.approx([_score(each) for each in expected], abs=1e-4)


def test_strength_zero_is_the_same_everywhere(
    folder: Path, catalog: Catalog, router: Router, shared: TransformersEngine
) -> None:
    asked = routing(folder, "logits", strength=0.0)
    (found,) = answer(shared, catalog, [Recipe(recipe(catalog).weights, routing=asked)], ASKED)
    plain = Recipe(recipe(catalog).weights, LogitRecipe("logits", dict(asked.scales)))
    (expected,) = answer(shared, catalog, [plain], ASKED)
    assert found.answers == expected.answers


def _text(each: Answer) -> str:
    return getattr(each, "text", "")


def _score(each: Answer) -> float:
    return float(getattr(each, "log_likelihood", 0.0))

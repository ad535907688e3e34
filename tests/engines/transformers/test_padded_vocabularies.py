"""Pairs of models whose embeddings are padded by other numbers of rows: the engine against plain transformers.

The padded rows are so loud that one of them is nearly always the likeliest token, if it is not masked.
"""

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from support.model_pairs import pad_vocabulary, with_other_tokenizer
from support.models import load, make_base
from support.naive_logits import Naive
from support.naive_logits import Path as Summand
from support.runs import answer, engine, recipe
from swarm.core.errors import ExpertError
from swarm.core.recipes import Combined, LogitRecipe, Recipe
from swarm.core.requests import Continuation, Generation, Likelihood, Text
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.zoo.sizes import RECIPE
from swarm.zoo.tiny_build import make_tokenizer, new_model, save_model

PROMPTS = ["a", "hello there", "xyz" * 9]
LOUD = 20.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base; two small models, padded by more rows and by fewer; one with other tokens."""
    folder = tmp_path_factory.mktemp("padded")
    make_base(folder / "base")
    for seed, (name, rows) in enumerate({"small": 16, "tuned": 48}.items(), 5):
        made = make_base(folder / f"{name}-plain", seed=seed, layers=1, hidden=16)
        pad_vocabulary(made, folder / name, rows, scale=LOUD)
    with_other_tokenizer(folder / "small", folder / "other")
    return folder


@pytest.fixture(scope="module")
def catalog(folder: Path) -> Catalog:
    pair = ExpertSpec("pair", folder / "tuned", minus=folder / "small")
    alone = ExpertSpec("alone", folder / "tuned", minus=Path("base"))
    return open_catalog(folder / "base", [pair, alone])


def naive(folder: Path, combined: Combined, **coefficients: float) -> Naive:
    base, small, tuned = (load(folder / name).eval() for name in ("base", "small", "tuned"))
    minus = {"pair": small, "alone": None}
    paths = [Summand(c, tuned, minus[name]) for name, c in coefficients.items()]
    return Naive(base, AutoTokenizer.from_pretrained(folder / "base"), paths, combined == "probabilities")


def check(folder: Path, catalog: Catalog, combined: Combined, **coefficients: float) -> None:
    """Greedy texts are the same, log-likelihoods to float32's rounding."""
    oracle, held = naive(folder, combined, **coefficients), engine(catalog)
    what = Recipe(recipe(catalog).weights, LogitRecipe(combined, coefficients))
    (texts,) = answer(held, catalog, [what], [Generation(prompt, 8) for prompt in PROMPTS])
    assert [each.text for each in texts.answers if isinstance(each, Text)] == [oracle.greedy(p, 8) for p in PROMPTS]
    (scored,) = answer(held, catalog, [what], [Continuation(prompt, " and so on") for prompt in PROMPTS])
    found = [each.log_likelihood for each in scored.answers if isinstance(each, Likelihood)]
    assert found == pytest.approx([oracle.log_likelihood(p, " and so on") for p in PROMPTS], abs=2e-3)


@pytest.mark.parametrize("c", [-0.5, 0.5, 1.0, 2.0])
def test_a_pair_says_what_plain_models_say(folder: Path, catalog: Catalog, c: float) -> None:
    check(folder, catalog, "logits", pair=c)


@pytest.mark.parametrize("c", [0.5, 1.5])
def test_a_model_against_the_base_says_what_plain_models_say(folder: Path, catalog: Catalog, c: float) -> None:
    check(folder, catalog, "logits", alone=c)


@pytest.mark.parametrize("c", [0.25, 0.9])
def test_averages_of_models_without_padding_are_those_of_plain_models(tmp_path: Path, c: float) -> None:
    tokenizer = make_tokenizer()
    for name, size in (("base", RECIPE.large), ("tuned", RECIPE.small), ("small", RECIPE.small)):
        save_model(new_model(size, tokenizer), tokenizer, tmp_path / name)
    catalog = open_catalog(tmp_path / "base", [ExpertSpec("alone", tmp_path / "tuned", minus=Path("base"))])
    check(tmp_path, catalog, "probabilities", alone=c)


def test_loud_rows_would_show(folder: Path) -> None:
    """Alone, where nothing is masked, the padded model's likeliest token is one that the tokenizer does not know."""
    oracle = naive(folder, "logits", alone=1.0)
    ids = oracle.tokenizer.encode(PROMPTS[1])
    assert int(oracle.logits(ids).argmax()) >= len(oracle.tokenizer)


def test_other_tokens_are_refused(folder: Path) -> None:
    with pytest.raises(ExpertError, match="expert pair: minus"):
        open_catalog(folder / "base", [ExpertSpec("pair", folder / "tuned", minus=folder / "other")])

"""Greedy texts of fifty prompts, on the zoos' models, equal those of a naive implementation, which caches nothing."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from support.models import merged_model
from support.naive_logits import Naive
from support.naive_logits import Path as Summand
from support.runs import answer, engine, recipe
from swarm import zoo
from swarm.core.recipes import Combined, LogitRecipe, Recipe
from swarm.core.requests import Generation, Text
from swarm.engines.transformers.logit_model import LogitModel
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.experts.control_layer import write_control_layer
from swarm.experts.layer_copy import control_layer_of, with_control_layer
from swarm.zoo.store import cache_directory

PROMPTS, TOKENS = 50, 8
ZOOS = [
    pytest.param("tiny", ("upper", "mirror"), marks=pytest.mark.slow, id="tiny"),
    pytest.param("smollm2", ("chain_sum", "syllogism"), marks=pytest.mark.real, id="smollm2"),
]


def load(folder: Path) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@torch.no_grad()
def control_layer(base: Path, folder: Path) -> PreTrainedModel:
    """A layer that changes what the model says, in a folder. Returns the base behind it."""
    made = with_control_layer(load(base), None)
    torch.manual_seed(0)
    layer = control_layer_of(made)
    for name, parameter in layer.named_parameters():
        if name.endswith("down_proj.weight"):
            parameter.add_(0.3 * parameter.std().clamp(min=0.02) * torch.randn_like(parameter))
    folder.mkdir()
    tensors = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    write_control_layer(folder, tensors, str(base), open_catalog(base, []).base.tensors.fingerprint)
    assert isinstance(made, PreTrainedModel)
    return made.eval()


def asked(folder: Path) -> list[Generation]:
    """Prompts of all tasks alike."""
    lines = [json.loads(text) for text in (folder / "data" / "examples.jsonl").read_text().splitlines()]
    return [Generation(line["prompt"], TOKENS) for line in lines[:: max(1, len(lines) // PROMPTS)][:PROMPTS]]


def texts(held: object, catalog: Catalog, what: Recipe, asks: Sequence[Generation]) -> list[str]:
    (found,) = answer(held, catalog, [what], asks)  # type: ignore[arg-type]
    return [each.text for each in found.answers if isinstance(each, Text)]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("name", "experts"), ZOOS)
def test_greedy_texts_are_the_naive_ones(name: str, experts: tuple[str, str], tmp_path: Path) -> None:
    folder = zoo.build(name, cache_directory() / name, lambda text, share: None)
    one, two = experts
    control = control_layer(folder / "base", tmp_path / "style")
    specs = [ExpertSpec(each, folder / "experts" / each) for each in experts]
    catalog = open_catalog(folder / "base", [*specs, ExpertSpec("style", tmp_path / "style")])
    held, asks = engine(catalog), asked(folder)
    assert len(asks) == PROMPTS
    base, tokenizer = load(folder / "base"), AutoTokenizer.from_pretrained(folder / "base")
    models = {each: merged_model(catalog, recipe(catalog, **{each: 1.0})) for each in experts} | {"style": control}
    neutral, half = recipe(catalog).weights, recipe(catalog, **{one: 0.5})
    sums: dict[str, tuple[Recipe, Naive]] = {}

    def add(what: str, own: Recipe, summands: Sequence[Summand], on: PreTrainedModel, combined: Combined) -> None:
        coefficients = {next(n for n, m in models.items() if m is each.plus): each.c for each in summands}
        found = Recipe(own.weights, LogitRecipe(combined, coefficients))
        sums[what] = found, Naive(on, tokenizer, summands, combined == "probabilities")

    plain = Recipe(neutral)
    add("logits", plain, [Summand(0.7, models[one]), Summand(-0.3, models[two])], base, "logits")
    add("probabilities", plain, [Summand(0.5, models[one]), Summand(0.3, models[two])], base, "probabilities")
    add("control", plain, [Summand(1.4, control)], base, "logits")
    add(
        "mixed",
        half,
        [Summand(0.6, models[two], base), Summand(0.3, control, base)],
        merged_model(catalog, half),
        "logits",
    )
    for what, (own, naive) in sums.items():
        assert texts(held, catalog, own, asks) == [naive.greedy(each.prompt, TOKENS) for each in asks], what
    assert texts(held, catalog, plain, asks) == texts(held, catalog, Recipe(neutral, LogitRecipe("logits", {})), asks)
    for each in experts:
        alone = Recipe(neutral, LogitRecipe("logits", {each: 1.0}))
        assert texts(held, catalog, alone, asks) == texts(held, catalog, recipe(catalog, **{each: 1.0}), asks)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("name", "experts"), ZOOS)
@torch.no_grad()
def test_a_delivered_model_keeps_its_promises(name: str, experts: tuple[str, str], tmp_path: Path) -> None:
    """Neutral is the base and lambda 1 the aligned path, to the bit; caches and other rows change nothing.

    float32, as texts of half precision may turn at a tie.
    """
    folder = zoo.build(name, cache_directory() / name, lambda text, share: None)
    aligned = control_layer(folder / "base", tmp_path / "style")
    specs = [ExpertSpec(each, folder / "experts" / each) for each in experts]
    catalog = open_catalog(folder / "base", [*specs, ExpertSpec("style", tmp_path / "style")])
    zeros = dict.fromkeys((*experts, "style"), 0.0)
    model = LogitModel(catalog, Recipe(recipe(catalog).weights, LogitRecipe("logits", zeros)), torch.float32, "cpu")
    ids = model.tokenizer(
        [each.prompt for each in asked(folder)[:4]], return_tensors="pt", padding=True, padding_side="left"
    )
    base = load(folder / "base")
    assert torch.equal(model(**ids).logits, base(**ids).logits)
    model.set(style=1.0)
    assert torch.equal(model(**ids).logits, aligned(**ids).logits)
    fixed = {"max_new_tokens": TOKENS, "do_sample": False, "pad_token_id": model.tokenizer.pad_token_id or 0}
    rows = [{experts[0]: 0.7}, {"style": 1.5}, {experts[1]: -0.3, "style": 0.5}, {}]
    model.rows([zeros | each for each in rows])
    together = model.generate(**ids, **fixed)
    assert torch.equal(together, model.generate(**ids, **fixed, use_cache=False))
    for i, each in enumerate(rows):
        model.set({**zeros, **each})
        alone = model.generate(**{key: value[i : i + 1] for key, value in ids.items()}, **fixed)
        assert torch.equal(together[i, : alone.shape[1]], alone[0]), each
    for key, tensor in load(folder / "base").state_dict().items():
        assert torch.equal(model.base.state_dict()[key], tensor), key

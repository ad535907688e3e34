"""Combined logits against plain transformers: the whole text again at every token, one model after another."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from support.models import load, make_base, merged_model
from support.runs import answer, engine, make_workshop, recipe
from swarm.core.recipes import Combined, LogitRecipe, Recipe
from swarm.core.requests import Continuation, Generation, Likelihood, Text
from swarm.engines.encoding import Encoder, Requests
from swarm.engines.transformers.engine import TransformersEngine
from swarm.engines.transformers.logit_mix import combine
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog

PROMPTS = ["a", "hello there", "one two three four five", "xyz" * 9]
CONTINUATIONS = [Continuation(prompt, text) for prompt in PROMPTS for text in (" yes", "n", "a longer one, with more")]
GENERATIONS = [Generation(prompt, 6 + i) for i, prompt in enumerate(PROMPTS)]
EXPERTS = ("one", "two", "full")
Models = Mapping[str, PreTrainedModel]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base, experts of it, and two models of other sizes with its tokenizer."""
    folder = make_workshop(tmp_path_factory.mktemp("paths"))
    make_base(folder / "small", seed=5, layers=1, hidden=16)
    make_base(folder / "tuned", seed=6, layers=1, hidden=16)
    return folder


@pytest.fixture(scope="module")
def catalog(folder: Path) -> Catalog:
    specs = [ExpertSpec(name, folder / name) for name in EXPERTS]
    pair = ExpertSpec("pair", folder / "tuned", minus=folder / "small")
    other = ExpertSpec("other", folder / "tuned", minus=Path("base"))
    return open_catalog(folder / "base", [*specs, pair, other])


@pytest.fixture(scope="module")
def shared(catalog: Catalog) -> TransformersEngine:
    return engine(catalog)


@pytest.fixture(scope="module")
def models(folder: Path, catalog: Catalog) -> Models:
    """Every model alone, as plain transformers has it."""
    found = {name: load(folder / name).eval() for name in ("base", "small", "tuned")}
    for name in EXPERTS:
        found[name] = merged_model(catalog, recipe(catalog, **{name: 1.0}))
    return found


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(folder / "base")


def on_logits(catalog: Catalog, combined: Combined = "logits", **coefficients: float) -> Recipe:
    weights = recipe(catalog).weights
    return Recipe(weights, LogitRecipe(combined, coefficients))


@torch.no_grad()
def next_logits(models: Models, weights: Mapping[str, float], ids: list[int], known: int) -> torch.Tensor:
    """l = sum of w l of these models after a text; columns beyond the tokenizer's are no tokens."""
    parts = [weight * models[name](torch.tensor([ids])).logits[0, -1] for name, weight in weights.items()]
    total = torch.stack(parts).sum(dim=0)
    if len(parts) > 1:
        total[known:] = -torch.inf
    return total


def naive_text(
    models: Models, weights: Mapping[str, float], tokenizer: PreTrainedTokenizerBase, ask: Generation
) -> str:
    ids = tokenizer.encode(ask.prompt)
    start = len(ids)
    while len(ids) - start < ask.max_new_tokens and (len(ids) == start or ids[-1] != tokenizer.eos_token_id):
        ids.append(int(next_logits(models, weights, ids, len(tokenizer)).argmax()))
    return str(tokenizer.decode(ids[start:], skip_special_tokens=True))


def naive_likelihood(
    models: Models, weights: Mapping[str, float], tokenizer: PreTrainedTokenizerBase, ask: Continuation
) -> float:
    ids, total = tokenizer.encode(ask.prompt), 0.0
    for token in tokenizer.encode(ask.text, add_special_tokens=False):
        total += float(next_logits(models, weights, ids, len(tokenizer)).log_softmax(-1)[token])
        ids.append(token)
    return total


SUMS = {
    "expert": ({"one": 0.7}, {"base": 0.3, "one": 0.7}),
    "contrast": ({"two": -0.5}, {"base": 1.5, "two": -0.5}),
    "pair": ({"pair": 1.3}, {"base": 1.0, "tuned": 1.3, "small": -1.3}),
    "other": ({"other": 0.5}, {"base": 0.5, "tuned": 0.5}),
    "all": (
        {"one": 0.5, "full": -0.3, "pair": 0.8, "other": 0.2},
        {"base": 0.6, "one": 0.5, "full": -0.3, "tuned": 1.0, "small": -0.8},
    ),
}


@pytest.mark.parametrize("name", SUMS)
def test_sums_are_those_of_plain_models(
    name: str, shared: TransformersEngine, catalog: Catalog, models: Models, tokenizer: PreTrainedTokenizerBase
) -> None:
    coefficients, weights = SUMS[name]
    asked = [*CONTINUATIONS, *GENERATIONS]
    (found,) = answer(shared, catalog, [on_logits(catalog, **coefficients)], asked)
    for ask, given in zip(asked, found.answers, strict=True):
        if isinstance(ask, Continuation):
            assert isinstance(given, Likelihood)
            assert given.log_likelihood == pytest.approx(naive_likelihood(models, weights, tokenizer, ask), abs=1e-4)
        else:
            assert isinstance(given, Text)
            assert given.text == naive_text(models, weights, tokenizer, ask)


def likelihoods(held: TransformersEngine, catalog: Catalog, what: Recipe) -> list[float]:
    (found,) = answer(held, catalog, [what], CONTINUATIONS)
    return [each.log_likelihood for each in found.answers if isinstance(each, Likelihood)]


def texts(held: TransformersEngine, catalog: Catalog, what: Recipe) -> list[str]:
    (found,) = answer(held, catalog, [what], GENERATIONS)
    return [each.text for each in found.answers if isinstance(each, Text)]


@pytest.mark.parametrize("combined", ["logits", "probabilities"])
def test_neutral_coefficients_are_the_base_bit_for_bit(
    combined: Combined, shared: TransformersEngine, catalog: Catalog
) -> None:
    neutral = on_logits(catalog, combined, one=0.0, other=0.0)
    assert likelihoods(shared, catalog, neutral) == likelihoods(shared, catalog, recipe(catalog))
    assert texts(shared, catalog, neutral) == texts(shared, catalog, recipe(catalog))


@pytest.mark.parametrize("combined", ["logits", "probabilities"])
@pytest.mark.parametrize("name", EXPERTS)
def test_one_hot_is_that_expert_bit_for_bit(
    name: str, combined: Combined, shared: TransformersEngine, catalog: Catalog
) -> None:
    alone = on_logits(catalog, combined, **{name: 1.0, "other": 0.0})
    assert likelihoods(shared, catalog, alone) == likelihoods(shared, catalog, recipe(catalog, **{name: 1.0}))
    assert texts(shared, catalog, alone) == texts(shared, catalog, recipe(catalog, **{name: 1.0}))


@torch.no_grad()
def test_probabilities_are_averaged(
    shared: TransformersEngine, catalog: Catalog, models: Models, tokenizer: PreTrainedTokenizerBase
) -> None:
    """Coefficients below 0 count as 0; what is left to 1 is the base's; above 1 in all, they are divided by the sum."""
    ask = Continuation("hello there", " yes")
    for coefficients, shares in (
        ({"one": 0.5, "two": -1.0, "other": 0.2}, {"base": 0.3, "one": 0.5, "tuned": 0.2}),
        ({"one": 1.5, "two": 0.5}, {"one": 0.75, "two": 0.25}),
    ):
        (found,) = answer(shared, catalog, [on_logits(catalog, "probabilities", **coefficients)], [ask])
        ids, total = tokenizer.encode(ask.prompt), 0.0
        for token in tokenizer.encode(ask.text, add_special_tokens=False):
            known = len(tokenizer)
            parts = {name: models[name](torch.tensor([ids])).logits[0, -1, :known].softmax(-1) for name in shares}
            mixed = sum(share * parts[name] for name, share in shares.items())
            assert isinstance(mixed, torch.Tensor)
            total += float(mixed.log()[token])
            ids.append(token)
        (given,) = found.answers
        assert isinstance(given, Likelihood)
        assert given.log_likelihood == pytest.approx(total, abs=1e-4)


def test_weights_and_logits_act_together(
    shared: TransformersEngine, catalog: Catalog, models: Models, tokenizer: PreTrainedTokenizerBase
) -> None:
    """The difference of a path is that of the models as they are, whatever weights are merged into the base."""
    both = Recipe(recipe(catalog, one=0.6).weights, LogitRecipe("logits", {"two": 0.5, "pair": 0.4}))
    known = {**models, "merged": merged_model(catalog, both)}
    weights = {"merged": 1.0, "two": 0.5, "base": -0.5, "tuned": 0.4, "small": -0.4}
    asked = [*CONTINUATIONS, *GENERATIONS]
    for _ in range(2):  # what was in place before must not matter
        (found,) = answer(shared, catalog, [both], asked)
        for ask, given in zip(asked, found.answers, strict=True):
            if isinstance(ask, Continuation) and isinstance(given, Likelihood):
                assert given.log_likelihood == pytest.approx(naive_likelihood(known, weights, tokenizer, ask), abs=1e-4)
            elif isinstance(ask, Generation) and isinstance(given, Text):
                assert given.text == naive_text(known, weights, tokenizer, ask)
        texts(shared, catalog, on_logits(catalog, full=0.5))
        likelihoods(shared, catalog, recipe(catalog, full=0.3))


def test_kept_logits_give_the_scores_of_fresh_passes(shared: TransformersEngine, catalog: Catalog) -> None:
    first, again = (likelihoods(shared, catalog, on_logits(catalog, one=0.3, pair=0.9)) for _ in range(2))
    assert first == again == likelihoods(engine(catalog), catalog, on_logits(catalog, one=0.3, pair=0.9))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_scores_do_not_depend_on_what_was_scored_before(dtype: str, catalog: Catalog) -> None:
    """A race asks for the same requests in other slices, and a resumed run for fewer of them: the bits are the same."""
    encoded, what = Encoder.of(catalog.base.path).encode(CONTINUATIONS), on_logits(catalog, one=0.3, pair=0.4)
    part = Requests(encoded.items[3:7])
    held = engine(catalog, dtype=dtype)
    held.answer([what], encoded)
    after = held.answer([what], part)[0].answers
    assert after == engine(catalog, dtype=dtype).answer([what], part)[0].answers


def test_unlikely_tokens_keep_their_probability(catalog: Catalog) -> None:
    """In float32 the probability of a token 120 nats down is 0; its logarithm is not."""
    part = torch.tensor([[0.0, -120.0, -3.0]])
    found = combine([part, part], torch.tensor([[0.5], [0.5]]), 3, "probabilities")
    assert found[0].tolist() == pytest.approx(part[0].log_softmax(0).tolist(), abs=1e-5)


def test_the_divergence_from_the_base_leaves_padding_out(shared: TransformersEngine, catalog: Catalog) -> None:
    """These models have embeddings that only pad the vocabulary, which combined logits rule out."""
    asks = [Continuation(prompt, " yes", divergence=True) for prompt in PROMPTS]
    (found,) = answer(shared, catalog, [on_logits(catalog, one=0.2)], asks)
    values = [each.divergence for each in found.answers if isinstance(each, Likelihood)]
    assert all(value is not None and 0.0 < value < 1.0 for value in values)


def test_the_base_is_left_as_it_was(catalog: Catalog, folder: Path) -> None:
    held = engine(catalog)
    likelihoods(held, catalog, on_logits(catalog, one=0.5, two=0.1))
    texts(held, catalog, on_logits(catalog, one=0.5, two=0.1))
    likelihoods(held, catalog, recipe(catalog))
    for name, tensor in load(folder / "base").state_dict().items():
        assert torch.equal(held._model.state_dict()[name], tensor), name

"""A delivered recipe as a model of transformers, against plain models that read the whole text again at every token."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, LogitsProcessor, LogitsProcessorList, PreTrainedModel

from support.models import load, make_base, merged_model
from support.runs import answer, engine, make_workshop, recipe
from swarm.core.errors import ConfigError, ExpertError
from swarm.core.recipes import LogitRecipe, Recipe
from swarm.core.requests import Generation, Text
from swarm.engines.transformers.logit_model import LogitModel
from swarm.experts.catalog import Catalog, ExpertSpec, open_base, open_catalog
from swarm.experts.control_layer import first_layer, write_control_layer

PROMPTS = ["a", "hello there", "one two three four five", "xyz" * 9]
EXPERTS = ("one", "two", "full")
NEW = 9
MIXED = {"one": 0.7, "pair": 0.6, "control": -0.4}
WEIGHTS = {"base": 0.7, "one": 0.7, "tuned": 0.6, "small": -0.6, "control": -0.4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base, experts of it, two smaller models with its tokenizer, and a control layer."""
    folder = make_workshop(tmp_path_factory.mktemp("delivered"))
    make_base(folder / "small", seed=5, layers=1, hidden=16)
    make_base(folder / "tuned", seed=6, layers=1, hidden=16)
    base = open_base(folder / "base")
    torch.manual_seed(8)
    layer = first_layer(load(folder / "base"))
    tensors = {name: each.detach() + 0.05 * torch.randn_like(each) for name, each in layer.named_parameters()}
    (folder / "control").mkdir()
    write_control_layer(folder / "control", tensors, "base", base.tensors.fingerprint)
    return folder


@pytest.fixture(scope="module")
def catalog(folder: Path) -> Catalog:
    specs = [ExpertSpec(name, folder / name) for name in (*EXPERTS, "control")]
    return open_catalog(folder / "base", [*specs, ExpertSpec("pair", folder / "tuned", minus=folder / "small")])


@pytest.fixture(scope="module")
def plain(folder: Path, catalog: Catalog) -> Mapping[str, PreTrainedModel]:
    """Every model alone, as plain transformers has it; the control layer by LogitModel's own with coefficient 1."""
    found = {name: load(folder / name).eval() for name in ("base", "small", "tuned")}
    for name in EXPERTS:
        found[name] = merged_model(catalog, recipe(catalog, **{name: 1.0}))
    return found


@pytest.fixture
def model(catalog: Catalog) -> LogitModel:
    return delivered(catalog, **MIXED)


def delivered(catalog: Catalog, **coefficients: float) -> LogitModel:
    return LogitModel(catalog, on_logits(catalog, **coefficients), torch.float32, "cpu")


def on_logits(catalog: Catalog, **coefficients: float) -> Recipe:
    every = {source.name: coefficients.get(source.name, 0.0) for source in catalog.sources}
    return Recipe(recipe(catalog).weights, LogitRecipe("logits", every))


def encoded(model: LogitModel, prompts: Iterable[str] = PROMPTS) -> Mapping[str, torch.Tensor]:
    return model.tokenizer(list(prompts), return_tensors="pt", padding=True, padding_side="left")


def texts(model: LogitModel, prompts: list[str] = PROMPTS, **options: object) -> list[str]:
    given = encoded(model, prompts)
    options = {"max_new_tokens": NEW, "do_sample": False, **options}
    found = model.generate(**given, **options)
    return model.tokenizer.batch_decode(found[:, given["input_ids"].shape[1] :], skip_special_tokens=True)


@torch.no_grad()
def test_logits_are_the_sum_of_plain_models(
    folder: Path, catalog: Catalog, plain: Mapping[str, PreTrainedModel]
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder / "base")
    ids = torch.tensor([tokenizer.encode("hello there")])
    alone = delivered(catalog, control=1.0)(ids).logits
    parts = {name: each(ids).logits for name, each in plain.items()} | {"control": alone}
    expected = sum(weight * parts[name] for name, weight in WEIGHTS.items())
    found = delivered(catalog, **MIXED)(ids).logits
    assert torch.allclose(found[..., : len(tokenizer)], expected[..., : len(tokenizer)], atol=1e-5)
    assert (found[..., len(tokenizer) :] == -torch.inf).all()
    assert not torch.allclose(alone, parts["base"])


def test_greedy_texts_are_those_of_the_engine(catalog: Catalog, model: LogitModel) -> None:
    asked = [Generation(prompt, NEW) for prompt in PROMPTS]
    (found,) = answer(engine(catalog), catalog, [model.recipe], asked)
    assert texts(model) == [each.text for each in found.answers if isinstance(each, Text)]


def test_texts_are_the_same_without_a_cache_and_without_padding(model: LogitModel) -> None:
    together = texts(model)
    assert texts(model, use_cache=False) == together
    assert [texts(model, [prompt])[0] for prompt in PROMPTS] == together


@torch.no_grad()
def test_neutral_coefficients_are_the_base_bit_for_bit(folder: Path, catalog: Catalog) -> None:
    base, neutral = load(folder / "base").eval(), delivered(catalog)
    given = encoded(neutral)
    assert torch.equal(neutral(**given).logits, base(**given).logits)
    asked = {"max_new_tokens": NEW, "do_sample": False}
    assert torch.equal(neutral.generate(**given, **asked), base.generate(**given, **asked))
    assert set(neutral._opened) == {"base"}


def test_the_base_keeps_its_weights(folder: Path, model: LogitModel) -> None:
    texts(model)
    model.set(full=0.5)
    texts(model)
    for name, tensor in load(folder / "base").state_dict().items():
        assert torch.equal(model.base.state_dict()[name], tensor), name


def test_a_batch_with_mixed_coefficients_equals_one_by_one(catalog: Catalog, model: LogitModel) -> None:
    given = [{"one": c, "pair": 0.0, "control": 1.0 - c} for c in (0.0, 0.4, 1.5, -0.3)]
    model.rows(given)
    together = texts(model)
    beams = texts(model, num_beams=2, num_return_sequences=2)
    for i, (prompt, weighting) in enumerate(zip(PROMPTS, given, strict=True)):
        alone = delivered(catalog, **weighting)
        assert texts(alone, [prompt]) == [together[i]]
        assert texts(alone, [prompt], num_beams=2, num_return_sequences=2) == beams[2 * i : 2 * i + 2]
    model.rows(None)
    assert texts(model) == texts(delivered(catalog, **MIXED))


def test_paths_of_coefficient_zero_are_not_run(catalog: Catalog) -> None:
    model = delivered(catalog, one=0.5)
    texts(model)
    assert set(model._opened) == {"base", "expert:one"}
    model.set(one=0.0, pair=0.5)
    texts(model)
    assert set(model._opened) == {"base", "expert:one", *(key for key in model._opened if key.startswith("model:"))}


@torch.no_grad()
def test_a_path_that_joins_later_reads_what_it_has_missed(catalog: Catalog) -> None:
    """The coefficients of a second turn act on a cache of the first."""
    model = delivered(catalog, one=0.5)
    given = encoded(model, ["hello there", "a"])
    first = model(**given, use_cache=True)
    model.set(one=0.0, pair=0.8, control=0.4)
    more = torch.tensor([[70, 71], [72, 73]])
    mask = torch.cat([given["attention_mask"], torch.ones_like(more)], dim=1)
    second = model(input_ids=more, attention_mask=mask, past_key_values=first.past_key_values, use_cache=True)
    whole = model(input_ids=torch.cat([given["input_ids"], more], dim=1), attention_mask=mask)
    assert torch.allclose(second.logits, whole.logits[:, -2:], atol=1e-5)


class Never(LogitsProcessor):
    """Forbids the tokens that it is given."""

    def __init__(self, tokens: list[int]) -> None:
        self.tokens = tokens
        self.seen: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self.seen.append(scores.clone())
        scores[:, self.tokens] = -torch.inf
        return scores


@torch.no_grad()
def test_processors_see_combined_logits_and_sampling_repeats(model: LogitModel) -> None:
    given = encoded(model, ["hello"])
    (first,) = model(**given).logits[:, -1]
    never = Never([int(first.argmax())])
    found = model.generate(**given, max_new_tokens=1, do_sample=False, logits_processor=LogitsProcessorList([never]))
    assert torch.allclose(never.seen[0][0], first, atol=1e-5)
    assert int(found[0, -1]) == int(first.topk(2).indices[1])
    options = {"do_sample": True, "temperature": 0.9, "top_p": 0.8}
    once, again = ((torch.manual_seed(3), texts(model, **options))[1] for _ in range(2))
    assert once == again


def test_weights_and_logits_act_together(catalog: Catalog) -> None:
    both = Recipe(recipe(catalog, one=0.6).weights, LogitRecipe("logits", {"two": 0.5, "pair": 0.4}))
    model = LogitModel(catalog, both, torch.float32, "cpu")
    (found,) = answer(engine(catalog), catalog, [both], [Generation(prompt, NEW) for prompt in PROMPTS])
    assert texts(model) == [each.text for each in found.answers if isinstance(each, Text)]
    model.set({"one.weights": 0.0})
    assert texts(model) == texts(delivered(catalog, two=0.5, pair=0.4))
    with pytest.raises(ConfigError, match="same weights"):
        model.rows([{"one.weights": 0.1}])


@torch.no_grad()
def test_cast_it_is_what_is_loaded_in_that_dtype_and_back_what_it_was(catalog: Catalog, folder: Path) -> None:
    """With all its models open: experts, a pair, a control layer, and weights of the base's own path."""
    both = Recipe(recipe(catalog, one=0.6).weights, LogitRecipe("logits", {"two": 0.5, "pair": 0.4, "control": 0.3}))
    model = LogitModel(catalog, both, torch.float32, "cpu")
    assert (model.device, model.dtype) == (torch.device("cpu"), torch.float32)
    given = encoded(model)
    before = model(**given).logits
    assert model.to("cpu") is model
    assert len(model._opened) == 6, "nothing is opened anew where nothing changes"
    assert model.to(torch.bfloat16).eval() is model
    assert (model.dtype, model.training) == (torch.bfloat16, False)
    assert torch.equal(model(**given).logits, LogitModel(catalog, both, torch.bfloat16, "cpu")(**given).logits)
    assert {each.dtype for opened in model._opened.values() for each in opened.parameters()} == {torch.bfloat16}
    model.set(two=0.0)
    assert torch.equal(
        model.float()(**given).logits, LogitModel(catalog, model.recipe, torch.float32, "cpu")(**given).logits
    )
    model.set(two=0.5)
    assert torch.equal(model(**given).logits, before)


@torch.no_grad()
def test_where_it_cannot_be_moved_or_cast_it_stays_as_it_is(model: LogitModel, catalog: Catalog) -> None:
    given = encoded(model)
    before = model(**given).logits
    with pytest.raises(ConfigError, match="float64 is not supported; use one of float32, bfloat16, float16"):
        model.double()
    with pytest.raises((AssertionError, RuntimeError)):
        model.to("cuda:99")
    assert torch.equal(model(**given).logits, before)


@torch.no_grad()
def test_a_file_that_is_gone_is_told_when_it_is_needed(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    pair = ExpertSpec("pair", tmp_path / "copy" / "tuned", minus=tmp_path / "copy" / "small")
    model = delivered(open_catalog(tmp_path / "copy" / "base", [pair]), pair=0.6)
    given = encoded(model)
    before = model(**given).logits
    shutil.rmtree(tmp_path / "copy" / "small")
    model.to(torch.bfloat16)  # opens the base alone
    with pytest.raises(ExpertError, match="small"):
        model(**given)
    shutil.copytree(folder / "small", tmp_path / "copy" / "small")
    model.float()
    assert torch.equal(model(**given).logits, before)
    shutil.rmtree(tmp_path / "copy" / "base")
    with pytest.raises(ExpertError, match="base"):
        model.to(torch.bfloat16)
    assert torch.equal(model(**given).logits, before), "it stays as it was"


def test_mistakes_are_one_line(model: LogitModel, tmp_path: Path) -> None:
    for call, words in (
        (lambda: model.set(nosuch=1.0), "'nosuch' has no coefficient here; use some of one, two, full"),
        (lambda: model.set(one=float("nan")), "one: nan is no finite number"),
        (lambda: model.rows([]), "no weighting is given"),
        (lambda: model(inputs_embeds=torch.zeros(1, 1, 32)), "input_ids is missing"),
        (lambda: model.save_pretrained(tmp_path), "keep its recipe"),
    ):
        with pytest.raises(ConfigError, match=words):
            call()
    model.rows([{"one": 0.1}, {"one": 0.2}])
    with pytest.raises(ConfigError, match="2 weightings are set, and the batch has 3 rows"):
        model(torch.ones(3, 2, dtype=torch.long))

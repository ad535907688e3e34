"""Prompts, prefixes and frozen layers are computed once, and the answers are the same."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, MistralConfig, MistralForCausalLM

from support.models import VOCABULARY, load, make_adapter, make_base, make_gpt2, make_tokenizer
from support.runs import answer, engine, recipe
from swarm.core.recipes import Recipe
from swarm.core.requests import Continuation, Generation, Likelihood, Request, Text
from swarm.engines import Encoder
from swarm.engines.encoding import Encoded
from swarm.engines.transformers.memory import LargestBatch, frozen_layers_bytes
from swarm.engines.transformers.packing import BatchLimits, buckets, packings
from swarm.engines.transformers.shared_prefixes import MIN_SAVED, prefix_groups
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog

FEW_SHOT = "question: what is one and one? answer: two. question: what is two and two? answer: four. "
CPU = torch.device("cpu")


def few_shot(n: int) -> list[Request]:
    """Prompts with a common prefix, as many with another, and one alone: three continuations and a text of each."""
    prompts = [f"{FEW_SHOT}question {i}?" for i in range(n)]
    prompts += [f"{FEW_SHOT[::-1]}{i}" for i in range(n)] + ["alone"]
    scored: list[Request] = [Continuation(p, text) for p in prompts for text in (" yes", " no, never", " x")]
    return [*scored, *(Generation(p, 5) for p in prompts)]


@torch.no_grad()
def alone(model: torch.nn.Module, base: Path, request: Request) -> Likelihood | Text:
    """One sequence without padding, as transformers computes it."""
    encoder = Encoder.of(base)
    (item,) = encoder.encode([request]).items
    if isinstance(request, Generation):
        ids = torch.tensor([item.prompt])
        out = model.generate(ids, attention_mask=ids * 0 + 1, do_sample=False, max_new_tokens=5, pad_token_id=0)
        written = out[0, len(item.prompt) :].tolist()
        return Text(encoder.tokenizer.decode(written, skip_special_tokens=True), len(written))
    logits = model(torch.tensor([item.prompt + item.continuation])).logits[0].log_softmax(-1)
    total = sum(float(logits[len(item.prompt) + i - 1, token]) for i, token in enumerate(item.continuation))
    return Likelihood(total, len(item.continuation))


def assert_same(found: tuple[Likelihood | Text, ...], expected: list[Likelihood | Text], atol: float = 1e-3) -> None:
    for one, other in zip(found, expected, strict=True):
        if isinstance(one, Likelihood):
            assert isinstance(other, Likelihood)
            assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=atol)
            assert one.n_tokens == other.n_tokens
        else:
            assert one == other


@pytest.mark.parametrize("batch_tokens", [150, 100_000])
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_shared_prompts_and_prefixes_give_the_answers_of_single_sequences(
    tmp_path: Path, kind: str, batch_tokens: int
) -> None:
    base = make_base(tmp_path / "base", layers=3) if kind == "llama" else make_gpt2(tmp_path / "base", positions=256)
    catalog = open_catalog(base, [])
    requests = few_shot(6)
    (found,) = answer(engine(catalog, batch_tokens=batch_tokens), catalog, [recipe(catalog)], requests)
    model = load(base).eval()
    assert_same(found.answers, [alone(model, base, request) for request in requests])


def test_what_is_shared_is_not_computed_twice(catalog: Catalog) -> None:
    requests = few_shot(6)
    (found,) = answer(engine(catalog), catalog, [recipe(catalog)], requests)
    items = Encoder.of(catalog.base.path).encode(requests).items
    apart = sum(len(item.prompt) + max(0, len(item.continuation) - 1) for item in items)
    assert found.tokens < 0.3 * apart


def test_a_shared_prefix_has_to_save_more_than_it_costs() -> None:
    long = tuple(range(MIN_SAVED))
    pays, rest = prefix_groups([(*long, 1), (*long, 2), (7, 8), (9, *long)])
    assert (pays.prefix, pays.members) == (long, (0, 1))
    assert (rest.prefix, rest.members) == ((), (2, 3))
    short = [(*long[:20], 1), (*long[:20], 2)]
    assert prefix_groups(short) == prefix_groups(short, share=False)


def test_a_sequence_that_is_the_whole_prefix_keeps_a_token() -> None:
    long = tuple(range(300))
    (group,) = prefix_groups([long, long, (*long, 5)])
    assert len(group.prefix) == 299


def test_of_nested_prefixes_those_that_save_most_are_shared() -> None:
    """A system prompt, then one of two sets of shots: two groups, with the system prompt in both."""
    system, shots = tuple(range(20)), [tuple(range(100 * k, 100 * k + 90)) for k in (1, 2)]
    asked = [(*system, *shots[i % 2], 900 + i) for i in range(20)]
    found = prefix_groups(asked)
    assert [group.prefix for group in found] == [(*system, *each) for each in shots]
    assert sorted(i for group in found for i in group.members) == list(range(20))
    short = [(*range(400), 500 + i % 2, *range(600, 605), 900 + i) for i in range(20)]
    (one,) = prefix_groups(short)
    assert one.prefix == tuple(range(400)), "six tokens more do not pay for 400 twice"


def test_sequences_without_a_common_prefix_stay_together() -> None:
    asked = [tuple(range(100 * i, 100 * i + 50)) for i in range(1, 10)] + [tuple(range(300)), tuple(range(300))]
    shared, rest = prefix_groups(asked)
    assert shared.members == (9, 10)
    assert (rest.prefix, rest.members) == ((), tuple(range(9)))


def test_a_prefix_is_computed_once_for_all_rungs_of_a_candidate(catalog: Catalog) -> None:
    held, fresh = engine(catalog), engine(catalog)
    encoder = Encoder.of(catalog.base.path)
    rungs = [encoder.encode([r for r in few_shot(6) if str(r.prompt).startswith(FEW_SHOT)][k::2]) for k in (0, 1)]
    recipes = [recipe(catalog, one=x) for x in (0.5, -0.5)]
    for each in recipes:
        (first,), (second,), (again,) = (held.answer([each], rung) for rung in (*rungs, rungs[0]))
        (alone_first,) = fresh.answer([each], rungs[0])
        fresh.answer([recipe(catalog)], rungs[1])
        (alone_second,) = fresh.answer([each], rungs[1])
        assert (first.answers, second.answers) == (alone_first.answers, alone_second.answers)
        assert alone_second.tokens - second.tokens == first.tokens - again.tokens == len(FEW_SHOT) + len("question ")


def test_a_long_row_does_not_widen_many_short_ones() -> None:
    lengths = [100] * 3 + [50] * 40 + [46] * 4
    assert [len(batch) for batch in buckets(lengths, 8000, 250)] == [3, 44], "half as long; then a tenth shorter"
    assert [len(batch) for batch in buckets(lengths, 8000)] == [47]
    assert [len(batch) for batch in buckets(lengths, 8000, 1000)] == [10, 37], "small batches are filled up first"


def test_single_tokens_need_one_position() -> None:
    asked = [Encoded(Continuation("", ""), (1, 2, 3), (token,)) for token in (4, 5, 6, 7)]
    (packing,) = packings(asked, BatchLimits(100, 100), CPU)
    assert packing.ids_BT.tolist() == [[1, 2, 3]]
    assert packing.picks_M.tolist() == [2, 2, 2, 2]


def test_batches_keep_to_the_limit_of_logits() -> None:
    asked = [Encoded(Continuation("", ""), (i, 2, 3), (4, 5, 6)) for i in range(10)]
    found = packings(asked, BatchLimits(1000, 7), CPU)
    assert [len(packing.targets_M) for packing in found] == [6] * 5


@pytest.mark.parametrize("window", [8, 64])
def test_rows_longer_than_a_sliding_window_are_not_shared(tmp_path: Path, window: int) -> None:
    """In a packed row the window would cover other columns than in a separate sequence."""
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, sliding_window=window, max_position_embeddings=256, initializer_range=0.5,
    )  # fmt: skip
    MistralForCausalLM(config).save_pretrained(tmp_path / "base")
    make_tokenizer().save_pretrained(tmp_path / "base")
    catalog = open_catalog(tmp_path / "base", [])
    requests = [*few_shot(3), *(Continuation(f"short {i}", text) for i in range(3) for text in (" a", " bcd"))]
    (found,) = answer(engine(catalog), catalog, [recipe(catalog)], requests)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "base").eval()
    assert_same(found.answers, [alone(model, tmp_path / "base", request) for request in requests])


@pytest.fixture(scope="module")
def upper(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Two experts that change the upper two of four layers."""
    folder = tmp_path_factory.mktemp("upper")
    base = make_base(folder / "base", layers=4)
    for seed, name in enumerate(("one", "two")):
        make_adapter(folder / name, base, seed, scale=0.2, layers_to_transform=[2, 3])
    return open_catalog(base, [ExpertSpec(name, folder / name) for name in ("one", "two")])


def mixes(catalog: Catalog) -> list[Recipe]:
    return [recipe(catalog, one=0.3 * i, two=1.0 - 0.4 * i) for i in range(4)]


def test_frozen_layers_run_once(upper: Catalog) -> None:
    held = engine(upper)
    requests = Encoder.of(upper.base.path).encode([Continuation(f"say {i}", f" {i}{i}") for i in range(8)])
    runs: list[int] = []
    layers = held._model.model.layers
    for i in range(4):
        layers[i].self_attn.register_forward_hook(lambda *_, i=i: runs.append(i))
    found = [held.answer([each], requests)[0].answers for each in mixes(upper)]
    assert [runs.count(i) for i in range(4)] == [1, 1, 4, 4]
    fresh = [engine(upper).answer([each], requests)[0].answers for each in mixes(upper)]
    assert found == fresh
    assert len(set(found)) == 4


def test_the_memory_of_frozen_layers_that_are_kept_is_predicted(upper: Catalog, catalog: Catalog) -> None:
    held = engine(upper, method="merged")
    items = Encoder.of(upper.base.path).encode(few_shot(3))
    held.answer([recipe(upper)], items)
    kept = sum(tensor.nbytes for tensor in held._forward._frozen_layers._outputs.values())
    assert kept == frozen_layers_bytes(upper, 4, LargestBatch.of(items.items, 8192, VOCABULARY).plain) > 0
    assert frozen_layers_bytes(catalog, 4, 1000) == 0, "an expert changes the first layer"


def test_the_number_of_a_layer_is_not_that_of_an_expert_in_it(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mixture-of-experts layers have both in their names."""
    for parameter, kept in (("model.layers.1.mlp.experts.0.up.weight", True), ("model.layers.0.experts.3.w", False)):
        monkeypatch.setattr(Catalog, "parameters", lambda self, name=parameter: [name])
        assert (frozen_layers_bytes(catalog, 4, 1000) > 0) is kept


@pytest.mark.parametrize("method", ["merged", "stacked"])
def test_frozen_layers_run_again_for_other_requests(upper: Catalog, method: str) -> None:
    held, encoder = engine(upper, method=method), Encoder.of(upper.base.path)
    one, other = (encoder.encode(few_shot(n)) for n in (3, 6))
    for _ in range(2):
        for requests in (one, other):
            fresh = engine(upper, method="merged")
            expected = [fresh.answer([each], requests)[0].answers for each in mixes(upper)]
            for found, wanted in zip(held.answer(mixes(upper), requests), expected, strict=True):
                assert_same(found.answers, list(wanted))

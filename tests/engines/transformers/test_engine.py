"""The transformers engine answers as the models themselves do, in any batch."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from support.models import SPECIAL, load, make_base
from support.runs import answer, engine, opened, recipe, reply, words
from swarm.core.errors import DataError
from swarm.core.examples import Message
from swarm.core.requests import Continuation, Generation, Likelihood, Reply, Request, Text
from swarm.engines.transformers.engine import TransformersEngine
from swarm.experts.catalog import Catalog, open_catalog

BOS = 257
PROMPTS = ["a", "hello there", "one two three four five six seven eight", "xyz" * 12, ""]
MIX = {"one": 0.7, "two": -0.4, "full": 0.5}


@pytest.fixture(scope="module")
def base(folder: Path) -> torch.nn.Module:
    return load(folder / "base").eval()


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(folder / "base")


def texts(found: Reply) -> list[str]:
    return [answer.text for answer in found.answers if isinstance(answer, Text)]


@torch.no_grad()
def naive(model: torch.nn.Module, prompt: list[int], continuation: list[int]) -> float:
    """One unpadded sequence, all logits, log_softmax."""
    log_probabilities = model(torch.tensor([prompt + continuation])).logits[0].log_softmax(-1)
    return sum(float(log_probabilities[len(prompt) + i - 1, token]) for i, token in enumerate(continuation))


def bytes_of(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False))


@pytest.fixture(scope="module")
def continuations() -> list[Continuation]:
    return [Continuation(prompt, text) for prompt in PROMPTS[:4] for text in (" yes", "n", "a longer one, with more")]


@pytest.mark.parametrize("batch_tokens", [1, 40, 100_000])
def test_log_likelihoods_equal_naive_ones_in_any_batch(
    catalog: Catalog,
    base: torch.nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    continuations: list[Continuation],
    batch_tokens: int,
) -> None:
    found = reply(engine(catalog, batch_tokens=batch_tokens), catalog, *continuations).answers
    for request, likelihood in zip(continuations, found, strict=True):
        prompt, text = bytes_of(tokenizer, str(request.prompt)), bytes_of(tokenizer, request.text)
        assert likelihood == Likelihood(pytest.approx(naive(base, prompt, text), abs=1e-4), len(text))


def test_whether_greedy_generation_would_write_a_text(
    shared: TransformersEngine, catalog: Catalog, base: torch.nn.Module, tokenizer: PreTrainedTokenizerBase
) -> None:
    """By the model's own logits, for texts of which some are what it would write, and only where that is asked."""
    prompts = ["a", "hello ", "the sky is"]
    found = []
    for prompt in prompts:
        ids = bytes_of(tokenizer, prompt)
        likeliest = [int(base(torch.tensor([ids])).logits[0, -1].argmax())]
        found += [(prompt, tokenizer.decode(likeliest), True), (prompt, "zq", None)]
    asked = [Continuation(prompt, text, greedy=True) for prompt, text, _ in found if text]
    answers = reply(shared, catalog, *asked, Continuation("a", "zq")).answers
    for one, answer_ in zip(asked, answers, strict=False):
        ids, text = bytes_of(tokenizer, str(one.prompt)), bytes_of(tokenizer, one.text)
        logits = base(torch.tensor([ids + text])).logits[0, len(ids) - 1 : -1]
        assert isinstance(answer_, Likelihood)
        assert answer_.greedy == (logits.argmax(-1).tolist() == text)
    assert {each.greedy for each in answers[:-1] if isinstance(each, Likelihood)} == {True, False}
    assert answers[-1] == Likelihood(pytest.approx(answers[1].log_likelihood), 2)  # type: ignore[union-attr]


def test_an_answer_does_not_depend_on_the_other_requests(
    shared: TransformersEngine, catalog: Catalog, continuations: list[Continuation]
) -> None:
    together = reply(shared, catalog, *continuations, **MIX).answers
    alone = [reply(shared, catalog, request, **MIX).answers[0] for request in continuations]
    assert [a.log_likelihood for a in together] == pytest.approx([a.log_likelihood for a in alone], abs=1e-4)


@pytest.mark.parametrize(
    ("prompt", "text", "before", "after"),
    [
        ("say", " it", "say", " it"),
        ("say ", "it", "say", " it"),  # the space belongs to the word, as in most vocabularies
        ("say  ", " it", "say", "   it"),
        ("say\n", "it", "say", "\nit"),
        ("", "it is", None, "it is"),
        (" ", "it is", None, " it is"),
    ],
)
def test_where_the_continuation_starts(
    shared: TransformersEngine,
    catalog: Catalog,
    base: torch.nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    text: str,
    before: str | None,
    after: str,
) -> None:
    given = [BOS] if before is None else bytes_of(tokenizer, before)
    (found,) = reply(shared, catalog, Continuation(prompt, text)).answers
    expected = naive(base, given, bytes_of(tokenizer, after))
    assert found == Likelihood(pytest.approx(expected, abs=1e-4), len(after))


def test_an_empty_prompt_starts_from_bos(
    shared: TransformersEngine, catalog: Catalog, base: torch.nn.Module, tokenizer: PreTrainedTokenizerBase
) -> None:
    (found,) = reply(shared, catalog, Generation("", 8)).answers
    expected = base.generate(torch.tensor([[BOS]]), do_sample=False, max_new_tokens=8)[0, 1:]
    assert found == Text(tokenizer.decode(expected, skip_special_tokens=True), len(expected))


def test_a_tokenizer_that_adds_bos_adds_it_once(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """Prompt and continuation share the special tokens that the tokenizer puts in front."""
    path = make_base(tmp_path / "base")
    adding = Tokenizer.from_file(str(path / "tokenizer.json"))
    adding.post_processor = TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", BOS)])
    adding.save(str(path / "tokenizer.json"))
    catalog = open_catalog(path, [])
    found = reply(engine(catalog), catalog, Continuation("ab", " cd"), Continuation("", "cd"))
    prompts = [[BOS, *bytes_of(tokenizer, "ab")], [BOS]]
    for likelihood, prompt, text in zip(found.answers, prompts, (" cd", "cd"), strict=True):
        expected = naive(load(path), prompt, bytes_of(tokenizer, text))
        assert likelihood == Likelihood(pytest.approx(expected, abs=1e-4), len(text))
    assert found.tokens == 5 + 2


def test_chat_prompts_are_what_the_template_renders(
    shared: TransformersEngine, catalog: Catalog, base: torch.nn.Module, tokenizer: PreTrainedTokenizerBase
) -> None:
    chat = (Message("system", "be short"), Message("user", "hello "))
    turns = [{"role": message.role, "content": message.content} for message in chat]
    prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=True, return_dict=False)
    assert prompt[0] == 256 + SPECIAL.index("<|system|>")
    written, scored = reply(shared, catalog, Generation(chat, 6), Continuation(chat, "hi")).answers
    expected = base.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=6)[0, len(prompt) :]
    assert written.text == tokenizer.decode(expected, skip_special_tokens=True)
    assert scored.log_likelihood == pytest.approx(naive(base, list(prompt), bytes_of(tokenizer, "hi")), abs=1e-4)


def greedy(model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase, prompt: str, tokens: int) -> Text:
    ids = torch.tensor([bytes_of(tokenizer, prompt) or [BOS]])
    new = model.generate(ids, do_sample=False, max_new_tokens=tokens)[0, ids.shape[1] :]
    return Text(tokenizer.decode(new, skip_special_tokens=True), len(new))


@pytest.mark.parametrize("batch_tokens", [1, 60, 100_000])
def test_greedy_generation_is_transformers_own(
    folder: Path, catalog: Catalog, tokenizer: PreTrainedTokenizerBase, batch_tokens: int
) -> None:
    """With an expert that ends some texts itself; one batch has rows of different lengths and limits."""
    prompts = [*PROMPTS, *words(6)]
    requests = [Generation(prompt, 5 + 3 * i) for i, prompt in enumerate(prompts)]
    found = reply(engine(catalog, batch_tokens=batch_tokens), catalog, *requests, full=1.0).answers
    model = load(folder / "full").eval()
    expected = [greedy(model, tokenizer, str(r.prompt), r.max_new_tokens) for r in requests]
    assert list(found) == expected


def test_an_end_token_ends_a_text_and_counts(tmp_path: Path) -> None:
    make_one_that_ends(tmp_path)
    catalog = opened(tmp_path, "ends")
    found = reply(engine(catalog), catalog, Generation("abc", 9), Generation("a", 4), ends=1.0)
    assert found.answers == (Text("", 1), Text("", 1))
    assert found.tokens == 3 + 1 + 1 + 1


def make_one_that_ends(folder: Path) -> None:
    """A full fine-tune whose every next token is <eos>."""
    base = make_base(folder / "base")
    model = load(base)
    with torch.no_grad():
        model.model.norm.weight.copy_(torch.ones_like(model.model.norm.weight))
        model.lm_head.weight.zero_()
        model.model.embed_tokens.weight.copy_(model.model.embed_tokens.weight.abs() + 10)
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        model.lm_head.weight[258] = 1.0
    model.save_pretrained(folder / "ends")


def test_stop_texts_cut_the_text(shared: TransformersEngine, catalog: Catalog) -> None:
    (whole,) = texts(reply(shared, catalog, Generation("hello there", 30), **MIX))
    late, early = whole[9:11], whole[4:6]
    request = Generation("hello there", 30, stop=(late, early))
    (cut,) = reply(shared, catalog, request, **MIX).answers
    assert isinstance(cut, Text)
    assert cut.text == whole[: min(whole.find(late), whole.find(early))]
    assert cut.n_tokens < 30


def sampled(seed: int, prompt: str = "hello", tokens: int = 12, **settings: float) -> Generation:
    return Generation(prompt, tokens, temperature=settings.pop("temperature", 1.0), seed=seed, **settings)  # type: ignore[arg-type]


def test_sampling_depends_on_the_requests_own_seed_alone(shared: TransformersEngine, catalog: Catalog) -> None:
    requests = [sampled(seed, prompt) for prompt in PROMPTS for seed in range(3)]
    together = texts(reply(shared, catalog, *requests, **MIX))
    assert together == [texts(reply(shared, catalog, request, **MIX))[0] for request in requests]
    assert all(len(set(together[i : i + 3])) == 3 for i in range(0, len(together), 3))


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_samples_have_the_models_distribution_at_a_temperature(
    shared: TransformersEngine,
    catalog: Catalog,
    base: torch.nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    temperature: float,
) -> None:
    """The share of each likely text of one token, over 2000 seeds, is its probability to 4 standard errors."""
    with torch.no_grad():
        probability_V = (base(torch.tensor([bytes_of(tokenizer, "hello")])).logits[0, -1] / temperature).softmax(-1)
    expected: Counter[str] = Counter()
    for token, p in enumerate(probability_V.tolist()):  # bytes that are not text decode to the same character
        expected[tokenizer.decode([token], skip_special_tokens=True)] += p
    n = 2000
    found = Counter(texts(reply(shared, catalog, *[sampled(i, tokens=1, temperature=temperature) for i in range(n)])))
    for text, p in expected.most_common(5):
        assert found[text] / n == pytest.approx(p, abs=4 * (p * (1 - p) / n) ** 0.5), text


def test_the_smallest_nucleus_is_the_most_likely_token(shared: TransformersEngine, catalog: Catalog) -> None:
    greedy_text = texts(reply(shared, catalog, Generation("hello", 12)))
    narrow = texts(reply(shared, catalog, *[sampled(seed, top_p=1e-9) for seed in range(4)]))
    assert narrow == greedy_text * 4
    assert len(set(texts(reply(shared, catalog, *[sampled(seed, top_p=0.99) for seed in range(4)])))) == 4


def test_answers_come_in_the_order_of_mixed_requests(shared: TransformersEngine, catalog: Catalog) -> None:
    requests: list[Request] = []
    for i, prompt in enumerate(PROMPTS):
        requests += [Generation(prompt, 4 + i), Continuation(prompt, "y" * (i + 1))]
    found = reply(shared, catalog, *requests, **MIX)
    assert [type(answer) for answer in found.answers] == [Text, Likelihood] * len(PROMPTS)
    assert [answer.n_tokens for answer in found.answers[1::2]] == [1, 2, 3, 4, 5]
    alone = [reply(shared, catalog, request, **MIX).answers[0] for request in requests[::2]]
    assert list(found.answers[::2]) == alone


def test_tokens_are_counted_exactly(shared: TransformersEngine, catalog: Catalog) -> None:
    found = reply(shared, catalog, Continuation("four", " five"), Generation("sixsix", 7), Continuation("", "ab"))
    written = found.answers[1].n_tokens
    assert written <= 7
    assert found.tokens == (4 + 5 - 1) + (6 + written) + (1 + 2 - 1)  # a continuation's last token is not fed
    assert found.compose_seconds >= 0
    assert found.forward_seconds > 0


@pytest.mark.parametrize("request_", [Continuation("a" * 250, "b" * 7), Generation("a" * 250, 7)], ids=str)
def test_a_request_longer_than_the_context_is_refused(
    shared: TransformersEngine, catalog: Catalog, request_: Request
) -> None:
    with pytest.raises(DataError, match="257 tokens, but the model takes 256"):
        reply(shared, catalog, request_)


def test_several_recipes_at_once_are_answered_as_one_by_one(shared: TransformersEngine, catalog: Catalog) -> None:
    recipes = [recipe(catalog, **MIX), recipe(catalog), recipe(catalog, three=1.0), recipe(catalog, **MIX)]
    requests = [Continuation("a", "bc"), Generation("hello", 6)]
    together = answer(shared, catalog, recipes, requests)
    alone = [answer(shared, catalog, [each], requests)[0] for each in recipes]
    assert [r.answers for r in together] == [r.answers for r in alone]
    assert together[0].answers == together[3].answers != together[1].answers

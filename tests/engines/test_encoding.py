"""Prompts and continuations are cut where lm-eval cuts them, whatever special tokens the tokenizer adds."""

from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from support.models import load
from support.runs import answer, engine, recipe
from support.tokenizers import BOS, CHAT_TEMPLATE, EOS, KINDS, adding, byte_level, make_kind
from swarm.core.examples import Message, Prompt
from swarm.core.requests import Continuation, Generation, Likelihood, Text
from swarm.engines.encoding import Encoded, Encoder
from swarm.experts.catalog import open_catalog

PAIRS = [
    ("Answer:", " Paris", "Answer:", " Paris"),
    ("Answer: ", "Paris", "Answer:", " Paris"),
    ("two\n\n", "four", "two", "\n\nfour"),
    ("def f(x):\n    ", "return x", "def f(x):", "\n    return x"),
    ("  if x > 10:\n\t", "two", "  if x > 10:", "\n\ttwo"),
    ("首都是\u3000", "巴黎", "首都是", "\u3000巴黎"),
    ("là ", " élan", "là", "  élan"),
]


@pytest.fixture(scope="module", params=KINDS)
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_kind(tmp_path_factory.mktemp("kinds") / request.param, KINDS[request.param]())


def encoded(base: Path, prompt: Prompt, text: str) -> Encoded:
    return Encoder.of(base).encode([Continuation(prompt, text)]).items[0]


def log_likelihoods(base: Path, *pairs: tuple[Prompt, str]) -> list[float]:
    catalog = open_catalog(base, [])
    (found,) = answer(engine(catalog), catalog, [recipe(catalog)], [Continuation(*pair) for pair in pairs])
    return [each.log_likelihood for each in found.answers if isinstance(each, Likelihood)]


@torch.no_grad()
def transformers_own(base: Path, prompt: list[int], continuation: list[int]) -> float:
    logs = load(base).eval()(torch.tensor([prompt + continuation])).logits[0].log_softmax(-1)
    return sum(float(logs[len(prompt) + i - 1, token]) for i, token in enumerate(continuation))


@pytest.mark.parametrize(("prompt", "text", "before", "after"), PAIRS)
def test_whitespace_at_the_end_of_a_prompt_belongs_to_the_continuation(
    base: Path, prompt: str, text: str, before: str, after: str
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    found = encoded(base, prompt, text)
    own = list(tokenizer.encode(before, add_special_tokens=False))
    whole = list(tokenizer.encode(before + after, add_special_tokens=False))
    start = [BOS] if base.name in ("prepends-bos", "appends-eos") else []
    assert found.prompt == (*start, *own)
    assert found.continuation == tuple(whole[len(own) :])
    expected = transformers_own(base, [*start, *own], whole[len(own) :])
    assert log_likelihoods(base, (prompt, text)) == [pytest.approx(expected, abs=1e-4)]


@pytest.mark.parametrize(("prompt", "text", "before", "after"), PAIRS)
def test_no_character_is_lost_or_fed_twice(tmp_path: Path, prompt: str, text: str, before: str, after: str) -> None:
    base = make_kind(tmp_path / "base", byte_level())
    tokenizer = AutoTokenizer.from_pretrained(base)
    found = encoded(base, prompt, text)
    assert tokenizer.decode(found.prompt) == before
    assert tokenizer.decode(found.continuation) == after


def test_every_log_likelihood_is_lm_evals(base: Path) -> None:
    models = pytest.importorskip("lm_eval.models.huggingface", reason="needs lm-eval")
    from lm_eval.api.instance import Instance

    if base.name == "appends-eos":
        pytest.skip("lm-eval scores the end token there: docs/lm-eval.md")
    held = models.HFLM(pretrained=load(base).eval(), tokenizer=AutoTokenizer.from_pretrained(base), batch_size=4)
    pairs = [(prompt, text) for prompt, text, _, _ in PAIRS]
    instances = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)]
    expected = [value for value, _ in held.loglikelihood(instances, disable_tqdm=True)]
    assert log_likelihoods(base, *pairs) == pytest.approx(expected, abs=1e-4)


def test_an_end_token_that_the_tokenizer_appends_is_neither_fed_nor_scored(tmp_path: Path) -> None:
    base = make_kind(tmp_path / "base", adding("<bos> $A <eos>"))
    plain = make_kind(tmp_path / "plain", adding("<bos> $A"))
    found = encoded(base, "ab=", "ba")
    assert EOS not in (*found.prompt, *found.continuation)
    expected = transformers_own(base, list(found.prompt), list(found.continuation))
    assert log_likelihoods(base, ("ab=", "ba")) == log_likelihoods(plain, ("ab=", "ba")) == [pytest.approx(expected)]


def test_a_text_is_generated_behind_the_prompt(tmp_path: Path) -> None:
    base = make_kind(tmp_path / "base", adding("<bos> $A <eos>"))
    tokenizer = AutoTokenizer.from_pretrained(base)
    prompt = [BOS, *tokenizer.encode("two and ", add_special_tokens=False)]
    written = load(base).generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=5)[0, len(prompt) :]
    catalog = open_catalog(base, [])
    (found,) = answer(engine(catalog), catalog, [recipe(catalog)], [Generation("two and ", 5)])
    assert found.answers == (Text(tokenizer.decode(written, skip_special_tokens=True), len(written)),)


@pytest.mark.parametrize("kind", ["prepends-bos", "appends-eos", "gpt2"])
def test_a_start_token_is_not_added_to_a_prompt_that_has_it(tmp_path: Path, kind: str) -> None:
    base = make_kind(tmp_path / "base", KINDS[kind]())
    own = AutoTokenizer.from_pretrained(base).encode("ab", add_special_tokens=False)
    assert encoded(base, "<bos>ab", "c").prompt == (BOS, *own)
    assert CHAT_TEMPLATE.startswith("<bos>")
    assert encoded(base, (Message("user", "ab"),), "c").prompt.count(BOS) == 1

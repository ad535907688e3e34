"""By how much a generated text leads over, or falls short of, the right answers, and where texts end."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from support.models import load
from support.runs import answer, engine, recipe
from swarm.core.examples import Example
from swarm.core.requests import Generation, Text
from swarm.engines import Encoder
from swarm.engines.transformers.engine import TransformersEngine
from swarm.engines.transformers.margins import AnswerMargins, target_tries
from swarm.engines.transformers.stopping import Stopping
from swarm.experts.catalog import Catalog
from swarm.objectives.exact_match import ExactMatch

END = 258
PROMPTS = ["a", "hello there", "one two three four five six seven eight", "xyz" * 12]
FREE = Example("1", "2+2=", "4")


@pytest.fixture(scope="module")
def held(catalog: Catalog) -> TransformersEngine:
    return engine(catalog)


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(folder / "base")


@pytest.fixture(scope="module")
def base(folder: Path) -> torch.nn.Module:
    return load(folder / "base").eval()


def written(held: TransformersEngine, catalog: Catalog, *requests: Generation, particles: int = 1) -> list[Text]:
    replies = answer(held, catalog, [recipe(catalog)] * particles, requests)
    assert all(reply.answers == replies[0].answers for reply in replies)
    return [found for found in replies[0].answers if isinstance(found, Text)]


@torch.no_grad()
def naive(model: torch.nn.Module, prompt: Sequence[int], target: Sequence[int]) -> float:
    """One pass per token: the smallest lead of the target's tokens, up to where the text leaves it."""
    least = float("inf")
    for i, token in enumerate(target):
        logits_V = model(torch.tensor([[*prompt, *target[:i]]])).logits[0, -1]
        others_V = logits_V.clone()
        others_V[token] = -torch.inf
        least = min(least, float(logits_V[token] - others_V.max()))
        if least < 0:
            break
    return least


def test_the_margin_is_the_smallest_lead_of_the_targets_tokens(
    held: TransformersEngine, catalog: Catalog, base: torch.nn.Module, tokenizer: PreTrainedTokenizerBase
) -> None:
    """For targets that are generated to the end, left on the way, or never begun."""
    prompts = [f"{word}{i}" for word in PROMPTS for i in range(20)]
    texts = [found.text for found in written(held, catalog, *(Generation(prompt, 3) for prompt in prompts))]
    asked = [(prompt, text) for prompt, text in zip(prompts, texts, strict=True) if text.isascii() and len(text) == 3]
    assert len(asked) > 3, "the bytes of other texts are not characters"
    for cut, tail in ((3, ""), (2, "!"), (0, "no")):
        targets = [text[:cut] + tail for _, text in asked]
        requests = [Generation(each[0], 3, targets=(target,)) for each, target in zip(asked, targets, strict=True)]
        found = written(held, catalog, *requests, particles=3)
        for (prompt, text), target, one in zip(asked, targets, found, strict=True):
            ids = [list(tokenizer.encode(part, add_special_tokens=False)) for part in (prompt, target)]
            assert one.text == text, "margins do not change the text"
            assert one.margin == pytest.approx(naive(base, ids[0], ids[1]), abs=1e-4)
            assert one.margin is not None
            assert (one.margin > 0) == (target == text)


def test_without_targets_there_is_no_margin(held: TransformersEngine, catalog: Catalog) -> None:
    found = written(held, catalog, Generation("a", 3), Generation("b", 3, targets=("x", "yz")), Generation("c", 3))
    assert [one.margin is None for one in found] == [True, False, True]


def logits(*rows: Sequence[float]) -> torch.Tensor:
    return torch.tensor([list(row) for row in rows])


class Recorded:
    """The margins of rows whose tokens are chosen greedily."""

    def __init__(self, *targets: Sequence[tuple[int, ...]], end_ids: frozenset[int] = frozenset()) -> None:
        self._margins = AnswerMargins(target_tries(targets, end_ids), 1, torch.device("cpu"))

    def step(self, logits_AV: torch.Tensor, ended: Sequence[int] = (), cut: Sequence[int] = ()) -> None:
        self._margins.record(logits_AV, logits_AV.argmax(1).tolist(), ended, cut)

    @property
    def margins(self) -> list[float | None]:
        return self._margins.margins()


@pytest.mark.parametrize("order", [((0, 1), (2, 1)), ((2, 1), (0, 1))])
def test_of_several_targets_the_one_continued_longest_counts(order: tuple[tuple[int, ...], ...]) -> None:
    recorded = Recorded(order)
    recorded.step(logits([5.0, 1.0, 4.5]))  # the second is left by half a point
    recorded.step(logits([3.0, 1.0, 0.0]))
    assert recorded.margins == [-2.0]


def test_a_token_of_another_target_does_not_count_against_a_text() -> None:
    recorded = Recorded([(0, 1), (2, 1)])
    recorded.step(logits([5.0, 1.0, 4.5]))
    recorded.step(logits([0.0, 9.0, 0.0]))
    assert recorded.margins == [4.0], "5 against 1: 4.5 would have continued the second"


@pytest.mark.parametrize(("chosen", "margin"), [(3, 1.0), (4, 1.0), (1, 1.0), (2, -1.0)])
def test_where_a_target_is_a_prefix_of_another_both_continuations_are_right(chosen: int, margin: float) -> None:
    """0 and 0 1, each ended by 3 or by the end token 4."""
    recorded = Recorded([(0, 3), (0, 1, 3)], end_ids=frozenset({4}))
    recorded.step(logits([2.0, 1.0, 0.0, 0.0, 0.0]))
    recorded.step(torch.nn.functional.one_hot(torch.tensor([chosen]), 5).float(), ended=[0] if chosen > 2 else [])
    if chosen == 1:
        recorded.step(logits([0.0, 0.0, 0.0, 9.0, 0.0]), ended=[0])
    assert recorded.margins == [margin]


def test_rows_have_their_own_targets() -> None:
    recorded = Recorded([(0, 1), (0, 2)], [], [(2, 1)])
    recorded.step(logits([3.0, 0.0, 1.0], [3.0, 0.0, 1.0], [3.0, 0.0, 1.0]))
    recorded.step(logits([0.0, 5.0, 7.0], [0.0, 5.0, 7.0], [0.0, 5.0, 7.0]))
    assert recorded.margins == [2.0, None, -2.0]


def test_a_text_that_its_limit_cut_after_its_target_has_left_it() -> None:
    recorded = Recorded([(0, 3)], [(0, 3)])
    recorded.step(logits([5.0, 0.0, 0.0, 0.0], [5.0, 0.0, 0.0, 0.0]))
    recorded.step(logits([0.0, 0.0, 2.0, 1.5], [0.0, 0.0, 2.0, 1.5]), ended=[0], cut=[1])
    assert recorded.margins == [5.0, -0.5], "the first held another stop text"


@pytest.mark.parametrize("targets", [(), ((),)])
def test_where_no_target_has_tokens_there_is_no_margin(targets: Sequence[tuple[int, ...]]) -> None:
    recorded = Recorded(targets)
    recorded.step(logits([2.0, 1.0]))
    assert recorded.margins == [None]


def test_an_empty_target_has_the_margin_of_what_ends_it() -> None:
    recorded = Recorded([(3,)], [(3,)])
    recorded.step(logits([0.0, 1.0, 0.0, 2.0], [0.0, 3.0, 0.0, 2.0]), ended=[0])
    assert recorded.margins == [1.0, -1.0]


@pytest.mark.parametrize("ending", [3, 4, 2])
def test_what_ended_the_text_after_its_target_does_not_matter(ending: int) -> None:
    """The target's own stop, an end token, or another token that held a stop text."""
    recorded = Recorded([(0, 3)], end_ids=frozenset({4}))
    recorded.step(logits([2.0, 1.0, 0.0, 0.0, 0.0]))
    recorded.step(torch.nn.functional.one_hot(torch.tensor([ending]), 5).float(), ended=[0])
    assert recorded.margins == [1.0]


def test_a_text_that_goes_on_after_its_target_leaves_it() -> None:
    recorded = Recorded([(0, 3)], end_ids=frozenset({4}))
    recorded.step(logits([2.0, 1.0, 0.0, 0.0, 0.0]))
    recorded.step(logits([0.0, 6.0, 0.0, 4.0, 5.0]))
    assert recorded.margins == [-1.0], "the best of what would have ended it was an end token"


def test_a_tie_won_by_the_target_continues_it() -> None:
    recorded = Recorded([(0, 1)], [(1, 1)])
    recorded.step(logits([2.0, 2.0], [2.0, 2.0]))
    recorded.step(logits([5.0, 0.0], [5.0, 0.0]))
    assert recorded.margins == [-5.0, 0.0], "the first of equals is chosen"


def test_rows_that_have_ended_are_no_longer_recorded() -> None:
    recorded = Recorded([(0, 0, 0)], [(0, 0, 0)])
    recorded.step(logits([3.0, 1.0], [3.0, 0.0]), ended=[0])
    recorded.step(logits([1.0, 0.0]))
    recorded.step(logits([0.0, 9.0]))
    assert recorded.margins == [2.0, -9.0]


def test_margins_of_half_precision_are_those_of_its_logits() -> None:
    recorded = Recorded([(0, 1)])
    recorded.step(logits([5.0, 1.0, 4.5]).bfloat16())
    assert recorded.margins == [0.5]


# What exact_match makes of margins


@pytest.mark.parametrize(("margin", "text", "score"), [(2.0, "4", 1.0), (-2.0, "4", 1.0), (2.0, "5", 0.0)])
def test_the_score_decides_the_sign_of_the_margin(margin: float, text: str, score: float) -> None:
    """A right answer may be worded differently from its target."""
    found = ExactMatch(name="x").score(FREE, [Text(text, 1, margin)])
    assert found.score == score
    assert found.margin == (2.0 if score else -2.0)
    assert found.surrogate == pytest.approx(-0.126928 if score else -2.126928)


def test_without_a_margin_there_is_no_surrogate_score() -> None:
    found = ExactMatch(name="x").score(FREE, [Text("4", 1)])
    assert (found.margin, found.surrogate) == (None, None)


@pytest.mark.parametrize(
    ("settings", "targets"),
    [
        ({}, ("4", " 4")),
        ({"extract": "first_line"}, ("4", " 4")),
        ({"extract": "last_number"}, ()),
        ({"extract": {"pattern": "(.)"}}, ()),
        ({"temperature": 0.5}, ()),
    ],
)
def test_targets_are_given_where_the_answer_is_the_whole_text(settings: dict, targets: tuple[str, ...]) -> None:
    (request,) = ExactMatch(name="x", **settings).requests(FREE)
    assert isinstance(request, Generation)
    assert request.targets == targets


def test_the_key_and_the_text_of_the_right_choice_are_targets() -> None:
    (request,) = ExactMatch(name="x").requests(replace(FREE, answer="B", choices={"A": "3", "B": "4"}))
    assert isinstance(request, Generation)
    assert request.targets == ("B", "4", " B", " 4")


# How targets are encoded


@pytest.mark.parametrize(
    ("prompt", "stop", "ending"),
    [("say ", ("\n", ";"), "\n"), ("say\n\n", (), None), ("x" * 200, ("##",), "##"), ("", (), None)],
)
def test_targets_end_in_the_first_stop_text_or_the_end_token(
    catalog: Catalog, tokenizer: PreTrainedTokenizerBase, prompt: str, stop: tuple[str, ...], ending: str | None
) -> None:
    encoder = Encoder.of(catalog.base.path)
    (item,) = encoder.encode([Generation(prompt, 9, stop, targets=("yes", " no"))]).items
    tail = [END] if ending is None else list(tokenizer.encode(ending, add_special_tokens=False))
    assert item.targets == tuple((*tokenizer.encode(text, add_special_tokens=False), *tail) for text in ("yes", " no"))


def test_a_target_that_would_merge_with_the_end_of_the_prompt_is_encoded_by_itself() -> None:
    """As vocabularies of words do: "to" and "day" are tokens, and "today" is one."""
    words = Tokenizer(WordLevel({"<eos>": 0, "to": 1, "day": 2, "today": 3, " ": 4, "?": 5}, unk_token="?"))
    words.pre_tokenizer = Split(Regex(" "), "isolated")
    encoder = Encoder(PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<eos>"), 100)  # type: ignore[arg-type]
    (item,) = encoder.encode([Generation("to", 9, targets=("day", " day"))]).items
    assert item.targets == ((2, 0), (4, 2, 0))


# Where texts end


class Decoding:
    """A tokenizer that counts what it decodes: tokens are bytes, the first space of a text is dropped."""

    def __init__(self) -> None:
        self.decoded = 0

    def decode(self, token_ids: list[int], *, skip_special_tokens: bool = False) -> str:
        self.decoded += 1
        return bytes(token for token in token_ids if token < END).decode(errors="replace").removeprefix(" ")


STOPS = [("\n",), ("\n\n", "END"), (". ",), ("é",), ("x", " "), ()]


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize(
    "text", ["ab\ncd", "ab\n\ncd", "to the END\n", "ab. cd", "caf\u00e9 au lait", "x", " ", "long"]
)
def test_a_text_ends_where_decoding_it_at_every_step_would_end_it(stop: tuple[str, ...], text: str) -> None:
    tokens = [*text.encode(), END]
    stopping = Stopping(Decoding(), frozenset({END}))  # type: ignore[arg-type]
    for n in range(1, len(tokens) + 1):
        whole = Decoding().decode(tokens[:n])
        cuts = [whole.find(each) for each in stop if each in whole]
        expected = whole[: min(cuts)] if cuts else whole if tokens[n - 1] == END else None
        assert stopping.finished_text(stop, tokens[:n]) == expected
        assert stopping.text(tokens[:n]) == whole
        if expected is not None:
            break


def test_only_what_may_end_a_text_is_decoded() -> None:
    tokenizer = Decoding()
    stopping = Stopping(tokenizer, frozenset({END}))  # type: ignore[arg-type]
    text = b"abcabc" * 9
    assert [stopping.finished_text(("\n",), text[:n]) for n in range(1, len(text) + 1)] == [None] * len(text)
    assert tokenizer.decoded == 3, "each token once"
    assert stopping.non_stop_tokens(("\n",)) == set(b"abc")
    assert stopping.non_stop_tokens(("b",)) == set()


@pytest.mark.parametrize(("length", "times"), [(5, 1), (200, 2)])
def test_a_short_text_that_was_written_before_is_not_decoded_again(length: int, times: int) -> None:
    tokenizer = Decoding()
    stopping = Stopping(tokenizer, frozenset({END}))  # type: ignore[arg-type]
    assert [stopping.finished_text((), [*b"a" * length, END]) for _ in range(2)] == ["a" * length] * 2
    assert tokenizer.decoded == times


def test_texts_of_one_batch_end_each_in_its_own_way(held: TransformersEngine, catalog: Catalog) -> None:
    """As each ends alone: a token that cannot end one row's text ends another's, and limits differ."""
    (long,) = written(held, catalog, Generation("hello there", 12, ()))
    stops = [(), (long.text[2],), (long.text[4:6],), (long.text[2], long.text[0])]
    requests = [Generation("hello there", limit, stop) for limit in (3, 12) for stop in stops for _ in range(2)]
    together = written(held, catalog, *requests, particles=2)
    assert together == [written(held, catalog, each)[0] for each in requests]
    assert len({(each.text, each.n_tokens) for each in together}) > 3

"""How far a written text is from the answers that would be right, and where texts end."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from models import load
from runs import answer, engine, make_workshop, opened, recipe
from swarm.engines.aims import Aims, targets_of
from swarm.engines.ending import Ending
from swarm.engines.transformers import TransformersEngine
from swarm.experts import Catalog
from swarm.objectives.exact_match import ExactMatch
from swarm.types import Example, Generation, Text

CPU, END = torch.device("cpu"), 258
PROMPTS = ["a", "hello there", "one two three four five six seven eight", "xyz" * 12]
FREE = Example("1", "2+2=", "4")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workshop(tmp_path_factory.mktemp("aims"))


@pytest.fixture(scope="module")
def catalog(folder: Path) -> Catalog:
    return opened(folder)


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
    """Token by token, by passes of their own: the least lead of the target's, up to where the text leaves it."""
    least = float("inf")
    for i, token in enumerate(target):
        logits_V = model(torch.tensor([[*prompt, *target[:i]]])).logits[0, -1]
        others_V = logits_V.clone()
        others_V[token] = -torch.inf
        least = min(least, float(logits_V[token] - others_V.max()))
        if least < 0:
            break
    return least


def test_the_margin_is_the_least_lead_of_the_target_s_tokens(
    held: TransformersEngine, catalog: Catalog, base: torch.nn.Module, tokenizer: PreTrainedTokenizerBase
) -> None:
    """Of targets that are written to the end, that are left on the way, and that are never begun."""
    prompts = [f"{word}{i}" for word in PROMPTS for i in range(20)]
    texts = [found.text for found in written(held, catalog, *(Generation(prompt, 3) for prompt in prompts))]
    asked = [(prompt, text) for prompt, text in zip(prompts, texts, strict=True) if text.isascii() and len(text) == 3]
    assert len(asked) > 3, "others are no text: their bytes are no characters"
    for cut, tail in ((3, ""), (2, "!"), (0, "no")):
        targets = [text[:cut] + tail for _, text in asked]
        requests = [Generation(each[0], 3, targets=(target,)) for each, target in zip(asked, targets, strict=True)]
        found = written(held, catalog, *requests, particles=3)
        for (prompt, text), target, one in zip(asked, targets, found, strict=True):
            ids = [list(tokenizer.encode(part, add_special_tokens=False)) for part in (prompt, target)]
            assert one.text == text, "looking on changes nothing"
            assert one.margin == pytest.approx(naive(base, ids[0], [*ids[1], END][:3]), abs=1e-4)
            assert one.margin is not None
            assert (one.margin > 0) == (target == text)


def test_without_targets_there_is_no_margin(held: TransformersEngine, catalog: Catalog) -> None:
    found = written(held, catalog, Generation("a", 3), Generation("b", 3, targets=("x", "yz")), Generation("c", 3))
    assert [one.margin is None for one in found] == [True, False, True]


def logits(*rows: Sequence[float]) -> torch.Tensor:
    return torch.tensor([list(row) for row in rows])


def test_of_several_targets_the_one_kept_to_longest_counts() -> None:
    rows = torch.arange(1)
    for order in (((0, 1), (2, 1)), ((2, 1), (0, 1))):
        aims = Aims(targets_of([order], CPU), 1, frozenset(), rows=1)
        aims.follow(0, logits([5.0, 1.0, 4.5]), rows)  # the second is left by half a point
        aims.follow(1, logits([3.0, 1.0, 0.0]), rows)
        assert aims.margins() == [-2.0]


def test_any_end_token_ends_a_target_and_none_is_its_rival() -> None:
    rows = torch.arange(2)
    aims = Aims(targets_of([[(0, 3)], [(0, 1)]], CPU), 1, frozenset({3, 4}), rows=2)
    before = logits([2.0, 1.0, 0.0, 0.0, 0.0], [2.0, 1.0, 0.0, 1.5, 0.0])
    aims.follow(0, before, rows)
    after = logits([0.0, 1.0, 0.0, 6.0, 7.0], [0.0, 1.0, 0.0, 6.0, 7.0])
    aims.follow(1, after, rows)
    assert aims.margins() == [1.0, 0.5], "an end token rivals the others of its target"
    assert torch.equal(after, logits([0.0, 1.0, 0.0, 6.0, 7.0], [0.0, 1.0, 0.0, 6.0, 7.0])), "put back"


def test_rows_that_have_ended_are_followed_no_further() -> None:
    aims = Aims(targets_of([[(0, 0, 0)], [(0, 0, 0)]], CPU), 1, frozenset(), rows=2)
    aims.follow(0, logits([3.0, 1.0], [3.0, 0.0]), torch.tensor([0, 1]))
    aims.follow(1, logits([1.0, 0.0]), torch.tensor([1]))
    aims.follow(2, logits([0.0, 9.0]), torch.tensor([1]))
    assert aims.margins() == [2.0, -9.0]


# What exact_match makes of it


@pytest.mark.parametrize(("margin", "text", "score"), [(2.0, "4", 1.0), (-2.0, "4", 1.0), (2.0, "5", 0.0)])
def test_whether_it_is_right_decides_on_which_side_a_margin_lies(margin: float, text: str, score: float) -> None:
    """A right answer may be written otherwise than its target."""
    found = ExactMatch(name="x").score(FREE, [Text(text, 1, margin)])
    assert found.score == score
    assert found.margin == (2.0 if score else -2.0)
    assert found.guide == pytest.approx(-0.126928 if score else -2.126928)


def test_no_margin_no_guide() -> None:
    found = ExactMatch(name="x").score(FREE, [Text("4", 1)])
    assert (found.margin, found.guide) == (None, None)


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
def test_targets_are_told_where_the_answer_is_all_that_is_written(settings: dict, targets: tuple[str, ...]) -> None:
    (request,) = ExactMatch(name="x", **settings).requests(FREE)
    assert isinstance(request, Generation)
    assert request.targets == targets


def test_the_key_and_the_text_of_the_right_choice_are_targets() -> None:
    (request,) = ExactMatch(name="x").requests(replace(FREE, answer="B", choices={"A": "3", "B": "4"}))
    assert isinstance(request, Generation)
    assert request.targets == ("B", "4", " B", " 4")


# Endings


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
    for limit in (3, 99):
        request = Generation("", limit, stop)
        ending = Ending(Decoding(), frozenset({END}))  # type: ignore[arg-type]
        for n in range(1, min(len(tokens), limit) + 1):
            whole = Decoding().decode(tokens[:n])
            cuts = [whole.find(each) for each in stop if each in whole]
            over = tokens[n - 1] == END or n == limit
            expected = whole[: min(cuts)] if cuts else whole if over else None
            assert ending.text(request, tokens[:n]) == expected
            if expected is not None:
                break


def test_only_what_may_end_a_text_is_decoded() -> None:
    tokenizer = Decoding()
    ending = Ending(tokenizer, frozenset({END}))  # type: ignore[arg-type]
    for _ in range(50):
        assert [ending.text(Generation("", 99, ("\n",)), b"abcabc"[:n]) for n in range(1, 7)] == [None] * 6
    assert tokenizer.decoded == 3, "each token once"

"""Profanity, warmth and emotional alignment: ratings by packages, known for plain cases, and the packages' absence."""

import sys
from importlib.metadata import version

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.core.errors import ConfigError
from swarm.core.examples import Example, Message
from swarm.core.requests import Text
from swarm.objectives import OBJECTIVES
from swarm.objectives.profanity import Profanity
from swarm.objectives.replies import ReplyObjective
from swarm.objectives.sentiment import EmotionalAlignment, Warmth

vader = pytest.importorskip("vaderSentiment.vaderSentiment", reason="the extra text is not installed")

KINDS = ("profanity", "warmth", "emotional_alignment")
HAPPY, SAD, FLAT = "I am so happy for you, wonderful!", "This is a horrible, sad loss.", "The table has four legs."
GRIEF = Example("g", SAD, "")


def score(objective: ReplyObjective, reply: str, example: Example = GRIEF) -> float:
    return objective.score(example, [Text(reply, 1)]).score


def compound(text: str) -> float:
    return float(vader.SentimentIntensityAnalyzer().polarity_scores(text)["compound"])


def test_profanity_lowers_the_score() -> None:
    clean = Profanity(name="x")
    assert score(clean, "You are a fucking idiot") < 0.05
    assert score(clean, "Thank you, dear friend.") > 0.95
    assert clean.found(GRIEF, [Text("You are a fucking idiot", 1)]) == "profane with probability 1.000"


def test_texts_that_are_rated_together_have_the_ratings_of_each() -> None:
    clean = Profanity(name="x")
    answered = [(GRIEF, [Text(reply, 1)]) for reply in (HAPPY, "You are a fucking idiot", "", SAD, FLAT)]
    assert clean.score_all(answered) == [clean.score(*each) for each in answered]
    assert clean.score_all([]) == []


def test_warmth_is_the_compound_sentiment_between_0_and_1() -> None:
    warm = Warmth(name="x")
    assert score(warm, HAPPY) > 0.9 > score(warm, FLAT) == score(warm, "") == 0.5 > 0.2 > score(warm, SAD)
    assert score(warm, HAPPY) == pytest.approx((1 + compound(HAPPY)) / 2)
    assert warm.found(GRIEF, [Text(FLAT, 1)]) == "sentiment +0.000"


def test_emotional_alignment_is_the_closeness_to_the_users_sentiment() -> None:
    close = EmotionalAlignment(name="x")
    assert score(close, SAD) == 1.0
    assert score(close, HAPPY) == pytest.approx(1 - (compound(HAPPY) - compound(SAD)) / 2)
    assert score(close, HAPPY) < score(close, FLAT) < 1.0
    chat = Example("c", (Message("user", SAD), Message("assistant", SAD), Message("user", HAPPY)), "")
    assert score(close, HAPPY, chat) == 1.0


@given(st.text(max_size=200))
def test_scores_are_shares(reply: str) -> None:
    for kind in KINDS:
        assert 0.0 <= score(OBJECTIVES[kind](name="x", type=kind), reply) <= 1.0


@given(st.text(max_size=100), st.text(max_size=100))
def test_emotional_alignment_is_symmetric(one: str, other: str) -> None:
    close = EmotionalAlignment(name="x")
    assert score(close, one, Example("o", other, "")) == score(close, other, Example("t", one, ""))


@pytest.mark.parametrize("kind", KINDS)
def test_the_thinking_is_not_rated(kind: str) -> None:
    objective = OBJECTIVES[kind](name="x", type=kind, strip_thinking=True)
    assert score(objective, f"<think>fuck {HAPPY}</think>{FLAT}") == score(objective, FLAT)


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_package_is_named_with_its_extra(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("profanity_check", "vaderSentiment.vaderSentiment"):
        monkeypatch.setitem(sys.modules, module, None)
    objective = OBJECTIVES[kind](name=f"without-{kind}", type=kind)
    with pytest.raises(
        ConfigError, match=rf"^objectives.without-{kind}: \S+ cannot be imported .*swarm-experts\[text\]"
    ):
        objective.check(GRIEF)


@pytest.mark.parametrize("kind", KINDS)
def test_the_release_of_the_package_is_in_the_fingerprint_of_a_run(kind: str) -> None:
    found = OBJECTIVES[kind](name="x", type=kind).decisive()
    package = "alt-profanity-check" if kind == "profanity" else "vaderSentiment"
    assert found[package] == version(package)

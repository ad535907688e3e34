"""Reliability: right answers, wrong ones and abstentions, whose scores are known by hand."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from swarm.core.errors import DataError
from swarm.core.examples import Example
from swarm.core.requests import Generation, Text
from swarm.objectives.exact_match import ExactMatch
from swarm.objectives.reliability import Reliability

SUM = Example("s", "2 + 3 =", "5")
ABSTENTIONS = [
    "I don’t know.",
    "I do not know the answer",
    "I'm not sure, maybe 5.",
    "I am not entirely certain.",
    "I'm really not sure.",
    "I have no idea",
    "unknown",
    "I cannot say.",
    "We don't have enough information to tell.",
    "There is not enough information to answer.",
    "I'd rather not answer.",
]
ANSWERS = [
    "5",
    "I know: 5",
    "You don't know? It is 5.",
    "Paris",
    "The answer is unknown territory",
    "idk the answer is 4",
]


def score(text: str, example: Example = SUM, **settings: object) -> float:
    return Reliability(name="x", **settings).score(example, [Text(text, 1)]).score


def test_right_abstaining_wrong() -> None:
    assert [score(text) for text in ("5", "I don't know", "6", "")] == [1.0, 0.0, -1.0, -1.0]
    assert [score(text, wrong_penalty=3, abstain_credit=0.25) for text in ("5", "I don't know", "6")] == [1, 0.25, -3]


@pytest.mark.parametrize("text", ABSTENTIONS)
def test_abstentions(text: str) -> None:
    assert score(text, abstain_credit=0.5) == 0.5
    assert Reliability(name="x").found(SUM, [Text(text, 1)]) in text.casefold().replace("’", "'")


@pytest.mark.parametrize("text", ANSWERS)
def test_answers_are_no_abstentions(text: str) -> None:
    assert score(text, abstain_credit=0.5, extract="last_number") in (1.0, -1.0)


def test_hedging_a_right_answer_loses_it() -> None:
    assert score("I don't know, but 5", extract="last_number") == 0.0
    assert score("but 5", extract="last_number") == 1.0


@given(st.text(), st.sampled_from(["all", "first_line", "last_number", "boxed"]))
def test_answers_are_extracted_and_compared_as_by_exact_match(text: str, extract: str) -> None:
    exact = ExactMatch(name="x", extract=extract).score(SUM, [Text(text, 1)]).score
    assert score(text, extract=extract, wrong_penalty=0.0) == exact


@given(st.floats(0, 9), st.floats(0, 1), st.sampled_from([*ABSTENTIONS, *ANSWERS]))
def test_scores_lie_in_the_range(penalty: float, credit: float, text: str) -> None:
    objective = Reliability(name="x", wrong_penalty=penalty, abstain_credit=credit)
    low, high = objective.range
    assert low <= objective.score(SUM, [Text(text, 1)]).score <= high


def test_answering_pays_above_the_confidence_that_the_penalty_states() -> None:
    for confidence in (0.5, 0.75, 0.9):
        penalty = confidence / (1 - confidence)
        gain = confidence * score("5", wrong_penalty=penalty) + (1 - confidence) * score("6", wrong_penalty=penalty)
        assert gain == pytest.approx(score("I don't know", wrong_penalty=penalty))


@pytest.mark.parametrize("credit", [1.5, -2])
def test_an_abstention_lies_between_wrong_and_right(credit: float) -> None:
    with pytest.raises(ValidationError, match="is not between a wrong answer's score, -1, and a right one's, 1"):
        Reliability(name="x", abstain_credit=credit)


def test_a_right_answer_that_reads_as_an_abstention_is_refused() -> None:
    with pytest.raises(DataError, match=r"objectives.x: example 's': answer 'Unknown' reads as an abstention"):
        Reliability(name="x").check(replace(SUM, answer="Unknown"))
    with pytest.raises(DataError, match="never found by extract: last_number"):
        Reliability(name="x", extract="last_number").check(replace(SUM, answer="five"))


def test_no_margin_is_asked_for_and_none_is_given() -> None:
    (request,) = Reliability(name="x").requests(SUM)
    assert isinstance(request, Generation)
    assert request.targets == ()
    assert Reliability(name="x").score(SUM, [Text("5", 1)]).margin is None


def test_abstaining_while_thinking_is_not_abstaining() -> None:
    text = "<think>I don't know.</think>5"
    assert score(text, strip_thinking=True, stop=()) == 1.0
    assert score(text, stop=()) == 0.0

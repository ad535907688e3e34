"""Asking back: replies whose grades are known by hand, and the marks that they are held against."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.core.errors import DataError
from swarm.core.examples import Example
from swarm.core.requests import Text
from swarm.objectives.clarification import Clarification

AMBIGUOUS = Example("a", "When did he land on the moon?", "", ambiguous=True)
CLEAR = replace(AMBIGUOUS, id="c", ambiguous=False)
ASKING = Clarification(name="x")
QUESTIONS = [
    "Which landing do you mean?",
    "Could you please clarify which one?",
    "Do you mean Aldrin or Bean",
    "Whom are you asking about: Alan Bean or Neil Armstrong?",
    "I need more information.",
    "Please specify the year.",
    "When you say bank, is it the river bank?\n",
    "*Which year?*",
    'Can you tell me who "he" is?',
    "It depends on which one you mean.",
]
STATEMENTS = [
    "In 1969.",
    "Why is it blue? Because of scattering.",
    "It is 4. Is there anything else I can help with?",
    "Blue. Would you like me to explain more?",
    "Sure! Does that help?",
    "It is 5, right?",
    "Shall I go on?",
    "I am fine, and you?",
    'The phrase "who are you?" is English.',
]


def scores(reply: str, objective: Clarification = ASKING) -> tuple[float, float]:
    """Of the reply to an ambiguous and to a clear prompt."""
    ambiguous, clear = (objective.score(example, [Text(reply, 1)]).score for example in (AMBIGUOUS, CLEAR))
    return ambiguous, clear


@pytest.mark.parametrize("reply", QUESTIONS)
def test_questions(reply: str) -> None:
    assert scores(reply) == (1.0, 0.0)
    assert ASKING.found(CLEAR, [Text(reply, 1)]) != "no question"


@pytest.mark.parametrize("reply", STATEMENTS)
def test_statements_and_offers(reply: str) -> None:
    assert scores(reply) == (0.0, 1.0)


@given(st.text())
def test_each_reply_that_says_something_is_right_for_one_mark(reply: str) -> None:
    assert sum(scores(reply)) == float(bool(reply.strip()))


def test_patterns_of_the_users_own_are_added() -> None:
    assert scores("Meinst du Bean, oder wen", Clarification(name="x", patterns=("meinst du",))) == (1.0, 0.0)
    assert scores("Meinst du Bean, oder wen") == (0.0, 1.0)


def test_what_counts_as_right_is_said() -> None:
    assert [ASKING.right(each) for each in (AMBIGUOUS, CLEAR)] == [("a question",), ("no question",)]


def test_an_example_without_a_mark_is_refused() -> None:
    with pytest.raises(DataError, match=r"objectives.x: example 'a': ambiguous is missing, or neither true nor false"):
        ASKING.check(replace(AMBIGUOUS, ambiguous=None))
    ASKING.check(CLEAR)


def test_marks_that_are_all_the_same_are_noted() -> None:
    assert ASKING.notes([AMBIGUOUS, CLEAR]) == ASKING.notes([]) == []
    assert ASKING.notes([CLEAR, CLEAR]) == [
        "x: a model that never asks back scores 1, as every example has the same mark; add others"
    ]
    assert "always asks back" in ASKING.notes([AMBIGUOUS])[0]

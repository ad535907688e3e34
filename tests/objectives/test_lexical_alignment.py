"""Lexical alignment: shares that are counted by hand, and what holds for every text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.core.examples import Example, Message
from swarm.core.requests import Text
from swarm.objectives.lexical_alignment import LexicalAlignment, words

USER = "My puppy chews the sofa. How do I stop it?"  # content: puppy, chews, sofa, stop
ASKED = Example("a", USER, "")
SHARED = LexicalAlignment(name="x")


def score(reply: str, example: Example = ASKED, **settings: int) -> float:
    return LexicalAlignment(name="x", **settings).score(example, [Text(reply, 1)]).score


@pytest.mark.parametrize(
    ("reply", "share"),
    [
        ("The PUPPY is teething.", 1 / 2),
        ("Your puppy’s sofa!", 1.0),
        ("Buy toys, hide shoes.", 0.0),
        ("Dogs: train the puppy, cover the sofa", 2 / 5),
        ("Puppy, puppy and dog", 2 / 3),
        ("It is what it is.", 0.0),
        ("", 0.0),
        ("chew", 0.0),  # another form is another word
    ],
)
def test_the_share_of_content_words(reply: str, share: float) -> None:
    assert score(reply) == pytest.approx(share)


def test_what_is_copied_does_not_count() -> None:
    assert score(USER) == 0.0
    assert score("Stop! My puppy chews the sofa I do") == 1.0, "five words in a row are no quotation"
    assert score("Stop! My puppy chews the sofa I do", copied_run=5) == pytest.approx(1 / 4)
    assert score("Fine. My puppy chews the sofa. How do I know? The sofa") == pytest.approx(1 / 6)  # know counts too
    assert score(USER, copied_run=99) == 1.0


def test_the_last_turn_of_the_user_counts() -> None:
    turns = (Message("user", "A parrot talks."), Message("assistant", "Yes?"), Message("user", "Now my cat sleeps."))
    chat = Example("c", turns, "", context="A horse.")
    assert score("The cat sleeps", chat) == 1.0
    assert score("The parrot, yes; a horse", chat) == 0.0
    assert SHARED.right(chat) == ("words of cat, sleeps",)


def test_what_is_found_is_said() -> None:
    assert SHARED.found(ASKED, [Text("Puppy, puppy and dog", 1)]) == "2 of 3 words: puppy"
    assert SHARED.found(ASKED, [Text("No", 1)]) == "0 of 0 words: none"


def test_prompts_without_content_words_are_noted() -> None:
    empty = Example("e", "How is it?", "")
    assert SHARED.notes([ASKED]) == []
    assert SHARED.notes([ASKED, empty]) == [
        "x: 1 of 2 prompts have no content words, so that every reply to them scores 0 (that of example e); remove them"
    ]


texts = st.lists(st.sampled_from([*USER.split(), "dog", "bark", "of", "It's"]), max_size=30).map(" ".join)


@given(texts, st.integers(2, 9))
def test_it_is_a_share_that_quoting_never_raises(reply: str, run: int) -> None:
    guarded, free = score(reply, copied_run=run), score(reply, copied_run=99)
    assert 0.0 <= guarded <= free <= 1.0


@given(texts, texts)
def test_words_apart_from_their_case_and_punctuation(one: str, other: str) -> None:
    assert words(f"{one}, {other.upper()}!") == words(one) + words(other)

"""Exact match: how answers are compared, and how they are found in what was written."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from swarm.core.errors import DataError
from swarm.core.examples import Example
from swarm.core.requests import Text
from swarm.objectives.exact_match import ExactMatch
from swarm.objectives.extraction import EXTRACTIONS, same

CHOICE = Example("c", "The sky is", "B", {"A": "green", "B": "blue"})
FREE = Example("f", "1 + 4 =", "5")


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("5", "15", False),
        ("5", "5.0", True),
        ("1,000", "1000", True),
        ("1,00", "100", False),
        ("−3", "-3", True),
        ("007", "7", False),
        (".5", "0.50", True),
        ("Paris", "paris", False),
        ("New  York\n", "New York", True),
        ("Paris", "Paris, France", False),
        ("10000000000000000001", "10000000000000000000", False),
        ("", "0", False),
    ],
)
def test_comparison_is_strict(one, other, equal):
    assert same(one, other) == same(other, one) == equal


def test_case_can_be_ignored():
    assert same("PARIS", "paris", ignore_case=True)


@pytest.mark.parametrize(
    ("extract", "text", "found"),
    [
        ("all", " a\nb ", "a\nb"),
        ("first_line", "\n a\nb ", "a"),
        ("first_line", "", ""),
        ("last_number", "3 apples, then $1,234.50.", "1,234.50"),
        ("last_number", "so 10-5", "5"),
        ("last_number", "x = -5", "-5"),
        ("last_number", "-$5", "-5"),
        ("last_number", "1,2,3", "3"),
        ("last_number", "none", ""),
        ("after_hash", "2+2=4\n#### 4\nmore", "4"),
        ("after_hash", "#### 4 #### 5", "4"),
        ("after_hash", "4", ""),
        ("boxed", r"so \boxed{1} or \boxed{\frac{1}{2}} .", r"\frac{1}{2}"),
        ("boxed", r"\boxed{1", ""),
        ("letter", "B", "B"),
        ("letter", "(B) because A is wrong", "B"),
        ("letter", "B. blue", "B"),
        ("letter", "B\nas A is not", "B"),
        ("letter", "The answer is (C), not A.", "C"),
        ("letter", "Answer: D", "D"),
        ("letter", "I'm sure that it is B", "B"),
        ("letter", "A or B", ""),
        ("letter", "blue", ""),
    ],
)
def test_extraction(extract, text, found):
    assert EXTRACTIONS[extract](text) == found


def right(answer: str, written: str, **settings) -> float:
    return ExactMatch(name="x", **settings).score(replace(FREE, answer=answer), [Text(written, 3)]).score


def test_exact_match_extracts_and_compares():
    assert right("5", "15") == right("5", "5 apples") == 0.0
    assert right("5", "5 apples", extract="last_number") == 1.0
    assert right("3 + 2 = 5\n#### 5", "that is\n#### 5.0", extract="after_hash") == 1.0
    assert right(r"hence \boxed{x^2}", r"\boxed{x^2}", extract="boxed") == 1.0
    assert right("Yes", "yes", ignore_case=True) == 1.0
    assert right("7", "<a>6</a><a>7</a>", extract={"pattern": "<a>(.*?)</a>"}) == 1.0
    assert right("7", "7", extract={"pattern": "<a>(.*?)</a>"}) == 0.0


@pytest.mark.parametrize("said", ["B", "blue"])
def test_exact_match_takes_key_and_text_of_the_right_choice(said):
    assert ExactMatch(name="x").score(CHOICE, [Text(said, 1)]).score == 1.0


@pytest.mark.parametrize(
    ("answer", "settings", "message"),
    [
        ("a\nb", {}, "contains a stop text"),
        ("Yes", {"extract": "last_number"}, "answer 'Yes' is never found by extract: last_number"),
        ("blue", {"extract": "letter"}, "never found by extract: letter"),
        ("a\nb", {"extract": "first_line", "stop": []}, "never found by extract: first_line"),
    ],
)
def test_exact_match_refuses_answers_that_cannot_be_found(answer, settings, message):
    with pytest.raises(DataError, match=message):
        ExactMatch(name="x", **settings).check(replace(FREE, answer=answer))


@pytest.mark.parametrize("extract", ["all", "first_line", "last_number", "after_hash", "boxed", {"pattern": "(.)"}])
def test_exact_match_accepts_answers_that_can_be_found(extract):
    ExactMatch(name="x", extract=extract).check(FREE)
    ExactMatch(name="x", extract="letter").check(CHOICE)


@pytest.mark.parametrize("pattern", ["(", "a", "(a)(b)"])
def test_a_pattern_has_one_group(pattern):
    with pytest.raises(ValidationError, match=r"not a regular expression|put one around"):
        ExactMatch(name="x", extract={"pattern": pattern})


def test_sampling_seeds_come_from_seed_and_id_alone():
    def seed_of(seed: int, name: str) -> int:
        (request,) = ExactMatch(name="x", temperature=1.0, seed=seed).requests(replace(FREE, id=name))
        return request.seed

    assert seed_of(0, "a") == 2495277944  # the same on every machine, in every process
    assert len({seed_of(seed, name) for seed in (0, 1) for name in ("a", "b")}) == 4

"""Rates of levels: which of three reference answers is the likeliest, and that several levels ask the model once."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from swarm.core.errors import DataError
from swarm.core.examples import LEVELS, Example
from swarm.core.requests import Likelihood
from swarm.data.examples import read_examples
from swarm.engines import Encoder
from swarm.evaluation.workload import make_workload
from swarm.objectives.level import LevelRate
from swarm.objectives.likelihood import AnswerLikelihood
from swarm.objectives.multiple_choice import MultipleChoice

QUERY = Example("q", "Ibuprofen?", "expert", {"generic": "a drug", "avoidance": "ask", "expert": "an NSAID here"})
SAID = [Likelihood(-6.0, 2), Likelihood(-2.0, 2), Likelihood(-6.0, 4)]  # a token: -3, -1, -1.5


def rate(level: str) -> LevelRate:
    return LevelRate(name=level, level=level)


def test_the_level_with_the_highest_mean_a_token_counts() -> None:
    found = {level: rate(level).score(QUERY, SAID) for level in LEVELS}
    assert {level: scored.score for level, scored in found.items()} == {"avoidance": 0, "generic": 1, "expert": 0}
    assert {level: scored.margin for level, scored in found.items()} == {
        "avoidance": -2,
        "generic": 0.5,
        "expert": -0.5,
    }
    assert {scored.output for scored in found.values()} == {"a drug"}


def test_it_agrees_with_multiple_choice_by_tokens() -> None:
    in_order = replace(QUERY, choices={level: QUERY.choices[level] for level in LEVELS})
    for level in LEVELS:
        choice = MultipleChoice(name="c", normalise="tokens").score(replace(in_order, answer=level), SAID)
        assert rate(level).score(QUERY, SAID) == choice


def test_of_equally_likely_answers_exactly_one_level_counts() -> None:
    assert [rate(level).score(QUERY, [Likelihood(-1.0, 1)] * 3).score for level in LEVELS] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("data", "domain", "about"),
    [
        ("/d/law.jsonl", "", "law"),
        ("/d/law.jsonl.gz", "", "law"),
        ("/d/law.jsonl", "courts", "courts"),
        ({"test": "/d/tax.jsonl"}, "", "tax"),
        (None, "", "all"),
    ],
)
def test_a_domain_is_named_by_its_data(data: object, domain: str, about: str) -> None:
    assert LevelRate(name="x", data=data, domain=domain).about == about


def test_a_file_of_three_answers_is_read_for_any_objective(tmp_path: Path) -> None:
    row = {"prompt": "Q", "avoidance": "ask", "generic": "a", "expert": "b"}
    (tmp_path / "law.jsonl").write_text(
        json.dumps(row) + "\n" + json.dumps({"prompt": "Q", "answer": "4", "expert": "b"})
    )
    first, second = read_examples(tmp_path / "law.jsonl")
    assert (first.answer, dict(first.choices)) == ("expert", {level: row[level] for level in LEVELS})
    assert (second.answer, second.choices) == ("4", None)  # a column of another data set
    (tmp_path / "law.csv").write_text("prompt,expert,generic,avoidance\nQ,b,a,ask\n")
    assert read_examples(tmp_path / "law.csv")[0].choices == first.choices


@pytest.mark.parametrize(
    ("choices", "problem"),
    [
        (None, "it has none; give avoidance, generic, expert"),
        ({"A": "x", "expert": "y"}, "its choices are A, expert; give"),
        ({"avoidance": "x", "generic": "y", "expert": "y "}, "expert 'y' is the same as generic; give each"),
    ],
)
def test_what_has_not_three_answers_is_refused(choices: dict[str, str] | None, problem: str) -> None:
    answer = "expert" if choices else "y"
    with pytest.raises(DataError, match=problem):
        rate("expert").check(Example("q", "Q", answer, choices))


def test_levels_of_the_same_examples_ask_the_model_once(playground) -> None:
    objectives = [*map(rate, LEVELS), AnswerLikelihood(name="sum"), AnswerLikelihood(name="again")]
    other = replace(QUERY, id="r", prompt="Aspirin?")
    examples = {objective.name: (QUERY, other) for objective in objectives}
    part = make_workload(objectives, examples, Encoder.of(playground.base)).slice(0, 10)
    assert part.places[:6] == ((0, 1, 2), (3, 4, 5)) * 3
    assert part.places[6:] == ((6,), (7,), (8,), (9,))  # others ask for themselves, as ever
    assert len(part.requests.items) == 10
    for each, places in zip(part.examples, part.places, strict=True):
        assert [part.requests.items[place].request for place in places] == [one.request for one in each.requests]

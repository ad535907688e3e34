"""Preference between two reference answers: by hand-made likelihoods, and on a tiny model."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from support.models import make_base
from swarm.compositions import Weights
from swarm.core.errors import DataError
from swarm.core.examples import Example
from swarm.core.requests import Likelihood
from swarm.data.examples import read_examples
from swarm.engines.encoding import Encoder
from swarm.engines.transformers.engine import TransformersSettings
from swarm.experts.catalog import open_catalog
from swarm.objectives.preference import Preference

PAIR = Example("p", "Who wrote it?", "chosen", {"chosen": "She did.", "rejected": "He."})
BETTER, WORSE = Likelihood(-2.0, 4), Likelihood(-3.0, 2)


def scored(*likelihoods: Likelihood, example: Example = PAIR, **settings: object):
    return Preference(name="x", **settings).score(example, likelihoods)


@pytest.mark.parametrize(("normalise", "margin"), [("tokens", 1.0), ("none", 1.0), ("bytes", -0.25 + 1.0)])
def test_the_margin_is_the_difference_of_log_likelihoods(normalise: str, margin: float) -> None:
    assert scored(BETTER, WORSE, metric="margin", normalise=normalise).score == pytest.approx(margin)


def test_accuracy_margin_and_probability_say_the_same_of_one_pair() -> None:
    accuracy = scored(BETTER, WORSE)
    assert (accuracy.score, accuracy.margin, accuracy.output) == (1.0, 1.0, "She did.")
    assert accuracy.surrogate == round(math.log(1 / (1 + math.exp(-1.0))), 6)
    probability = scored(BETTER, WORSE, metric="probability")
    assert probability.score == pytest.approx(1 / (1 + math.exp(-1.0)))
    assert probability.surrogate == accuracy.surrogate
    assert scored(WORSE, BETTER, metric="probability").score == pytest.approx(1 - probability.score)


def test_the_worse_answer_and_a_tie_score_nothing() -> None:
    worse, tie = scored(WORSE, BETTER), scored(BETTER, BETTER)
    assert (worse.score, worse.margin, worse.output) == (0.0, -1.0, "He.")
    assert (tie.score, tie.margin) == (0.0, 0.0)


def test_far_differences_do_not_overflow() -> None:
    far = Likelihood(-1e6, 2)
    assert scored(far, BETTER, metric="probability").score == 0.0
    assert scored(BETTER, far, metric="probability").score == 1.0
    assert scored(far, BETTER).surrogate == pytest.approx(-5e5, rel=1e-5)


def test_any_two_choices_will_do_in_either_order() -> None:
    swapped = replace(PAIR, choices=dict(reversed(PAIR.choices.items())))
    assert scored(WORSE, BETTER, example=swapped) == scored(BETTER, WORSE)


@pytest.mark.parametrize(
    ("example", "problem"),
    [
        (replace(PAIR, choices=None), "has no choices"),
        (replace(PAIR, choices={**PAIR.choices, "third": "x"}), "has 3 choices; give two, as chosen and rejected"),
        (replace(PAIR, choices={"chosen": "He.", "rejected": "He. "}), "both answers are the same"),
    ],
)
def test_other_examples_are_refused(example: Example, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        Preference(name="x").check(example)


def test_a_file_of_preferences_is_scored_by_a_model(tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text('{"prompt": "2+2=", "chosen": "four", "rejected": "green"}\n')
    (example,) = read_examples(tmp_path / "pairs.jsonl")
    catalog = open_catalog(make_base(tmp_path / "base"), ())
    objective = Preference(name="x", normalise="none", metric="margin")
    objective.check(example)
    requests = Encoder.of(catalog.base.path).encode(objective.requests(example))
    engine = TransformersSettings(device="cpu", dtype="float32").open(catalog)
    (reply,) = engine.answer([Weights().recipe((), catalog)], requests)
    margin = objective.score(example, reply.answers).score
    assert margin == reply.answers[0].log_likelihood - reply.answers[1].log_likelihood != 0.0
    flipped = replace(example, answer="rejected")
    assert objective.score(flipped, reply.answers).score == -margin

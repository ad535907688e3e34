"""Smoothed accuracy: what it is, which objectives give margins, and which optimizers climb it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.optimizer_runs import space
from support.runs import START
from support.searches import WEIGHTS, scored
from swarm.core.candidates import Evaluation
from swarm.core.examples import Example
from swarm.core.outcomes import Feed
from swarm.core.requests import Likelihood
from swarm.evaluation.smoothed_accuracy import smoothed
from swarm.journal.archive import Archive
from swarm.objectives.multiple_choice import MultipleChoice
from swarm.optimizers import Optimizer
from swarm.optimizers.bayesian import Bayesian
from swarm.preferences.weighted_sum import worth
from swarm.search.baselines import Baselines
from swarm.search.generational import GenerationalSearch
from swarm.search.loop import Loop
from swarm.search.selection import Selection

EXAMPLE = Example("1", "Which?", "B", {"A": "one", "B": "two", "C": "three"})


def test_it_is_accuracy_where_all_is_sure_and_between_where_it_is_not() -> None:
    assert smoothed([5.0, 5.0, -5.0, 5.0]) == pytest.approx(0.75, abs=0.01)
    assert smoothed([5.0, 0.0, -5.0]) == pytest.approx(0.5)
    assert smoothed([2.0, 2.0]) == 1.0
    assert smoothed([-1000.0, 1.0, 1e-3]) <= 1.0


def test_of_two_that_are_right_as_often_the_surer_one_is_worth_more() -> None:
    rng = np.random.default_rng(0)
    others = rng.normal(0.0, 3.0, 100).tolist()
    assert smoothed([*others, 0.5, 0.5]) > smoothed([*others, 0.05, 0.05])


def test_the_unit_of_the_margins_does_not_matter() -> None:
    margins = np.random.default_rng(0).normal(0.3, 2.0, 200)
    assert smoothed(margins.tolist()) == pytest.approx(smoothed((7.0 * margins).tolist()))


@pytest.mark.parametrize(("values", "margin"), [((-3.0, -1.0, -2.0), 1.0), ((-1.0, -3.0, -2.0), -2.0)])
def test_a_choice_has_the_margin_of_the_right_one_over_the_best_other(values: Sequence[float], margin: float) -> None:
    objective = MultipleChoice(name="quiz", type="multiple_choice", normalise="none")
    found = objective.score(EXAMPLE, [Likelihood(value, 1) for value in values])
    assert found.margin == pytest.approx(margin)
    assert found.score == float(margin > 0)
    smooth = MultipleChoice(name="quiz", type="multiple_choice", metric="probability")
    assert smooth.score(EXAMPLE, [Likelihood(value, 1) for value in values]).margin is None


def loop(folder: Path, optimizer: Optimizer) -> Loop:
    """Candidates whose smoothed score rises as their score falls."""

    def evaluate(feed: Feed):
        while feed:
            found = scored(feed.popleft().candidate)
            yield replace(found, soft={name: -score for name, score in found.scores.items()})

    folder.mkdir()
    archive = Archive(folder / "journal.jsonl")
    archive.append(START)
    return Loop(optimizer, space(3), 0, WEIGHTS, archive, evaluate, lambda evaluation: None, finalists=4)


def test_it_climbs_smoothed_scores_and_the_finalists_are_the_best_by_them(tmp_path: Path) -> None:
    soft, hard = (loop(tmp_path / str(on), Bayesian(soft=on, evaluations=60)) for on in (True, False))
    means = []
    for found in (soft, hard):
        GenerationalSearch(found).run()
        means.append(np.mean([worth(evaluation, WEIGHTS, False) for evaluation in found.archive.searched()]))
    assert means[0] < means[1]
    baselines = Baselines.of(space(3))
    finalists = Selection(soft.archive, WEIGHTS, baselines, soft=True).finalists(4)
    everybody = sorted((worth(e, WEIGHTS, True) for e in soft.archive.searched()), reverse=True)
    chosen = [worth(soft.archive.of(candidate.id), WEIGHTS, True) for candidate in finalists]
    assert chosen == everybody[:4]


def test_smoothed_scores_are_journaled_and_read_back(tmp_path: Path) -> None:
    found = loop(tmp_path / "run", Bayesian(evaluations=20))
    GenerationalSearch(found).run()
    again = Archive(tmp_path / "run" / "journal.jsonl")
    assert [e.soft for e in again.searched()] == [e.soft for e in found.archive.searched()]
    assert all(isinstance(e, Evaluation) and e.soft for e in again.searched())

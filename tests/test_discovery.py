"""The test bed of tests/benchmarks/discovery.py: its problems, a trial, and its tables."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent / "benchmarks"))
from bed import CONFIRMATION, DEVELOPMENT, PROBLEMS
from bed.contenders import BUDGET, CHOICES, optimizer
from bed.live import Live
from bed.standings import OURS, THEIRS, Table
from bed.synthetic import Synthetic, Terrain
from bed.trial import run_trial

SMALL = Synthetic("small", Terrain(3, tasks=4), 5)
CHEAP = [problem for problem in PROBLEMS.values() if not isinstance(problem, Live)]


def test_there_are_two_halves_of_different_problems():
    assert len(PROBLEMS) == len(DEVELOPMENT) + len(CONFIRMATION) >= 12


@pytest.mark.parametrize("problem", CHEAP, ids=lambda problem: problem.name)
def test_a_sample_is_drawn_by_its_seed_and_has_the_true_score_as_its_mean(problem):
    x_D = problem.space.uniforms_UD[1]
    first, again, other = (problem.scorer(seed, "search")(x_D) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, problem.scorer(0, "select")(x_D))
    means = [(problem.scorer(seed, split)(x_D) > 0).mean() for seed in range(20) for split in ("search", "select")]
    truth = problem.truth(x_D)
    assert abs(np.mean(means) - truth) < 4 * np.sqrt(truth * (1 - truth) / (200 * len(means)))


@pytest.mark.parametrize("name", [name for name in CHOICES if name != "gp"])
def test_every_compared_method_keeps_to_the_budget(name):
    settings = {"particles": 5} if name not in ("greedy_soup", "lorahub", "grid") else CHOICES[name][0]
    found = run_trial(SMALL, optimizer(name, settings, 25, SMALL.space.dimensions), seed=0)
    assert found.scored <= 25
    assert found.low <= found.predicted <= found.high
    assert found.delivered == SMALL.truth(np.array(found.position))
    assert 20 in found.course or found.scored < 20


def row(problem: str, contender: str, seed: int, delivered: float, evaluations: int = BUDGET) -> dict:
    scores = {"delivered": delivered, "luckiest": delivered, "search": delivered + 0.02, "low": 0.4, "high": 0.6}
    course = {"20": delivered - 0.1, str(evaluations): delivered}
    return {
        "problem": problem,
        "contender": contender,
        "seed": seed,
        "evaluations": evaluations,
        "course": course,
    } | scores


def test_the_tables_summarise_the_trials():
    known = {"base": 0.1, "expert": 0.3, "uniform": 0.4, "best": 0.7}
    trials = [row("sphere", OURS, seed, 0.5 + 0.1 * seed) for seed in range(2)]
    trials += [row("sphere", THEIRS, seed, 0.55) for seed in range(2)]
    table = Table(trials, {"sphere": known})
    assert table.problems == ["sphere"]
    regret = table.estimate(OURS, table.regret, ["sphere"])
    assert regret.value == pytest.approx(0.15)
    assert (regret.low, regret.high) == pytest.approx((0.1, 0.2))
    assert table.mean(OURS, table.headroom, ["sphere"]).value == pytest.approx(0.25 / 0.4)
    assert table.wins(THEIRS, ["sphere"]) == 0.5
    assert table.wins(THEIRS, ["sphere"], tie=0.06) == 1.0
    assert table.covered(OURS, ["sphere"]) == 1.0
    assert table.evaluations_to(OURS, "sphere") == BUDGET
    assert not table.below_baselines(OURS)
    assert Table(trials, {"sphere": known | {"uniform": 0.65}}).below_baselines(OURS) == ["sphere"]

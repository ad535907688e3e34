"""The test bed of tests/benchmarks/discovery.py: its problems, a trial, and its tables."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent / "benchmarks"))
import coordinates
from bed import CONFIRMATION, DEVELOPMENT, PROBLEMS
from bed.contenders import BUDGET, CHOICES, optimizer
from bed.grouped import GROUPED
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


def test_a_twin_is_its_grouped_problem_with_one_coefficient_an_expert():
    problem = GROUPED["some-40"]
    assert len(problem.space.coordinates) == problem.space.dimensions == 40
    for x_E in (problem.twin.space.neutral_D, *problem.twin.space.uniforms_UD):
        x_D = np.repeat(x_E, 4)
        assert problem.twin.truth(x_E) == problem.truth(x_D)
        assert np.array_equal(problem.twin.scorer(1, "search")(x_E), problem.scorer(1, "search")(x_D))


@pytest.mark.parametrize("name", ["all-40", "some-120", "none-40"])
def test_groups_matter_where_the_optimum_differs_from_group_to_group(name):
    problem = GROUPED[name]
    centre_EG = problem.best_TEG.mean(axis=0)
    apart_E = np.ptp(centre_EG, axis=1) > 1e-9
    assert apart_E.sum() == problem.differing
    even_EG = np.repeat((centre_EG @ problem.share_G)[:, None], problem.groups, axis=1)
    gain = problem.truth(centre_EG.ravel()) - problem.truth(even_EG.ravel())
    assert gain > 0.08 if problem.differing else gain == pytest.approx(0.0, abs=1e-9)


def test_the_table_of_coordinates_pairs_by_seed_and_knows_the_share_of_headroom():
    found = [("some-40", "grouped", 0, 0.7), ("some-40", "ungrouped", 0, 0.6), ("some-40", "grouped", 1, 0.9)]
    rows = [
        {"problem": p, "form": f, "contender": OURS, "seed": s, "delivered": d, "low": 0.0, "high": 1.0}
        for p, f, s, d in found
    ]
    results = coordinates.Results(rows, [{"problem": "some-40", "ungrouped": 0.6, "grouped": 0.8}], OURS)
    assert results.seeds("some-40") == [0]
    assert results.gains("some-40") == pytest.approx([0.1])
    assert results.headroom("some-40") == pytest.approx([0.5])
    (*_, line) = coordinates.table(results)
    assert line == "| some-40 | 40 | 1 | 60.0 | 80.0 | 60.0 | 70.0 | +10.0 (+10.0 to +10.0) | 50 % |"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("some-120", 0.5), ("none-120", None)])
def test_with_many_coordinates_half_of_the_headroom_is_reached_and_little_lost(name, least):
    problem, budget = GROUPED[name], coordinates.EVALUATIONS
    found = [
        run_trial(each, optimizer(OURS, {}, budget, each.space.dimensions), seed=100).delivered
        for each in (problem, problem.twin)
    ]
    if least is None:
        assert found[0] > found[1] - 0.01
    else:
        assert found[0] - found[1] > least * (problem.best_known() - found[1])

"""What greedy soups, LoraHub and refined grids do, each by itself.

Shape suffixes: D coordinates.
"""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.optimize import minimize

from support.optimizer_runs import concave, positions, run, space
from swarm.core.errors import ConfigError
from swarm.core.space import Baseline
from swarm.optimizers.greedy_soup import GreedySoup
from swarm.optimizers.grid import Grid
from swarm.optimizers.initial_design import reference_points
from swarm.optimizers.lorahub import TOLERANCE, LoraHub

VALUE_E = np.array([0.3, 0.9, 0.0, 0.6])


def pleasing(x_D: np.ndarray) -> float:
    """Experts 1 and 3 go together; with any other it is worse."""
    return float(VALUE_E @ x_D + 4.0 * x_D[1] * x_D[3] - 2.0 * x_D[0])


def test_a_soup_takes_in_the_best_first_and_leaves_out_what_spoils_it():
    history, state = run(GreedySoup(), pleasing, generations=9, where=space(4))
    assert [len(generation) for generation in history] == [len(reference_points(space(4))), 1, 1, 1, 0, 0, 0, 0, 0]
    trials = [generation[0].x_D.tolist() for generation in history[1:4]]
    assert trials[0] == [0, 0.5, 0, 0.5], "the best alone, then the second best"
    assert trials[1] == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3]), "utility alone ranks: expert 0 is worse than 2"
    assert trials[2] == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3]), "expert 2 did not stay"
    assert state.soup == (1, 3)
    assert state.utility == pleasing(np.array([0, 0.5, 0, 0.5])) == pleasing(state.soup_D)


def test_an_equal_utility_stays_and_a_failed_trial_does_not():
    _, equal = run(GreedySoup(), lambda x_D: 1.0, where=space(4))
    assert equal.soup == (0, 1, 2, 3)
    _, failed = run(GreedySoup(), lambda x_D: 1.0 if x_D.max() == 1 else float("nan"), where=space(4))
    assert failed.soup == (0,)


def test_a_soup_of_one_expert_ends_with_its_reference_points():
    history, _ = run(GreedySoup(), where=space(1))
    assert [bool(generation) for generation in history[:2]] == [True, False]


def test_an_expert_that_is_also_an_average_is_ranked_by_its_utility():
    averages = (Baseline.uniform(1.0, np.array([0.0, 1.0])), Baseline.uniform(0.5, np.array([0.5, 0.5])))
    where = replace(space(2), uniforms=averages)
    _, state = run(GreedySoup(), lambda x_D: float(x_D[1]), where=where)
    assert state.ranked == (1, 0)


def test_lorahub_is_cobyla_from_the_base_with_a_price_on_coefficients():
    where = space(3, low=-2.0, high=2.0)
    history, _ = run(LoraHub(), generations=40, where=where)
    seen: list[np.ndarray] = []

    def cost(z_D: np.ndarray) -> float:
        seen.append(0.5 * z_D)  # of bounds of -1.5 and 1.5, a sixth
        return -concave(0.5 * z_D) + 0.05 * float(np.abs(0.5 * z_D).mean())

    minimize(cost, np.zeros(3), method="COBYLA", tol=TOLERANCE, options={"maxiter": 40})
    np.testing.assert_allclose(positions(history), np.array(seen)[: len(positions(history))], atol=1e-12)
    assert [len(generation) for generation in history] == [1] * len(seen) + [0] * (40 - len(seen))


def test_lorahub_keeps_to_both_bounds():
    wide, _ = run(LoraHub(), lambda x_D: float(x_D.sum()), generations=40, where=space(3, low=-9.0, high=9.0))
    assert 1.49 < positions(wide).max() <= 1.5
    narrow, _ = run(LoraHub(), lambda x_D: float(x_D.sum()), generations=40, where=space(3, low=0.0, high=0.7))
    assert positions(narrow).min() >= 0.0
    assert 0.69 < positions(narrow).max() <= 0.7


def test_a_dearer_coefficient_is_a_smaller_one():
    found = []
    for l1 in (0.0, 5.0):
        history, _ = run(LoraHub(l1=l1), generations=60, where=space(3))
        found.append(np.abs(history[[bool(g) for g in history].count(True) - 1][0].x_D).sum())
    assert found[1] < found[0] / 2


@pytest.mark.parametrize("dimensions", [5, 10])
def test_a_refined_grid_comes_within_its_finest_step_in_some_hundred_evaluations(dimensions):
    target_D = np.random.default_rng(3).uniform(-0.4, 1.4, dimensions)
    history, state = run(
        Grid(refine=0.1), lambda x_D: -float(np.square(x_D - target_D).sum()), 60, where=space(dimensions)
    )
    assert len({tuple(x_D) for x_D in positions(history).tolist()}) <= 16 * dimensions
    assert np.abs(state.sweep.best_D - target_D).max() <= 0.1
    assert history[-1] == [], "it ends by itself"


def test_a_refined_grid_sweeps_coarse_to_fine_and_one_coordinate_at_a_time():
    history, _ = run(Grid(refine=0.1), generations=40, where=space(2))
    steps, best_D = [], reference_points(space(2))[0]
    for generation in filter(None, history[1:]):
        best_D = generation[0].personal_D
        moves = np.array([p.x_D - best_D for p in generation])
        assert (np.abs(moves) > 1e-9).sum(axis=1).tolist() == [1] * len(moves)
        steps.append(round(float(np.abs(moves).max(axis=1).min()), 6))
    assert steps[2::2] == sorted(steps[2::2], reverse=True)
    assert {0.25, 0.125, 0.1} <= set(steps)
    assert min(steps) == 0.1


def test_a_coordinate_without_room_is_passed_over():
    pinned = replace(space(3), high_D=np.array([1.5, -0.5, 1.5]))
    history, _ = run(Grid(refine=0.1), generations=60, where=pinned)
    assert set(positions(history)[:, 1]) == {-0.5}
    assert history[-1] == []


def test_a_finest_step_that_is_not_finer_is_refused():
    with pytest.raises(ConfigError, match=r"optimizer\.refine: 0\.5 is not finer .* step of 0\.5"):
        Grid(refine=0.5).init(space(3), 0)
    with pytest.raises(ValidationError, match="schedule"):
        Grid(refine=0.1, schedule="async")

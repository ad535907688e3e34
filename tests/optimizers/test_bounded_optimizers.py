"""PSO, random search and grid: bounds, reference points, and what each does.

Shape suffixes: D coordinates, N particles.
"""

import numpy as np
import pytest

from support.optimizer_runs import concave, positions, run, space
from swarm.core.errors import ConfigError
from swarm.optimizers import OPTIMIZERS
from swarm.optimizers.grid import Grid
from swarm.optimizers.initial_design import combination, reference_points
from swarm.optimizers.pso import PSO, reflect
from swarm.optimizers.random_search import RandomSearch

BOUNDED = ["pso", "random", "grid"]


@pytest.mark.parametrize("name", BOUNDED)
def test_bounds_are_kept(name):
    narrow = space(3, low=-0.1, high=0.4)
    history, _ = run(OPTIMIZERS[name](), lambda x_D: float(x_D[0] - x_D[1]), generations=8, where=narrow)
    assert positions(history).min() >= narrow.low_D[0]
    assert positions(history).max() <= narrow.high_D[0]


@pytest.mark.parametrize("name", BOUNDED)
def test_the_reference_points_come_first_in_their_order(name):
    history, _ = run(OPTIMIZERS[name](), generations=1)
    expected = np.vstack([np.full(3, 1 / 3), np.full(3, 0.5 / 3), np.full(3, 2 / 3), np.eye(3), np.zeros(3)])
    np.testing.assert_array_equal(positions(history)[:7], expected)


@pytest.mark.parametrize("seed", range(5))
def test_pso_beats_its_best_start(seed):
    history, state = run(PSO(), generations=30, seed=seed, where=space(6))
    best_start = max(concave(p.x_D) for p in history[0])
    assert state.global_utility > best_start / 20  # utilities are negative: twenty times closer to 0


@pytest.mark.parametrize("seed", range(5))
def test_pso_beats_random_search_at_equal_budget(seed):
    history, _ = run(RandomSearch(), generations=30, seed=seed, where=space(6))
    _, state = run(PSO(), generations=30, seed=seed, where=space(6))
    assert state.global_utility > max(map(concave, positions(history)))


def test_pso_moves_by_the_constricted_update_with_draws_per_coordinate():
    wide, seed = space(3, low=-9.0, high=9.0), 4
    _, before = run(PSO(), generations=3, seed=seed, where=wide)
    _, after = run(PSO(), generations=4, seed=seed, where=wide)
    for i, x_D in enumerate(before.generation.x_ND):
        u_p_D, u_g_D = np.random.default_rng([seed, 4, i, 2]).uniform(size=(2, 3))
        p_D, g_D = after.personal_best_ND[i], after.global_best_D
        v_D = 0.7298 * (before.v_ND[i] + 2.05 * u_p_D * (p_D - x_D) + 2.05 * u_g_D * (g_D - x_D))
        np.testing.assert_allclose(after.generation.x_ND[i], x_D + v_D)


def test_pso_starts_at_half_the_way_to_another_particle():
    _, state = run(PSO(), generations=0)
    x_ND = state.generation.x_ND
    goals_ND = x_ND + 2 * state.v_ND
    assert all(np.isclose(np.delete(x_ND, i, axis=0), goal_D).all(axis=1).any() for i, goal_D in enumerate(goals_ND))


def test_pso_with_few_particles_starts_at_the_most_promising_reference_points():
    history, _ = run(PSO(particles=4), generations=1)
    np.testing.assert_array_equal(positions(history), reference_points(space(3))[:4])


def test_one_expert_is_one_reference_point_though_it_is_its_own_average():
    assert reference_points(space(1)).tolist() == [[1.0], [0.5], [1.5], [0.0]]  # the double average is cut at the bound


def test_combinations_lie_between_the_scales_of_the_averages():
    totals = [combination(space(4), np.random.default_rng(i)).sum() for i in range(200)]
    assert 0.5 <= min(totals) < 0.6
    assert 1.6 < max(totals) <= 2.0


def test_reflection_at_a_bound_reverses_the_velocity_of_that_coordinate():
    moved = reflect(np.array([1.7, -0.6, 0.2, 9.0]), np.array([1.0, -2.0, 3.0, 9.0]), space(4))
    np.testing.assert_allclose(moved.x_D, [1.3, -0.4, 0.2, -0.5])
    np.testing.assert_array_equal(moved.v_D, [-1.0, 2.0, 3.0, -9.0])


def test_random_search_reaches_beyond_the_combinations():
    history, _ = run(RandomSearch(), generations=6)
    assert (positions(history).min(axis=1) < -0.2).any()


def test_grid_is_complete_and_ends():
    history, state = run(Grid(points=3, particles=7), generations=5)
    grid = {(a, b, c) for a in (-0.5, 0.5, 1.5) for b in (-0.5, 0.5, 1.5) for c in (-0.5, 0.5, 1.5)}
    assert [len(generation) for generation in history] == [7, 7, 7, 7, 6]  # 7 reference points and 27
    assert grid < set(map(tuple, positions(history)))
    assert len(set(map(tuple, positions(history)))) == 34
    assert Grid().ask(state) == []


def test_a_grid_beyond_the_budget_is_refused():
    with pytest.raises(ConfigError, match=r"optimizer\.points: 5 .* 6 dimensions .* 15,625 .* 10,000 .* pso"):
        Grid().init(space(6), 0)
    with pytest.raises(ConfigError, match=r"100 of optimizer\.evaluations"):
        Grid(evaluations=100).init(space(3), 0)

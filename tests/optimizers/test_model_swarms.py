"""Model Swarms: its initial design, its ablations, dropping, and the settings that it refuses.

Shape suffixes: N particles.
"""

import numpy as np
import pytest

from support.optimizer_runs import concave, positions, run, same, score, space
from swarm.core.errors import ConfigError
from swarm.optimizers.model_swarms import ModelSwarms


@pytest.mark.parametrize("seed", range(5))
def test_model_swarms_beats_its_best_start(seed):
    history, state = run(ModelSwarms(), generations=30, seed=seed, where=space(6))
    assert state.global_utility > max(concave(p.x_D) for p in history[0])


def test_model_swarms_keeps_the_sum_of_coefficients_and_leaves_their_hull():
    history, _ = run(ModelSwarms(), generations=10)
    np.testing.assert_allclose(positions(history).sum(axis=1), 1.0)
    assert positions(history).min() < 0


def test_model_swarms_starts_with_the_experts_then_affine_pairs_of_the_growing_pool():
    _, state = run(ModelSwarms(), generations=0, where=space(4))
    x_ND = state.generation.x_ND
    np.testing.assert_array_equal(x_ND[:4], np.eye(4))
    for i in range(4, 20):
        pairs = [(a, b) for a in range(i) for b in range(a)]
        rises = [np.linalg.matrix_rank(np.stack([x_ND[a] - x_ND[i], x_ND[b] - x_ND[i]]), tol=1e-9) for a, b in pairs]
        assert 1 in rises
    assert len(np.unique(x_ND, axis=0)) == 20


def test_model_swarms_without_crossover_starts_with_the_experts_alone():
    _, state = run(ModelSwarms(crossover=False, particles=7), generations=0)
    np.testing.assert_array_equal(state.generation.x_ND, np.eye(3)[[0, 1, 2, 0, 1, 2, 0]])


@pytest.mark.parametrize("ablation", [{"randomness": False}, {"crossover": False}, {"repel": 0.0}, {"restart": False}])
def test_each_ablation_of_model_swarms_changes_the_run(ablation):
    rough = lambda x_D: float(np.sin(40 * x_D).sum())  # noqa: E731 - hard enough that particles get stuck
    assert not same(run(ModelSwarms(**ablation), rough, 12)[0], run(ModelSwarms(), rough, 12)[0])


def test_without_randomness_the_terms_keep_the_shares_of_their_settings():
    swarm = ModelSwarms(randomness=False)
    _, state = run(swarm, generations=0)
    state = swarm.tell(state, score(swarm.ask(state)))
    _, before = run(swarm, generations=0)
    x_ND, worst = before.generation.x_ND, state.global_worst_D
    v_ND = (0.2 * before.v_ND + 0.4 * (state.global_best_D - x_ND) + 0.05 * (x_ND - worst)) / 0.95
    np.testing.assert_allclose(state.v_ND, v_ND)
    np.testing.assert_allclose(state.generation.x_ND, x_ND + 0.8 * v_ND)


def test_dropped_iterations_and_particles_move_on_unscored():
    swarm = ModelSwarms(drop_iteration=0.5, drop_particle=0.3)
    history, state = run(swarm, generations=40)
    assert len(history[0]) == 20  # the first generation is never dropped
    asked = [generation[0].iteration for generation in history]
    assert asked == sorted(set(asked))
    assert 50 < asked[-1] < 120
    assert 0.6 < np.mean([len(generation) for generation in history[1:]]) / 20 < 0.8
    assert state.global_utility == max(map(concave, positions(history)))


def test_dropping_moves_with_the_same_draws():
    """As long as no result differs, particles move the same whichever of them are scored."""
    flat = lambda x_D: 0.0  # noqa: E731
    full, dropped = run(ModelSwarms(), flat, 6)[0], run(ModelSwarms(drop_particle=0.5), flat, 6)[0]
    for generation, part in zip(full, dropped, strict=True):
        by_particle = {p.particle: p.x_D for p in generation}
        assert all(np.array_equal(p.x_D, by_particle[p.particle]) for p in part)


def test_model_swarms_refuses_what_it_cannot_start_from():
    with pytest.raises(ConfigError, match=r"optimizer\.particles: 4 .* 6 experts .* set it to 6"):
        ModelSwarms(particles=4).init(space(6), 0)
    with pytest.raises(ConfigError, match=r"experts: 1 .* pso"):
        ModelSwarms().init(space(1), 0)

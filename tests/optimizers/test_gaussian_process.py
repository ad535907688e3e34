"""The Gaussian process, and what the optimizer makes of it. Shape suffixes: N points, D coordinates."""

import numpy as np
import pytest

from support.optimizer_runs import concave, positions, run, space
from swarm.optimizers import OPTIMIZERS
from swarm.optimizers.acquisition import chosen
from swarm.optimizers.bayesian import Bayesian
from swarm.optimizers.gaussian_process import GaussianProcess, matern
from swarm.optimizers.generational import ParticleGeneration
from swarm.optimizers.history import HistoryState
from swarm.optimizers.positions import to_unit_cube
from swarm.optimizers.surrogate import MAX_OBSERVATIONS, observations

NOTHING = np.empty((0, 3))


def smooth(x_ND: np.ndarray) -> np.ndarray:
    return np.exp(-4 * np.square(x_ND - 0.4).sum(axis=1))


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    return np.random.default_rng(0).uniform(size=(60, 3))


def test_the_kernel_is_one_at_a_point_and_falls_with_the_distance(points):
    kernel_NN = matern(points, points, 0.5)
    assert np.allclose(np.diag(kernel_NN), 1.0)
    assert np.allclose(kernel_NN, kernel_NN.T)
    distance_NN = np.linalg.norm(points[:, None] - points, axis=2)
    order = np.argsort(distance_NN[0])
    assert (np.diff(kernel_NN[0][order]) <= 1e-12).all()


def test_without_noise_it_goes_through_what_was_seen(points):
    process = GaussianProcess.fitted(points, smooth(points))
    assert np.abs(process.expected(points) - smooth(points)).max() < 0.02
    fresh = np.random.default_rng(1).uniform(size=(200, 3))
    assert np.sqrt(np.square(process.expected(fresh) - smooth(fresh)).mean()) < 0.1 * smooth(fresh).std()


def test_of_noisy_utilities_it_knows_the_truth_better_than_they_do(points):
    noisy_N = smooth(points) + np.random.default_rng(2).normal(0.0, 0.1, len(points))
    process = GaussianProcess.fitted(points, noisy_N)
    off = np.square(process.expected(points) - smooth(points)).mean()
    assert off < 0.5 * np.square(noisy_N - smooth(points)).mean()


def test_with_kappa_0_the_choice_is_the_best_expected_and_choices_of_greater_kappa_keep_apart(points):
    process = GaussianProcess.fitted(points[:20], smooth(points[:20]))
    fresh = np.random.default_rng(3).uniform(size=(300, 3))
    assert chosen(process, fresh, np.zeros(1), NOTHING)[0] == process.expected(fresh).argmax()
    apart_ND = fresh[chosen(process, fresh, np.full(8, 3.0), NOTHING)]
    apart = np.linalg.norm(apart_ND[:, None] - apart_ND, axis=2)[~np.eye(8, dtype=bool)]
    assert apart.min() > 0.0  # the outcome of a choice leaves no doubt there, whatever it is


@pytest.mark.parametrize("dimensions", [1, 3, 12])
def test_it_needs_fewer_evaluations_than_any_swarm(dimensions):
    """Against the best of as many random ones, and what PSO finds with three times as many."""
    where = space(dimensions)
    history, _ = run(Bayesian(), where=where, generations=6)
    ours = max(map(concave, positions(history)))
    others = {name: run(OPTIMIZERS[name](), where=where, generations=9)[0] for name in ("pso", "random")}
    for name, theirs in others.items():
        assert len(positions(theirs)) >= 2.5 * len(positions(history)) or dimensions == 12
        assert ours >= max(map(concave, positions(theirs))), name


def test_where_all_utilities_are_equal_it_looks_elsewhere():
    history, _ = run(Bayesian(), lambda x_D: 0.5, generations=4)
    assert len(np.unique(positions(history), axis=0)) == len(positions(history))


def test_of_many_observations_it_keeps_the_best_and_the_latest():
    rng = np.random.default_rng(0)
    history = tuple(
        ParticleGeneration(i, rng.uniform(size=(50, 2)), np.zeros(50, bool), rng.normal(size=50)) for i in range(12)
    )
    x_ND, y_N = observations(HistoryState(space=space(2), seed=0, generation=history[-1], history=history))
    everything = np.concatenate([generation.utilities_N for generation in history])
    assert len(x_ND) == len(y_N) <= MAX_OBSERVATIONS
    assert set(np.sort(everything)[-100:]) <= set(y_N)
    assert set(to_unit_cube(space(2), history[-1].x_ND)[:, 0]) <= set(x_ND[:, 0])


def test_the_last_bits_of_sums_change_no_choice(points):
    """Another order of the observations is another order of every sum, as another number of threads is."""
    noisy_N = smooth(points) + np.random.default_rng(2).normal(0.0, 0.05, len(points))
    fresh = np.random.default_rng(3).uniform(size=(500, 3))
    order = np.random.default_rng(4).permutation(len(points))
    one, other = GaussianProcess.fitted(points, noisy_N), GaussianProcess.fitted(points[order], noisy_N[order])
    assert not np.array_equal(one.weights_N[order], other.weights_N)
    kappas = np.linspace(0.0, 3.0, 10)
    assert chosen(one, fresh, kappas, NOTHING) == chosen(other, fresh, kappas, NOTHING)


@pytest.mark.parametrize("dimensions", [1, 4])
def test_it_takes_any_utilities(dimensions):
    """All but a few the best of all, tiny, huge: a search goes on."""
    for utility in (
        lambda x_D: float(x_D[0] < 1.0),
        lambda x_D: 1e-12 * concave(x_D),
        lambda x_D: 1e12 * concave(x_D) - 1e15,
    ):
        history, _ = run(Bayesian(), utility, generations=5, where=space(dimensions))
        assert np.isfinite(positions(history)).all()


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_no_position_is_asked_for_twice_not_even_in_a_corner(dimensions):
    history, _ = run(Bayesian(), lambda x_D: float(x_D.sum()), generations=8, where=space(dimensions))
    initial_design, asked = positions(history[:1]), positions(history[1:])
    assert len(np.unique([*initial_design, *asked], axis=0)) == len(np.unique(initial_design, axis=0)) + len(asked)
    assert asked[-10:].sum(axis=1).max() > 1.4 * dimensions, (
        "the best is where all coordinates are at their bound of 1.5"
    )


def test_a_particle_alone_takes_the_middle_kappa():
    assert Bayesian(particles=1, boldness=3).kappas().tolist() == [1.5]
    assert Bayesian(particles=3, boldness=3).kappas().tolist() == [0.0, 1.5, 3.0]

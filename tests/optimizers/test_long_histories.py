"""Long searches: a kernel on a schedule, steps that are believed, and the same choices as without either.

Shape suffixes: N observations, M points, D coordinates.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import solve_triangular
from scipy.stats import multivariate_normal

from support.optimizer_runs import concave, half_failing, run, same, score, space
from swarm.optimizers import OPTIMIZERS, Observation, Optimizer, kernel_schedule
from swarm.optimizers.acquisition import FantasyPosterior, chosen
from swarm.optimizers.bayesian import Bayesian
from swarm.optimizers.gaussian_process import LENGTHS, NOISES, GaussianProcess, Kernel, matern, solved
from swarm.optimizers.history_cache import HistoryCache
from swarm.optimizers.kernel_schedule import GROWTH, MOST_BETWEEN, first_observations, scheduled
from swarm.optimizers.surrogate import MAX_OBSERVATIONS, observations

RNG = np.random.default_rng(0)
X_ND = RNG.uniform(size=(90, 4))
Y_N = np.sin(4 * X_ND.sum(axis=1)) + RNG.normal(0.0, 0.2, len(X_ND))


def test_a_triangular_system_is_solved_as_scipy_does_it():
    lower_NN = np.linalg.cholesky(matern(X_ND, X_ND, 0.5) + 0.01 * np.eye(90))
    b_NR = RNG.normal(size=(90, 7))
    assert np.allclose(solved(lower_NN, b_NR), solve_triangular(lower_NN, b_NR, lower=True), atol=1e-11)


def test_the_kernel_is_the_likeliest_of_the_grid_by_scipy_s_density():
    """Its constant and scale maximise the density, too."""
    y_N = (Y_N - Y_N.mean()) / Y_N.std()
    process = GaussianProcess.fitted(X_ND, Y_N)

    def log_density(kernel: Kernel, constant: float, scale: float) -> float:
        covariance = scale**2 * (matern(X_ND, X_ND, kernel.length) + kernel.noise * np.eye(len(y_N)))
        return float(multivariate_normal(np.full(len(y_N), constant), covariance).logpdf(y_N))

    best = log_density(process.fit.kernel, process.fit.constant, process.fit.scale)
    for change in (-1e-3, 1e-3):
        assert log_density(process.fit.kernel, process.fit.constant + change, process.fit.scale) < best
        assert log_density(process.fit.kernel, process.fit.constant, process.fit.scale + change) < best
    for length in LENGTHS:
        for noise in NOISES:
            other = GaussianProcess.fitted(X_ND, Y_N, Kernel(2.0 * length, noise))
            assert log_density(other.fit.kernel, other.fit.constant, other.fit.scale) <= best + 1e-6
            assert other.fit.likelihood <= process.fit.likelihood


def test_a_process_with_a_known_kernel_is_the_one_that_was_fitted():
    process = GaussianProcess.fitted(X_ND, Y_N)
    assert same(GaussianProcess.fitted(X_ND, Y_N, process.fit.kernel), process)
    covariance = matern(X_ND, X_ND, process.fit.length) + process.fit.noise * np.eye(90)
    expected = process.fit.constant + matern(X_ND, X_ND, process.fit.length) @ np.linalg.solve(
        covariance, (Y_N - Y_N.mean()) / Y_N.std() - process.fit.constant
    )
    assert np.allclose(process.expected(X_ND), Y_N.mean() + Y_N.std() * expected, atol=1e-6)


def test_the_kernel_is_fitted_at_every_count_at_first_and_ever_more_seldom():
    counts = sorted({scheduled(n) for n in range(5001)})
    assert counts[: 2 * GROWTH + 1] == list(range(2 * GROWTH + 1))
    gaps = np.diff(counts)
    assert (gaps <= np.maximum(1, np.array(counts[:-1]) / GROWTH)).all()
    assert gaps.max() == MOST_BETWEEN
    assert all(scheduled(n) == n for n in counts)
    assert all(n - MOST_BETWEEN < scheduled(n) <= n for n in range(0, 5001, 7))


def test_positions_that_are_pending_count_as_observations_whose_outcome_changes_no_mean():
    process = GaussianProcess.fitted(X_ND[:60], Y_N[:60])
    pending_KD, x_MD = X_ND[60:67], X_ND[67:]
    posterior = FantasyPosterior.of(process, np.vstack([pending_KD, x_MD]))
    for row in range(len(pending_KD)):
        posterior = posterior.updated(row)
    at_once = FantasyPosterior.of(process, x_MD, pending_KD)
    assert np.allclose(at_once.variance_M, posterior.variance_M[len(pending_KD) :], atol=1e-12)
    assert np.allclose(at_once.mean_M, process.standard_mean(process.kernel(x_MD, X_ND[:60])))
    rows = chosen(process, x_MD, np.full(3, 2.0), pending_KD)
    for row in rows[:2]:
        at_once, posterior = at_once.updated(row), posterior.updated(len(pending_KD) + row)
    assert np.allclose(at_once.variance_M, posterior.variance_M[len(pending_KD) :], atol=1e-12)
    assert len(set(rows)) == 3


def test_of_a_history_the_first_observations_are_cut_within_a_generation():
    history = run(Bayesian(), generations=4)[1].history
    x_ND = np.concatenate([generation.x_ND for generation in history])
    for count in (0, 1, len(history[0].x_ND), len(history[0].x_ND) + 3, len(x_ND)):
        found = first_observations(history, count)
        assert sum(len(generation.utilities_N) for generation in found) == count
        assert not count or np.array_equal(np.concatenate([g.x_ND for g in found]), x_ND[:count])


def stepped(optimizer, steps, utility=concave, seed=0):
    """An async search whose results come in the order of the proposals."""
    state = optimizer.init(space(3), seed)
    queue = optimizer.ask(state)
    for _ in range(steps):
        (result,) = score(queue[:1], utility)
        state, proposals = optimizer.step(state, result)
        queue = queue[1:] + proposals
    return state, queue


@pytest.mark.parametrize("name", [name for name, kind in OPTIMIZERS.items() if kind.step is not Optimizer.step])
@pytest.mark.parametrize("utility", [concave, half_failing])
def test_a_step_that_is_believed_leads_to_the_same_state(name, utility):
    optimizer = OPTIMIZERS[name](schedule="async", particles=4)
    state, queue = stepped(optimizer, 9, utility)
    (result,) = score(queue[:1], utility)
    after, (proposal, *_) = optimizer.step(state, result)
    assert same(optimizer.retrace(state, result, proposal.x_D), (after, [proposal]))


def test_a_search_finds_its_kernel_again_from_its_history_alone(monkeypatch):
    """As a resume does, after which nothing is kept."""
    optimizer = Bayesian(schedule="async", particles=4)
    state, queue = stepped(optimizer, 45)
    (result,) = score(queue[:1])
    straight = optimizer.step(state, result)
    monkeypatch.setattr(kernel_schedule, "_kernels", HistoryCache())
    assert same(optimizer.step(state, result), straight)
    other, others = stepped(optimizer, 20, half_failing)
    assert not same(optimizer.step(other, score(others[:1])[0])[1], straight[1])


def test_a_kernel_is_fitted_once_at_each_scheduled_count(monkeypatch):
    counts = []

    class Counting(HistoryCache):
        def put(self, key, history, value):
            counts.append(key)
            super().put(key, history, value)

    monkeypatch.setattr(kernel_schedule, "_kernels", Counting())
    stepped(Bayesian(schedule="async", particles=4), 40)
    assert counts == [n for n in range(2, 41) if scheduled(n) == n]


def test_with_few_observations_a_generation_has_a_kernel_of_its_own_and_with_many_the_schedule_s():
    optimizer = Bayesian()
    _, state = run(optimizer, generations=3)
    assert optimizer.kernel(state) is None
    rng = np.random.default_rng(0)
    many = replace(
        state.history[-1],
        x_ND=rng.uniform(size=(MAX_OBSERVATIONS, 3)),
        open_N=np.zeros(MAX_OBSERVATIONS, bool),
        utilities_N=rng.normal(size=MAX_OBSERVATIONS),
    )
    history = (*state.history, many)
    state = replace(state, history=history)
    count = scheduled(sum(len(generation.x_ND) for generation in history))
    known = replace(state, history=first_observations(history, count))
    assert optimizer.kernel(state) == GaussianProcess.fitted(*observations(known)).fit.kernel


def test_a_failure_that_comes_first_leaves_nothing_to_fit_and_the_search_goes_on():
    optimizer = Bayesian(schedule="async", particles=3)
    state = optimizer.init(space(2), 0)
    for proposal in optimizer.ask(state):
        state, (following,) = optimizer.step(state, Observation(0, proposal.particle, float("nan")))
        assert np.isfinite(following.x_D).all()

"""Searches with a coefficient for each expert and group of parameters.

Shape suffixes: N positions, E experts, G groups, D = E * G coordinates (expert-major).
"""

import numpy as np
import pytest

from support.optimizer_runs import grouped_space, positions, run, space
from swarm.core.expert_groups import ExpertGroups
from swarm.optimizers import OPTIMIZERS, Observation
from swarm.optimizers.bayesian import Bayesian
from swarm.optimizers.gaussian_process import RHOS, GaussianProcess
from swarm.optimizers.grouped_moves import SHARES, climbed, closer, evened, grouped_candidates
from swarm.optimizers.guided_pso import GuidedPSO
from swarm.optimizers.surrogate import ALIKE

EXPERTS, GROUPS = 3, 4
SURROGATES = ("guided_pso", "bayesian")
WHERE = grouped_space(EXPERTS, GROUPS)
OF = ExpertGroups.of(WHERE)
APART_EG = 0.3 * np.array([[1, -1, 1, -1], [1, 1, -1, -1], [0, 0, 0, 0]])


def utility(x_D: np.ndarray, apart_EG: np.ndarray = APART_EG) -> float:
    """Best where the experts' means are 0.4, 0.2 and 0 and their groups are apart by `apart_EG`."""
    best_EG = np.array([0.4, 0.2, 0.0])[:, None] + apart_EG
    return float(np.exp(-np.square(x_D.reshape(EXPERTS, GROUPS) - best_EG).sum(axis=1).mean()))


def even(x_E: np.ndarray) -> float:
    return utility(np.repeat(x_E, GROUPS))


def process(weight: float, count: int = 150) -> GaussianProcess:
    """Of a function that deviations change `weight` times as much as means."""
    rng = np.random.default_rng(0)
    x_ND = rng.uniform(size=(count, EXPERTS * GROUPS))
    y_N = np.sin(OF.scaled(x_ND, weight) @ rng.normal(size=EXPERTS * GROUPS))
    return GaussianProcess.fitted(x_ND, y_N, groups=OF)


def test_it_knows_which_coordinates_are_one_experts():
    assert OF.expert_D.tolist() == np.repeat(np.arange(EXPERTS), GROUPS).tolist()
    assert OF.group_D.tolist() == EXPERTS * list(range(GROUPS))
    assert ExpertGroups.of(space(5)) is None, "one coefficient an expert"


def test_means_and_deviations_make_up_the_position():
    x_ND = np.random.default_rng(0).uniform(-0.5, 1.5, (7, EXPERTS * GROUPS))
    means_NE = x_ND.reshape(7, EXPERTS, GROUPS).mean(axis=2)
    np.testing.assert_allclose(OF.means(x_ND), means_NE)
    np.testing.assert_allclose(OF.repeated(means_NE) + OF.deviations(x_ND), x_ND)
    np.testing.assert_allclose(OF.scaled(x_ND, 1.0), x_ND)
    np.testing.assert_allclose(OF.scaled(x_ND, 0.0), np.repeat(means_NE, GROUPS, axis=1))
    np.testing.assert_allclose(OF.spread(x_ND), np.sqrt(np.square(OF.deviations(x_ND)).mean(axis=1)))
    assert np.array_equal(OF.means(OF.repeated(means_NE)), means_NE), "to the bit where they are equal"
    only_E = np.array([1.0, 0.0, 1.0])
    np.testing.assert_allclose(OF.deviations(OF.scaled(x_ND, only_E))[:, GROUPS : 2 * GROUPS], 0.0, atol=1e-12)


def test_without_groups_the_space_is_that_of_one_coefficient_an_expert():
    plain, other = space(EXPERTS), OF.ungrouped(WHERE)
    for name in ("low_D", "high_D", "neutral_D", "experts_ED", "uniforms_UD"):
        assert np.array_equal(getattr(plain, name), getattr(other, name)), name
    assert [each.id for each in other.baselines] == [each.id for each in plain.baselines]


@pytest.mark.parametrize("kind", SURROGATES)
def test_at_first_a_search_with_groups_is_the_one_without(kind):
    """So it never knows less of one coefficient an expert than that many evaluations tell."""
    optimizer = OPTIMIZERS[kind]()
    with_groups = positions(run(optimizer, utility, generations=5, where=WHERE, seed=3)[0])
    without = positions(run(optimizer, even, generations=5, where=space(EXPERTS), seed=3)[0])
    first = ALIKE * EXPERTS
    np.testing.assert_allclose(with_groups[:first], np.repeat(without, GROUPS, axis=1)[:first], rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", SURROGATES)
def test_then_groups_move_apart_and_gain(kind):
    optimizer = OPTIMIZERS[kind]()
    per_generation = len(optimizer.ask(optimizer.init(WHERE, 0))) if kind == "bayesian" else 5
    tried_ND = positions(run(optimizer, utility, generations=90 // per_generation, where=WHERE)[0])
    spread_N = OF.spread(tried_ND)
    best = int(np.argmax([utility(x_D) for x_D in tried_ND]))
    together = max(utility(x_D) for x_D in tried_ND[spread_N < 1e-9])
    assert utility(tried_ND[best]) > together + 0.5 * (1.0 - utility(np.repeat([0.4, 0.2, 0.0], GROUPS)))
    assert len(np.unique(tried_ND, axis=0)) == len(tried_ND)
    assert (spread_N[-30:] < 0.8 * spread_N[best]).sum() >= 3, "some candidates whose groups differ less"


def test_async_steps_go_through_both_parts():
    optimizer = GuidedPSO(schedule="async", particles=3)
    state = optimizer.init(WHERE, 0)
    queue = optimizer.ask(state)
    for _ in range(ALIKE * EXPERTS + 6):
        first, *queue = queue
        state, more = optimizer.step(state, Observation(first.iteration, first.particle, utility(first.x_D)))
        queue += more
    assert OF.spread(np.array([more[0].x_D]))[0] > 0 or OF.spread(state.generation.x_ND).max() > 0


@pytest.mark.parametrize("utility", [lambda x_D: float(x_D.sum()), lambda x_D: 0.5, lambda x_D: float("nan")])
def test_any_utilities_let_the_search_go_on(utility):
    where = grouped_space(2, 2)
    tried_ND = positions(run(Bayesian(), utility, generations=6, where=where)[0])
    assert len(np.unique(tried_ND, axis=0)) == len(tried_ND)


def test_rho_is_small_where_deviations_matter_little_and_1_where_as_much_as_means():
    assert process(1.0).fit.rho >= 0.7
    assert process(0.1).fit.rho <= 0.25
    assert process(0.1).fit.rho in RHOS


def test_with_rho_1_the_kernel_is_the_one_without_groups():
    with_groups = process(1.0, 40)
    x_ND, y_N = with_groups.x_ND, np.sin(with_groups.x_ND.sum(axis=1))
    kernel = GaussianProcess.fitted(x_ND, y_N).fit.kernel
    assert kernel.rho == 1.0
    one, other = (GaussianProcess.fitted(x_ND, y_N, kernel, groups) for groups in (None, OF))
    np.testing.assert_allclose(one.expected(x_ND), other.expected(x_ND), atol=1e-6)


def test_uphill_is_where_differences_say():
    fitted = process(0.5)
    x_1D = fitted.x_ND[:1] + 0.01
    step = 1e-5
    slope_D = [
        (fitted.expected(x_1D + step * e_D) - fitted.expected(x_1D - step * e_D))[0] for e_D in np.eye(x_1D.shape[1])
    ]
    by_kernel_D = OF.scaled(OF.scaled(np.array([slope_D]), 1.0 / fitted.fit.rho), 1.0 / fitted.fit.rho)[0]
    (way_D,) = fitted.uphill(x_1D)
    assert way_D @ by_kernel_D > 0.98 * np.linalg.norm(way_D) * np.linalg.norm(by_kernel_D)


def test_the_way_uphill_rises_within_the_bounds():
    fitted = process(1.0)
    for alike in (False, True):
        start_1D = OF.scaled(fitted.x_ND[:1], 0.0)
        way_MD = climbed(fitted, start_1D, alike)
        assert (np.diff(fitted.expected(way_MD)) >= -1e-9).all()
        assert fitted.expected(way_MD)[-1] > fitted.expected(start_1D)[0]
        assert way_MD.min() >= 0.0
        assert way_MD.max() <= 1.0
        assert (OF.spread(way_MD) < 1e-9).all() == alike


def test_candidates_hold_steps_of_every_kind_and_positions_whose_groups_differ_less():
    fitted, rng = process(1.0), np.random.default_rng(1)
    x_MD = grouped_candidates(fitted, fitted.x_ND, 1, rng, 0.5)
    assert ((x_MD >= 0.0) & (x_MD <= 1.0)).all()
    closer_MD = closer(OF, fitted.x_ND[:1])
    np.testing.assert_allclose(OF.spread(closer_MD)[: len(SHARES)], np.array(SHARES) * OF.spread(fitted.x_ND[:1]))
    assert len(closer_MD) == len(SHARES) + EXPERTS


def test_a_fifth_of_the_moves_keeps_the_groups_closer_together_in_turn():
    shares = [[evened(iteration, particle) for particle in range(5)] for iteration in range(20)]
    assert all(sum(share is not None for share in row) == 1 for row in shares)
    assert {share for row in shares for share in row} == {None, *SHARES}
    alone = [evened(iteration, 0) for iteration in range(40)]
    assert set(alone) == {None, *SHARES}, "also of a single particle"

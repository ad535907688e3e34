"""Guided PSO: its moves are PSO's, and a Gaussian process chooses among them.

Shape suffixes: M moves, N positions, T positions of a path, D coordinates.
"""

from dataclasses import replace

import numpy as np
import pytest

from support.optimizer_runs import concave, positions, run, score, space
from swarm.optimizers import OPTIMIZERS, Observation, PriorResult
from swarm.optimizers.guided_pso import LOCAL_MOVES, REFINED_MOVES, GuidedPSO, GuidedState, mirrored, velocity
from swarm.optimizers.positions import to_unit_cube

ALONE = GuidedPSO(overlap=False)
LUCKY = 1.0


def unit(state: GuidedState, x_ND: np.ndarray) -> np.ndarray:
    return to_unit_cube(state.space, x_ND)


@pytest.fixture(scope="module")
def before() -> GuidedState:
    """Before the particles' last moves; without overlap, so that all positions are scored."""
    return run(ALONE, generations=5, seed=4)[1]


def test_a_particle_makes_one_of_its_moves_of_psos_constricted_update(before):
    """Replayed from the draws that the page of algorithms names."""
    after = ALONE.tell(before, score(ALONE.ask(before)))
    process = ALONE.process(after)
    g_D = process.x_ND[np.argmax(process.expected(process.x_ND))]
    for i, path_TD in enumerate(before.paths):
        path_TD = unit(before, path_TD)
        p_D = path_TD[np.argmax(process.expected(path_TD))]
        u_p_MD, u_g_MD = np.random.default_rng([4, 6, i, 2]).uniform(size=(2, 200, 3))
        x_D, v_D = path_TD[-1], path_TD[-1] - path_TD[-2]
        v_MD = 0.7298 * (v_D + 2.05 * u_p_MD * (p_D - x_D) + 2.05 * u_g_MD * (g_D - x_D))
        moves_MD = ALONE.drawn(replace(after, paths=before.paths), process, 6, i)
        np.testing.assert_allclose(moves_MD[:200], mirrored(x_D + v_MD))
        assert len(moves_MD) == 200 + LOCAL_MOVES + 3 * REFINED_MOVES
        made_D = unit(after, after.generation.x_ND[[i]])[0]
        assert np.isclose(moves_MD, made_D).all(axis=1).any()
    np.testing.assert_array_equal([path_TD[-1] for path_TD in after.paths], after.generation.x_ND)


def test_the_first_particle_makes_its_most_promising_move(before):
    """Its kappa is 0: no move of its own has a higher mean."""
    after = ALONE.tell(before, score(ALONE.ask(before)))
    process = ALONE.process(after)
    moves_MD = ALONE.drawn(replace(after, paths=before.paths), process, 6, 0)
    made = process.expected(unit(after, after.generation.x_ND[:1]))[0]
    assert made == pytest.approx(process.expected(moves_MD).max(), abs=1e-9)


def test_one_lucky_score_is_not_where_the_swarm_goes():
    """A worse position whose score came out best of all: the neighbours' scores say that it was luck."""
    rng = np.random.default_rng(0)
    x_ND = np.vstack([rng.uniform(-0.5, 1.5, (60, 2)), [[1.4, 1.4]], rng.normal(1.4, 0.03, (8, 2)).clip(-0.5, 1.5)])
    y_N = np.array([concave(x_D) for x_D in x_ND]) + rng.normal(0, 0.05, len(x_ND))
    y_N[60] = LUCKY
    told = ALONE.remember(ALONE.init(space(2), 0), [PriorResult(x_D, y) for x_D, y in zip(x_ND, y_N, strict=True)])
    first = told.paths[0][0]
    assert y_N.argmax() == 60
    assert np.linalg.norm(first - [0.1, 0.2]) < 0.5


def test_under_overlap_a_particle_moves_on_from_where_it_is_being_scored():
    optimizer = GuidedPSO()
    _, state = run(optimizer, generations=5)
    for i, path_TD in enumerate(state.paths):
        np.testing.assert_array_equal(path_TD[-2:], [state.generation.x_ND[i], state.pending.x_ND[i]])
        np.testing.assert_allclose(velocity(state, i), np.diff(unit(state, path_TD[-2:]), axis=0)[0])


def test_it_starts_at_the_best_reference_points_at_half_the_way_to_another():
    state = ALONE.init(space(5), 0)
    first = ALONE.ask(state)
    state = ALONE.tell(state, score(first))
    starts = np.array([path_TD[0] for path_TD in state.paths])
    assert max(map(concave, positions([first]))) == max(map(concave, starts))
    origin = replace(state, paths=tuple(path_TD[:1] for path_TD in state.paths))
    for i in range(5):
        goal_D = unit(state, starts)[i] + 2 * velocity(origin, i)
        assert np.isclose(unit(state, starts), goal_D).all(axis=1).any()


def test_async_a_step_moves_its_own_particle_alone():
    optimizer = GuidedPSO(schedule="async")
    state = optimizer.init(space(3), 0)
    for proposal in optimizer.ask(state)[:4]:
        result = Observation(proposal.iteration, proposal.particle, concave(proposal.x_D))
        state, (following,) = optimizer.step(state, result)
        np.testing.assert_array_equal(state.paths[proposal.particle][-1], following.x_D)
    assert [len(path_TD) for path_TD in state.paths] == [2, 2, 2, 2, 1]


def test_a_coordinate_beyond_a_side_is_mirrored_at_it():
    np.testing.assert_allclose(mirrored(np.array([1.2, -0.1, 0.3, 9.0, -9.0])), [0.8, 0.1, 0.3, 0.0, 1.0])


@pytest.mark.parametrize("dimensions", [1, 3, 12])
def test_it_needs_fewer_evaluations_than_pso(dimensions):
    ours = max(map(concave, positions(run(GuidedPSO(), where=space(dimensions), generations=6)[0])))
    theirs = max(map(concave, positions(run(OPTIMIZERS["pso"](), where=space(dimensions), generations=9)[0])))
    assert ours >= theirs


@pytest.mark.parametrize("dimensions", [1, 2])
def test_no_position_is_asked_for_twice_not_even_in_a_corner(dimensions):
    history, _ = run(GuidedPSO(), lambda x_D: float(x_D.sum()), generations=8, where=space(dimensions))
    first, asked = positions(history[:1]), positions(history[1:])
    assert len(np.unique([*first, *asked], axis=0)) == len(np.unique(first, axis=0)) + len(asked)
    assert asked[-10:].sum(axis=1).max() > 1.4 * dimensions, "the best is the corner"


def test_where_all_utilities_are_equal_or_all_fail_it_looks_elsewhere():
    for utility in (lambda x_D: 0.5, lambda x_D: float("nan")):
        history, _ = run(GuidedPSO(), utility, generations=5)
        assert len(np.unique(positions(history), axis=0)) == len(positions(history))

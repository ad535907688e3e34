"""The search for a front, and under floors: what it reaches where the answer is known.

Shape suffixes: N positions, W directions, K objectives, D coordinates.
"""

from math import gamma, pi

import moocore
import numpy as np
import pytest

from support.measured_runs import EXACT, Measurements, concave_front, searched
from support.optimizer_runs import run, same, space
from swarm.core.measured import Measured
from swarm.optimizers import Observation
from swarm.optimizers.base import PriorResult
from swarm.optimizers.bayesian import Bayesian
from swarm.optimizers.front_acquisition import directions, scalarised
from swarm.optimizers.front_model import MOST_MEASURED, FrontModel
from swarm.optimizers.generational import ParticleGeneration
from swarm.optimizers.guided_pso import GuidedPSO
from swarm.optimizers.history import HistoryState
from swarm.optimizers.measured_process import MeasuredProcess
from swarm.optimizers.positions import to_unit_cube

KINDS = [GuidedPSO, Bayesian]
ASYNC = GuidedPSO(goal="front", schedule="async", particles=4)


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_hypervolume_is_the_mean_of_scalarised_values(objectives: int) -> None:
    """Golovin & Zhang 2020, lemma 5, with the constant pi^(K/2) / (2^K Gamma(K/2 + 1)); moocore is the oracle."""
    rng = np.random.default_rng(objectives)
    y_NK = rng.uniform(0.1, 1.0, (6, objectives))
    w_WK = directions(200_000, objectives, rng)
    constant = pi ** (objectives / 2) / (2**objectives * gamma(objectives / 2 + 1))
    found = constant * scalarised(y_NK, w_WK).max(axis=0).mean()
    assert found == pytest.approx(moocore.hypervolume(-y_NK, ref=np.zeros(objectives)), rel=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_a_concave_front_is_covered_in_its_middle(kind: type[GuidedPSO] | type[Bayesian]) -> None:
    """Where every weighted sum is highest at an end: one that searches the mean of both goes there."""
    x_ND = searched(kind(goal="front"), Measurements(concave_front), 60)
    y_NK = np.array([concave_front(x_D) for x_D in x_ND])
    assert y_NK.min(axis=1).max() > 0.2, "at the middle both objectives are 0.25"
    history, _ = run(kind(), lambda x_D: float(np.mean(concave_front(x_D))), 12)
    late = np.array([concave_front(p.x_D) for generation in history[6:] for p in generation])
    assert max(late, key=lambda y_K: y_K.mean()).min() < 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_a_front_is_as_wide_as_the_known_one(kind: type[GuidedPSO] | type[Bayesian]) -> None:
    """Two optima: the front is the line between them. At least 95 % of its hypervolume after 80 evaluations."""
    ends = np.array([[0.2, 0.9, 0.4], [0.9, 0.1, 0.6]])

    def values(x_D: np.ndarray) -> tuple[float, ...]:
        return tuple(1.0 - float(np.square(x_D - end).sum()) for end in ends)

    reference = np.zeros(2)
    line_NK = np.array([values(a * ends[0] + (1 - a) * ends[1]) for a in np.linspace(0, 1, 500)])
    found_NK = np.array([values(x_D) for x_D in searched(kind(goal="front"), Measurements(values), 80)])
    whole, covered = (moocore.hypervolume(-y_NK, ref=-reference) for y_NK in (line_NK, found_NK))
    assert covered > 0.95 * whole


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_under_a_floor(kind: type[GuidedPSO] | type[Bayesian]) -> None:
    """The utility rises with the first coefficient, and the floor ends at 0.6: the best is there."""
    floored = Measurements(
        values=lambda x_D: (float(x_D[0]) - float(np.square(x_D[1:]).sum()),),
        slacks=lambda x_D: (0.6 - float(x_D[0]),),
    )
    x_ND = searched(kind(), floored, 60)
    kept = x_ND[x_ND[:, 0] <= 0.6]
    assert max(floored.values(x_D)[0] for x_D in kept) > 0.57
    assert len(x_ND[20:][x_ND[20:, 0] > 0.7]) < 10, "it does not go on where the floor is broken"


@pytest.mark.parametrize("kind", KINDS)
def test_a_floor_that_counts_from_the_base(kind: type[GuidedPSO] | type[Bayesian]) -> None:
    """The second score falls from the base's 5.0 on; at most 0.3 below it is allowed, so the first ends at 0.3."""
    floored = Measurements(
        values=lambda x_D: (float(x_D[0]) - float(np.square(x_D[1:]).sum()),),
        slacks=lambda x_D: (5.0 - float(x_D[0]),),
        allowed=(0.3,),
    )
    x_ND = searched(kind(), floored, 60)
    kept = x_ND[x_ND[:, 0] <= 0.3]
    assert 0.25 < max(floored.values(x_D)[0] for x_D in kept) <= 0.3


def test_where_nothing_keeps_the_floor_the_search_goes_towards_it() -> None:
    """All baselines break the floor; what keeps it is a small ball."""
    centre = np.array([0.8, -0.3, 0.2])
    floored = Measurements(
        values=lambda x_D: (float(x_D[1]),), slacks=lambda x_D: (0.04 - float(np.square(x_D - centre).sum()),)
    )
    x_ND = searched(GuidedPSO(), floored, 80)
    assert any(floored.slacks(x_D)[0] >= 0 for x_D in x_ND)


@pytest.mark.parametrize("optimizer", [GuidedPSO(goal="front"), Bayesian(goal="front"), ASYNC])
def test_the_same_seed_gives_the_same_positions(optimizer: GuidedPSO | Bayesian) -> None:
    measurements = Measurements(concave_front)
    if optimizer.schedule == "sync":
        first, again = (searched(optimizer, measurements, 40) for _ in range(2))
        assert np.array_equal(first, again)
        return
    states = [optimizer.init(space(3), 0) for _ in range(2)]
    for i, state in enumerate(states):
        waiting = optimizer.ask(state)
        for _ in range(15):
            state, more = optimizer.step(state, measurements.observe(waiting.pop(0)))
            waiting += more
        states[i] = state
    assert same(*states)


def test_results_singly_or_together_lead_to_the_same_state() -> None:
    optimizer, measurements = GuidedPSO(goal="front", overlap=False), Measurements(concave_front)
    together = singly = optimizer.init(space(3), 0)
    for _ in range(3):
        observed = [measurements.observe(p) for p in optimizer.ask(together)]
        together = optimizer.tell(together, observed)
        for observation in reversed(observed):
            singly = optimizer.tell(singly, [observation])
    assert same(optimizer.ask(together), optimizer.ask(singly))


@pytest.mark.parametrize("kind", KINDS)
def test_without_measurements_the_goal_changes_nothing(kind: type[GuidedPSO] | type[Bayesian]) -> None:
    assert same(run(kind(goal="front"))[0], run(kind())[0])


def test_failures_are_left_out() -> None:
    optimizer, measurements = GuidedPSO(goal="front"), Measurements(concave_front)
    state = optimizer.init(space(3), 0)
    for _ in range(4):
        proposals = optimizer.ask(state)
        oldest = [p for p in proposals if p.iteration == proposals[0].iteration]
        nan = float("nan")
        state = optimizer.tell(
            state,
            [measurements.observe(p) if p.particle % 2 else Observation(p.iteration, p.particle, nan) for p in oldest],
        )
    assert len(optimizer.ask(state)) == 10


def test_an_explicit_reference_is_where_gains_count_from() -> None:
    measurements = Measurements(concave_front, references=(0.5, float("nan")))
    optimizer = Bayesian(goal="front")
    state = optimizer.init(space(3), 0)
    state = optimizer.tell(state, [measurements.observe(p) for p in optimizer.ask(state)])
    model = FrontModel.of(state)
    assert model is not None
    lowest = min(concave_front(p)[1] for p in state.history[0].x_ND)
    assert model.reference_K == pytest.approx([0.5, lowest])


def test_known_errors_smooth_what_exact_scores_do_not() -> None:
    x_ND = np.linspace(0, 1, 12)[:, None]
    y_N = np.where(np.arange(12) % 2, 1.0, 0.0)
    exact, noisy = (MeasuredProcess.fitted(x_ND, y_N, np.full(12, error)) for error in (EXACT, 0.5))
    assert exact.expected(x_ND) == pytest.approx(y_N, abs=0.02)
    assert np.ptp(noisy.expected(x_ND)) < 0.5
    assert (exact.deviation(x_ND) < noisy.deviation(x_ND) + 0.02).all()


def test_joint_samples_have_the_means_and_deviations_of_the_process() -> None:
    rng = np.random.default_rng(0)
    x_ND = rng.uniform(size=(10, 2))
    process = MeasuredProcess.fitted(x_ND, np.sin(3 * x_ND[:, 0]), np.full(10, 0.05))
    asked_ND = rng.uniform(size=(4, 2))
    drawn_SN = process.sampled(asked_ND, rng.normal(size=(20_000, 4)))
    assert drawn_SN.mean(0) == pytest.approx(process.expected(asked_ND), abs=0.01)
    assert drawn_SN.std(0) == pytest.approx(process.deviation(asked_ND), abs=0.01)


def test_what_another_search_measured_is_used() -> None:
    optimizer, measurements = GuidedPSO(goal="front"), Measurements(concave_front)
    first = optimizer.ask(optimizer.init(space(3), 0))
    known = [PriorResult(p.x_D, 0.0, measurements.observe(p).measured) for p in first]
    state = optimizer.remember(optimizer.init(space(3), 0), known)
    assert FrontModel.of(state) is not None
    assert not any(np.array_equal(p.x_D, each.x_D) for p in optimizer.ask(state) for each in known)


def test_of_many_observations_the_front_and_the_latest_are_fitted() -> None:
    """The first observation is the best in the first value, and stays; the others are worse in both than the latest."""
    n = MOST_MEASURED + 40
    x_ND = np.random.default_rng(0).uniform(-0.4, 1.4, (n, 3))
    values = [(9.0, -1.0), *((i / n, i / n) for i in range(1, n))]
    measured = {row: Measured(value, (EXACT, EXACT)) for row, value in enumerate(values)}
    history = (ParticleGeneration(0, x_ND, np.zeros(n, bool), np.zeros(n), measured),)
    state = HistoryState(space=space(3), seed=0, generation=history[0], history=history)
    model = FrontModel.of(state)
    assert model is not None
    kept = to_unit_cube(space(3), x_ND)
    assert np.array_equal(model.x_ND[0], kept[0])
    assert np.array_equal(model.x_ND[1:], kept[-MOST_MEASURED + 1 :])

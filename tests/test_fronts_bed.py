"""The test bed of tests/benchmarks/fronts.py: its problems, a trial, what is delivered, and its standings."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pymoo", reason="pip install --constraint constraints.txt -e '.[bench]'")
sys.path.append(str(Path(__file__).parent / "benchmarks"))
from fronts_bed import CONSTRAINED, NOISY, PROBLEMS
from fronts_bed.best_known import best_known
from fronts_bed.campaign import TRIALS, Campaign
from fronts_bed.contenders import CONTENDERS, weight_vectors
from fronts_bed.delivery import front_of, hypervolume, posterior_means
from fronts_bed.problem import ITEMS, Scores
from fronts_bed.standings import Estimate
from fronts_bed.synthetic import SYNTHETIC, Landscapes
from fronts_bed.trial import run_trial, searched

SMALL = Landscapes("small", 3, 2, 1, dense=(40, 40))
CHEAP = ("random", "sobol", "nsga2", "cmopso", "weighted_sums")


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return Campaign(tmp_path / "kept", ["small"], ["random", "sobol"], evaluations=30, known={"small": SMALL})


def test_there_are_problems_of_two_to_four_objectives_and_up_to_40_coordinates() -> None:
    assert len(NOISY) >= 8
    assert {problem.count for problem in SYNTHETIC} == {2, 3, 4}
    assert {problem.experts for problem in SYNTHETIC} == {5, 10, 20, 40}
    assert len(PROBLEMS) == len(NOISY) + len(CONSTRAINED)


def test_shares_are_of_the_best_known_and_never_above_it(campaign: Campaign) -> None:
    found = {metric.metric: metric.value for metric in campaign.run(seeds=2, jobs=1)}
    shares = [value for name, value in found.items() if "over best known" in name]
    assert len(shares) == 2
    assert all(0.0 < share <= 1.0 for share in shares)
    standings = campaign.standings()
    assert all(0.0 < standings.share("observed")(trial) <= 1.0 for trial in standings.trials)
    assert {trial["scored"] for trial in standings.trials} == {30}


def test_finished_trials_are_not_run_again(campaign: Campaign) -> None:
    list(campaign.run(seeds=1, jobs=1))
    before = (campaign.folder / TRIALS).read_text()
    found = list(campaign.run(seeds=1, jobs=1))
    assert (campaign.folder / TRIALS).read_text() == before
    assert list(campaign.run(seeds=0)) == found
    list(campaign.run(seeds=2, jobs=1))
    assert len((campaign.folder / TRIALS).read_text().splitlines()) == 4


@pytest.mark.parametrize("name", CHEAP)
def test_a_search_is_a_function_of_its_seed_and_keeps_to_the_budget(name: str) -> None:
    first, again, other = (searched(SMALL, CONTENDERS[name](SMALL, seed, 33), seed, 33)[0] for seed in (0, 0, 1))
    assert first.shape == (33, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert (first >= SMALL.space.low_D).all()
    assert (first <= SMALL.space.high_D).all()


@pytest.mark.parametrize("problem", [SMALL, PROBLEMS["tnk"]], ids=lambda problem: problem.name)
@pytest.mark.parametrize("name", ["guided_pso", "bayesian"])
def test_an_optimizer_of_the_program_searches_for_a_front_with_and_without_floors(name: str, problem) -> None:
    first, again = (run_trial(problem, CONTENDERS[name](problem, 0, 30), 0, 30) for _ in range(2))
    assert first.scored == 30
    assert first.proposing > 0.0
    assert first.delivered == again.delivered
    assert first.posterior > 0.0


@pytest.mark.parametrize("problem", [SMALL, *CONSTRAINED], ids=lambda problem: problem.name)
def test_all_methods_start_at_the_same_positions(problem) -> None:
    """So that nobody alone is given a good position: one of C2-DTLZ2's front is among the baselines."""
    names = ["guided_pso", "bayesian", "nsga2", "tpe", "sobol", "random"]
    for name in names + (["cmopso", "weighted_sums"] if problem.noisy else []):
        first_ND = CONTENDERS[name](problem, 0, 100).ask()[:10]
        assert len(first_ND) >= 5
        assert first_ND == pytest.approx(problem.start(0, 10)[: len(first_ND)])


def test_observations_have_the_true_value_as_their_mean_and_its_standard_error() -> None:
    x_D, score = SMALL.space.uniforms_UD[1], SMALL.scorer(0)
    scores = score(np.tile(x_D, (4000, 1)))
    (truth_K,) = SMALL.truth(x_D[None])
    error_K = np.sqrt(truth_K * (1.0 - truth_K) / ITEMS)
    assert scores.values_NK.mean(axis=0) == pytest.approx(truth_K, abs=5 * error_K.max() / np.sqrt(4000))
    assert scores.values_NK.std(axis=0) == pytest.approx(error_K, rel=0.1)
    assert np.median(scores.errors_NK, axis=0) == pytest.approx(error_K, rel=0.1)


def test_the_hypervolume_of_two_points_is_known_by_hand() -> None:
    values_NK, reference_K = np.array([[0.5, 1.0], [1.0, 0.5], [0.4, 0.4]]), np.zeros(2)
    assert hypervolume(values_NK, reference_K) == pytest.approx(0.75)
    assert front_of(values_NK, np.array([True, True, True])).tolist() == [0, 1]
    assert front_of(values_NK, np.array([False, True, True])).tolist() == [1]
    assert hypervolume(values_NK[:0], reference_K) == 0.0


def test_posterior_means_are_nearer_to_the_truth_than_scores() -> None:
    x_ND = SMALL.start(0, 60)
    scores, truth_NK = SMALL.scorer(0)(x_ND), SMALL.truth(x_ND)
    means_NK = posterior_means(SMALL.space, x_ND, scores)
    assert np.square(means_NK - truth_NK).mean() < 0.5 * np.square(scores.values_NK - truth_NK).mean()


def test_no_weighted_sum_finds_the_middle_of_the_concave_front() -> None:
    concave = PROBLEMS["concave-10"]
    assert isinstance(concave, Landscapes)
    middle_K = concave.truth(concave.best_KD.mean(axis=0)[None])[0]
    ends_KK = concave.truth(concave.best_KD)
    assert middle_K.min() > 0.3
    for share in np.linspace(0.0, 1.0, 21):
        weights_K = np.array([share, 1.0 - share])
        assert (ends_KK @ weights_K).max() > middle_K @ weights_K


@pytest.mark.parametrize("problem", CONSTRAINED, ids=lambda problem: problem.name)
def test_a_floor_decides_and_nothing_is_noisy(problem) -> None:
    x_ND = problem.dense_start(400)
    scores = problem.scorer(0)(x_ND)
    assert np.array_equal(scores.values_NK, problem.truth(x_ND))
    assert 0 < (~scores.feasible_N).sum() < 400
    feasible_NK = scores.values_NK[scores.feasible_N]
    assert not (feasible_NK > 1.001).any()  # nothing feasible is beyond the ideal point


def test_bnh_by_hand() -> None:
    """At (0, 0) f is (0, 50) and the second circle's slack 73 - 7.7; at (5, 3) f is (136, 4)."""
    bnh = PROBLEMS["bnh"]
    assert bnh.truth(np.array([[0.0, 0.0], [1.0, 1.0]])) == pytest.approx(np.array([[1.0, 0.0], [0.0, 1.0]]))


def test_a_difference_is_won_where_its_interval_excludes_zero() -> None:
    assert Estimate.of(np.array([0.1, 0.11, 0.12])).verdict == "win"
    assert Estimate.of(np.array([-0.1, -0.11, -0.12])).verdict == "loss"
    assert Estimate.of(np.array([-0.1, 0.11, 0.12])).verdict == "tie"
    assert Estimate.of(np.array([1.0, 3.0])).half == pytest.approx(12.706, abs=0.01)  # t(0.975, 1) * sd / sqrt(2)


def test_the_weights_of_a_sum_are_shares() -> None:
    for objectives in (2, 3, 4):
        weights_WK = weight_vectors(objectives)
        assert weights_WK.sum(axis=1) == pytest.approx(1.0)
        assert len(weights_WK) == {2: 5, 3: 4, 4: 5}[objectives]


def test_the_best_known_front_has_the_optima_of_the_objectives() -> None:
    front_MK = best_known(SMALL)
    assert front_MK.max(axis=0) == pytest.approx(SMALL.truth(SMALL.best_KD).max(axis=0), abs=0.01)


def test_scores_join() -> None:
    one = Scores(np.ones((1, 2)), np.ones((1, 2)), np.ones((1, 1)))
    assert one.joined(one).values_NK.shape == (2, 2)
    assert one.joined(one).feasible_N.tolist() == [True, True]

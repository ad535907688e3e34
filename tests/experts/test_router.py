"""Routers: numbers by hand or against scikit-learn, and routing that finds the experts of known kinds of prompts."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import log_softmax, logit
from sklearn.calibration import _sigmoid_calibration
from sklearn.covariance import ledoit_wolf
from sklearn.isotonic import IsotonicRegression

from swarm.core.errors import DataError
from swarm.core.recipes import RoutingRecipe
from swarm.experts.calibrators import Calibration, Isotonic, Platt, fitted, isotonic, platt
from swarm.experts.router import Router, log_odds, nearest, uncalibrated
from swarm.experts.router_fit import RouterFit, best_of, fit_router
from swarm.experts.router_geometry import (
    Array,
    Geometry,
    correlation_dimension,
    fit_geometry,
    neighbours,
    principal_components,
    shrunk_covariance,
    slopes,
)

NAMES = ("red", "green", "blue")
ROUTING = RoutingRecipe(
    router="",
    by="logits",
    clusters=3,
    fractal=0.6,
    natural=0.4,
    temperature=1.0,
    base_share=0.0,
    strength=1.0,
    biases=dict.fromkeys(NAMES, 0.0),
    scales=dict.fromkeys(NAMES, 1.0),
)


def prompts(n: int, seed: int = 0, apart: float = 3.0) -> tuple[Array, Array]:
    """Features of three kinds of prompts, (N, 20), and scores: each expert is right 90 % at its kind, else 30 %."""
    random = np.random.default_rng(seed)
    kind_N = np.arange(n) % 3
    features_NH = random.normal(size=(n, 20)) + apart * np.eye(20)[kind_N]
    chance_NE = np.where(kind_N[:, None] == np.arange(3), 0.9, 0.3)
    return features_NH, (random.random((n, 3)) < chance_NE).astype(float)


def router(features_NH: Array, scores_NE: Array, calibration: Calibration = "platt") -> Router:
    found = fit_router(features_NH, scores_NE, NAMES, RouterFit(calibration=calibration))
    return Router(
        base="b",
        experts=dict.fromkeys(NAMES, "e"),
        layer=1,
        calibration=calibration,
        geometry=found.geometry,
        spreads=found.spreads,
        fractal_ME=found.fractal_ME,
        natural_ME=found.natural_ME,
        report={},
    )


@pytest.fixture(scope="module")
def fit() -> Router:
    return router(*prompts(300))


def test_the_natural_score_is_the_mahalanobis_distance_by_hand() -> None:
    """S^-1 = diag(4, 1): from (1, 1) to the origin 4 + 1, to (1, 3) 0 + 4."""
    geometry = Geometry(
        mean_H=np.zeros(2),
        components_HK=np.eye(2),
        points_MK=np.zeros((1, 2)),
        best_ME=np.ones((1, 2), dtype=bool),
        centres_EK=np.array([[0.0, 0.0], [1.0, 3.0]]),
        whitening_KK=np.diag([2.0, 1.0]),
        radii_R=np.ones(1),
        dimensions_E=np.zeros(2),
    )
    np.testing.assert_allclose(geometry.natural(np.array([[1.0, 1.0]])), [[-2.5, -2.0]])


def test_the_whitening_is_the_root_of_the_inverse_of_the_shrunk_covariance() -> None:
    features_MH, scores_ME = prompts(60)
    best_ME = best_of(scores_ME)[0]
    geometry = fit_geometry(features_MH, best_ME, 4)
    residuals = [geometry.points_MK[best] - geometry.points_MK[best].mean(axis=0) for best in best_ME.T]
    covariance_KK, _ = ledoit_wolf(np.concatenate(residuals), assume_centered=True)
    found = geometry.whitening_KK @ geometry.whitening_KK.T
    np.testing.assert_allclose(found @ covariance_KK, np.eye(4), atol=1e-4)


def test_shrinkage_is_ledoit_and_wolfs() -> None:
    random = np.random.default_rng(0)
    for n, k in ((5, 3), (40, 3), (10, 30)):
        x_NK = random.normal(size=(n, k)) * np.arange(1, k + 1)
        np.testing.assert_allclose(shrunk_covariance(x_NK), ledoit_wolf(x_NK, assume_centered=True)[0])


@pytest.mark.parametrize("dimension", [1, 2])
def test_the_correlation_dimension_of_a_line_is_one_and_of_a_plane_two(dimension: int) -> None:
    """Whatever the dimension of the space around it."""
    random = np.random.default_rng(0)
    axes = np.linalg.qr(random.normal(size=(8, dimension)))[0]
    points_MK = random.random((1500, dimension)) @ axes.T
    found = correlation_dimension(points_MK, np.array([0.05, 0.07, 0.1]))
    assert found == pytest.approx(dimension, abs=0.15)  # fewer neighbours at the edges


def test_neighbours_and_slopes_by_hand() -> None:
    """Counts plus one half of 2, 4 and 8 at radii of 1, 2 and 4: slope 1."""
    np.testing.assert_allclose(slopes(np.array([1.5, 3.5, 7.5]), np.array([1.0, 2.0, 4.0])), 1.0)
    distances_NM = np.array([[0.5, 1.5, 3.0]])
    best_ME = np.array([[True, False], [True, True], [False, True]])
    counts_RNE = neighbours(distances_NM, best_ME, np.array([1.0, 2.0, 4.0]))
    np.testing.assert_array_equal(counts_RNE[:, 0], [[1, 0], [2, 1], [2, 2]])


def test_a_point_of_a_plane_is_no_point_of_a_line() -> None:
    """One expert's prompts lie on a line, the other's in a plane through it: neighbours grow with r and with r^2."""
    random = np.random.default_rng(0)
    line = np.stack([random.uniform(-1, 1, 400), np.full(400, 3.0)], axis=1)
    plane = random.uniform(-1, 1, (400, 2))
    best_ME = np.repeat(np.eye(2, dtype=bool), 400, axis=0)
    geometry = replace(
        fit_geometry(np.concatenate([line, plane]), best_ME, 2), mean_H=np.zeros(2), components_HK=np.eye(2)
    )
    assert geometry.dimensions_E[0] < geometry.dimensions_E[1]


def test_few_points_and_far_prompts_have_finite_scores() -> None:
    features_MH, _ = prompts(6)
    geometry = fit_geometry(features_MH, np.tile(np.eye(3, dtype=bool), (2, 1)), 16)
    z_NK = geometry.project(np.concatenate([features_MH, 1e6 + features_MH]))
    assert np.isfinite(geometry.natural(z_NK)).all()
    assert np.isfinite(geometry.fractal(z_NK)).all()


def test_principal_components_are_of_scaled_features() -> None:
    """Two equal dimensions, one of them a thousand times as large, and one without spread: one component holds both."""
    x_N = np.array([-1.0, 0.0, 1.0, 2.0])
    features_NH = np.stack([x_N, 1000 * x_N, np.full(4, 7.0)], axis=1)
    mean_H, components_HK = principal_components(features_NH, 3)
    assert components_HK.shape == (3, 1)
    z_N1 = (features_NH - mean_H) @ components_HK
    np.testing.assert_allclose(np.abs(z_N1[:, 0]), np.abs(x_N - 0.5) / x_N.std() * 2**0.5)


@pytest.mark.parametrize("seed", range(3))
def test_calibrators_are_scikit_learns(seed: int) -> None:
    random = np.random.default_rng(seed)
    score_N = np.round(random.normal(size=120), 1)  # with ties
    happened_N = (random.random(120) < 1 / (1 + np.exp(-2 * score_N + 0.5))).astype(float)
    at_N = np.linspace(-4, 4, 101)
    slope, intercept = _sigmoid_calibration(score_N, happened_N)  # of 1 / (1 + exp(slope x + intercept))
    found = platt(score_N, happened_N)
    assert (found.slope, found.intercept) == pytest.approx((-slope, -intercept), rel=1e-3, abs=1e-4)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(score_N, happened_N)
    np.testing.assert_allclose(isotonic(score_N, happened_N)(at_N), theirs.predict(at_N), atol=1e-12)


def test_calibrators_by_hand() -> None:
    score_N, happened_N = np.array([1.0, 2.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.0, 0.0])
    found = isotonic(score_N, happened_N)  # rates 0, 1/2, 0: the last two scores are pooled, 1 of 3
    np.testing.assert_allclose(found(np.array([0.0, 1.0, 1.5, 2.0, 9.0])), [0, 0, 1 / 6, 1 / 3, 1 / 3])
    np.testing.assert_allclose(Platt(2.0, 1.0)(np.array([-0.5])), [0.5])
    assert isinstance(fitted("isotonic", score_N, happened_N), Isotonic)


@pytest.mark.parametrize("kind", ["platt", "isotonic"])
def test_scores_without_spread_are_worth_the_overall_rate(kind: Calibration) -> None:
    happened_N = np.repeat([1.0, 0.0], [30, 90])
    found = fitted(kind, np.zeros(120), happened_N)(np.array([-1.0, 0.0, 1.0]))
    np.testing.assert_allclose(found, 0.25, atol=0.01)
    assert np.ptp(found) < 1e-9


def test_scores_that_separate_have_a_finite_slope() -> None:
    found = platt(np.arange(20.0), np.repeat([0.0, 1.0], 10))
    assert 0 < found.slope < 100


def test_the_best_are_all_that_are_within_rounding_of_it() -> None:
    best_NE, differ_N = best_of(np.array([[1.0, 1.0 - 1e-12, 0.0], [-2.0, -3.0, -1.0], [0.5, 0.5, 0.5]]))
    assert best_NE[:2].tolist() == [[True, True, False], [False, False, True]]
    assert differ_N.tolist() == [True, True, False]


@pytest.mark.parametrize("kind", ["platt", "isotonic"])
@pytest.mark.parametrize(("fractal", "natural", "share"), [(0.6, 0.4, 0.6), (1.0, 0.0, 0.38), (0.0, 1.0, 0.85)])
def test_prompts_of_known_kinds_go_to_their_experts(
    kind: Calibration, fractal: float, natural: float, share: float
) -> None:
    """A third of them would by chance. Clouds that differ in their places alone have much the same dimensions."""
    made = router(*prompts(300), kind)
    features_NH, _ = prompts(900, seed=1)
    weights_NE = made.weights(features_NH, replace(ROUTING, fractal=fractal, natural=natural, temperature=0.5))
    assert (weights_NE.argmax(axis=1) == np.arange(900) % 3).mean() > share


def test_without_scores_every_prompt_gets_the_same_weights(fit: Router) -> None:
    weights_NE = fit.weights(prompts(30, seed=1)[0], replace(ROUTING, fractal=0.0, natural=0.0))
    assert np.ptp(weights_NE, axis=0).max() < 1e-9
    rates_E = fit.geometry.best_ME.mean(axis=0)
    np.testing.assert_allclose(weights_NE[0], rates_E / rates_E.sum(), atol=0.01)


def test_calibration_makes_probabilities_of_scores(fit: Router) -> None:
    """Of fresh prompts: among those that are given about p, about p of the experts are among the best."""
    features_NH, scores_NE = prompts(3000, seed=2)
    best_NE, differ_N = best_of(scores_NE)
    p_NE = fit.probabilities(*fit.scores(features_NH[differ_N]), 0.6, 0.4)
    for low in (0.2, 0.4, 0.6):
        chosen = (p_NE > low) & (p_NE <= low + 0.2)
        assert best_NE[differ_N][chosen].mean() == pytest.approx(p_NE[chosen].mean(), abs=0.1)


def test_weights_by_their_formula(fit: Router) -> None:
    features_NH, _ = prompts(9, seed=3)
    scores = fit.scores(features_NH)
    p_NE = fit.probabilities(*scores, 0.6, 0.4)
    routing = replace(
        ROUTING,
        temperature=0.5,
        base_share=0.2,
        strength=0.75,
        biases={"red": 0.0, "green": np.log(2.0), "blue": 0.0},
        scales={"red": 1.0, "green": 1.0, "blue": -0.5},
    )
    unnormalised_NE = p_NE**2 * [1.0, 2.0, 1.0]
    share_NE = 0.8 * unnormalised_NE / unnormalised_NE.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fit.weights(features_NH, routing), [1.0, 1.0, -0.5] * (0.25 + 0.75 * share_NE))


def test_weights_of_a_prompt_depend_on_no_other(fit: Router) -> None:
    features_NH, _ = prompts(9, seed=3)
    whole = fit.weights(features_NH, ROUTING)
    np.testing.assert_allclose(np.concatenate([fit.weights(row[None], ROUTING) for row in features_NH]), whole)


def test_equal_experts_make_routing_irrelevant(fit: Router) -> None:
    """Whatever a prompt's weights are, their sum is 1 less the base's share: equal updates compose to the same."""
    weights_NE = fit.weights(prompts(50, seed=4)[0], replace(ROUTING, base_share=0.25))
    np.testing.assert_allclose(weights_NE.sum(axis=1), 0.75)
    with pytest.raises(DataError, match="expert red is never among the best of the 0 examples"):
        router(prompts(50)[0], np.ones((50, 3)))


@pytest.mark.parametrize(("always", "words"), [(True, "among the best at"), (False, "never among the best")])
def test_an_expert_with_one_class_is_refused_by_name(always: bool, words: str) -> None:
    features_NH, scores_NE = prompts(60)
    scores_NE[:, 1] = 1.0 if always else -1.0
    with pytest.raises(DataError, match=f"expert green is {words}.*(search split|out of experts)"):
        router(features_NH, scores_NE)


def test_prompts_that_are_all_the_same_are_refused() -> None:
    with pytest.raises(DataError, match="nearly all the same"):
        router(np.ones((60, 20)), prompts(60)[1])


def test_clusters_are_weights_that_prompts_are_near_to(fit: Router) -> None:
    routing = replace(ROUTING, temperature=0.3, clusters=3)
    centres_KE = fit.centres(routing)
    assert centres_KE.shape == (3, 3)
    np.testing.assert_array_equal(centres_KE, fit.centres(routing))
    weights_NE = fit.weights(prompts(90, seed=5)[0], routing)
    label_N = nearest(weights_NE, centres_KE)
    off = np.abs(weights_NE - centres_KE[label_N]).mean()
    assert off < np.abs(weights_NE - weights_NE.mean(axis=0)).mean() * 0.75
    assert len(fit.centres(replace(routing, clusters=1))) == 1
    same = replace(routing, fractal=0.0, natural=0.0)
    assert np.ptp(fit.centres(same), axis=0).max() < 1e-9
    with np.errstate(all="raise"):
        assert len(fit.centres(replace(routing, clusters=10_000))) <= len(fit.fractal_ME)


def test_the_uncalibrated_router_is_a_softmax() -> None:
    p_NE = uncalibrated(np.array([[1.0, 0.0]]), np.array([[0.0, 2.0]]), 0.5, 0.25)
    np.testing.assert_allclose(p_NE, [[0.5, 0.5]])


def test_the_log_odds_are_those_of_the_softmax() -> None:
    """Up to log(E - 1), which an intercept takes up; experts that are alike have none."""
    r_NE = np.random.default_rng(0).normal(size=(50, 4))
    p_NE = np.exp(log_softmax(r_NE, axis=1))
    np.testing.assert_allclose(log_odds(r_NE), logit(p_NE) + np.log(3))
    np.testing.assert_array_equal(log_odds(np.zeros((3, 4))), 0)
    np.testing.assert_allclose(log_odds(np.array([[1.0, 3.0]])), [[-2.0, 2.0]])
    assert np.isfinite(log_odds(np.array([[1e8, 0.0, -1e8]]))).all()


def test_true_probabilities_stay_as_they_are() -> None:
    """Where an expert is the best with the probability that r stands for, slopes are near 1 and p near softmax(r)."""
    random = np.random.default_rng(0)
    features_NH, scores_NE = prompts(3000)
    made = router(features_NH, scores_NE)
    fractal_ME, natural_ME = random.normal(size=(2, 3000, 3))
    p_ME = uncalibrated(fractal_ME, natural_ME, 0.6, 0.4)
    best_ME = np.eye(3, dtype=bool)[(p_ME.cumsum(axis=1) < random.random((3000, 1))).sum(axis=1)]
    true = replace(made, fractal_ME=fractal_ME, natural_ME=natural_ME, geometry=replace(made.geometry, best_ME=best_ME))
    assert np.abs(true.probabilities(fractal_ME, natural_ME, 0.6, 0.4) - p_ME).max() < 0.06

"""Calibration: the scores are proper, by-hand values hold, and the expected calibration error is that of its paper."""

import numpy as np
import pytest

from swarm.core.examples import Example
from swarm.core.requests import Likelihood
from swarm.objectives.calibration import Calibration, brier, expected_calibration_error

CHOICE = Example("c", "The sky is", "B", {"A": "green", "B": "blue", "C": "red"})


def said(*shares: float) -> list[Likelihood]:
    return [Likelihood(float(np.log(share)), 2) for share in shares]


def test_brier_and_log_by_hand() -> None:
    scored = Calibration(name="x").score(CHOICE, said(0.2, 0.7, 0.1))
    assert scored.score == pytest.approx(1 - (0.04 + 0.09 + 0.01) / 2)
    assert (scored.output, scored.surrogate) == ("blue", round(np.log(0.7), 6))
    assert Calibration(name="x", metric="log").score(CHOICE, said(0.2, 0.7, 0.1)).score == pytest.approx(np.log(0.7))


def test_the_range_is_reached_at_its_ends() -> None:
    one_hot = np.array([0.0, 1.0, 0.0])
    assert (brier(one_hot, 1), brier(one_hot, 0)) == (1.0, 0.0)
    assert Calibration(name="x").range == (0.0, 1.0)
    assert Calibration(name="x", metric="log").range[1] == 0.0


@pytest.mark.parametrize("metric", ["brier", "log"])
@pytest.mark.parametrize("truth", [(0.5, 0.5), (0.7, 0.3), (0.95, 0.05)])
def test_the_true_probabilities_score_best_in_expectation(metric: str, truth: tuple[float, float]) -> None:
    objective = Calibration(name="x", metric=metric)

    def expected(share: float) -> float:
        examples = [Example("c", "p", key, {"A": "x", "B": "y"}) for key in "AB"]
        scores = [objective.score(example, said(share, 1 - share)).score for example in examples]
        return truth[0] * scores[0] + truth[1] * scores[1]

    others = [share for share in np.linspace(0.02, 0.98, 49) if abs(share - truth[0]) > 0.01]
    assert all(expected(truth[0]) > expected(float(share)) for share in others)


def test_confidence_is_the_probability_of_the_likeliest_choice() -> None:
    objective = Calibration(name="x")
    assert objective.confidence(CHOICE, said(0.2, 0.7, 0.1)) == (pytest.approx(0.7), True)
    assert objective.confidence(CHOICE, said(0.6, 0.3, 0.1)) == (pytest.approx(0.6), False)
    assert objective.confidence(CHOICE, said(0.06, 0.03, 0.01))[0] == pytest.approx(0.6), "shares among the choices"


def test_expected_calibration_error_by_hand() -> None:
    confidence_P, right_P = np.array([0.95, 0.95, 0.55, 0.55]), np.array([True, True, True, False])
    assert expected_calibration_error(confidence_P, right_P, 10) == pytest.approx((2 * 0.05 + 2 * 0.05) / 4)
    assert expected_calibration_error(np.ones(3), np.ones(3, bool)) == 0.0
    assert expected_calibration_error(np.ones(3), np.zeros(3, bool)) == 1.0


def test_it_is_small_for_a_calibrated_model_and_large_for_a_bold_one() -> None:
    rng = np.random.default_rng(0)
    confidence_P = rng.uniform(0.5, 1.0, 20_000)
    right_P = rng.uniform(size=20_000) < confidence_P
    assert expected_calibration_error(confidence_P, right_P) < 0.01
    assert expected_calibration_error(np.sqrt(confidence_P), right_P) > 0.09


@pytest.mark.parametrize(
    ("confidence", "right", "bins"), [([], [], 15), ([0.5], [True, False], 15), ([1.5], [True], 15), ([0.5], [True], 0)]
)
def test_expected_calibration_error_refuses_what_is_none(confidence: list[float], right: list[bool], bins: int) -> None:
    with pytest.raises(ValueError, match=r"give one of each|probabilities"):
        expected_calibration_error(np.array(confidence), np.array(right, bool), bins)

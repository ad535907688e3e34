"""The predicted test score: it is corrected for selection bias, and its interval has the nominal coverage."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from swarm.core.space import Array
from swarm.statistics.intervals import Score, mean_interval
from swarm.statistics.winners_curse import Prior, predicted, selection_bias, within

RUNS = 150
EXAMPLES = 200


def drawn(rng: np.random.Generator, contenders: int, spread: float) -> tuple[Array, Array]:
    """Right and wrong answers of contenders to the same examples, shape KP, and their true accuracies, shape K."""
    skill_K = rng.normal(0.4, 6 * spread, contenders)
    difficulty_P = rng.normal(0.0, 1.5, EXAMPLES)
    own_KP = rng.normal(0.0, 0.8, (contenders, EXAMPLES))
    return (skill_K[:, None] + own_KP > difficulty_P).astype(float), norm.cdf(skill_K / np.hypot(1.5, 0.8))


@pytest.mark.parametrize("spread", [0.0, 0.01, 0.03, 0.1])
@pytest.mark.parametrize("contenders", [3, 8, 14])
def test_predictions_are_unbiased_and_have_the_nominal_coverage(contenders: int, spread: float) -> None:
    rng = np.random.default_rng([contenders, int(1000 * spread)])
    errors, raw, covered = [], [], 0
    for _ in range(RUNS):
        scores_KP, true_K = drawn(rng, contenders, spread)
        winner = int(scores_KP.mean(axis=1).argmax())
        found = predicted(scores_KP.tolist(), winner)
        errors.append(found.mean - true_K[winner])
        raw.append(scores_KP[winner].mean() - true_K[winner])
        covered += found.low <= true_K[winner] <= found.high
    assert abs(np.mean(errors)) < 0.012, "a point, of which chance in so few runs is 0.6"
    assert 0.88 <= covered / RUNS <= 1.0
    if spread == 0.0:
        assert np.mean(raw) > 2 * abs(np.mean(errors)), "what it corrects is there"


@pytest.mark.parametrize("spread", [0.0, 0.03])
@pytest.mark.parametrize("fresh", [50, 200])
def test_what_other_examples_had_a_part_in_is_corrected_by_as_much_less(fresh: int, spread: float) -> None:
    """The winner by `fresh` examples and 200 others, which overrate all alike."""
    rng, share = np.random.default_rng([fresh, int(1000 * spread)]), fresh / (fresh + EXAMPLES)
    errors, covered = [], 0
    for _ in range(RUNS):
        skill_K, difficulty_P = rng.normal(0.4, 6 * spread, 8), rng.normal(0.0, 1.5, EXAMPLES + fresh)
        scores_KP = (skill_K[:, None] + rng.normal(0.0, 0.8, (8, len(difficulty_P))) > difficulty_P).astype(float)
        means_K, fresh_KP = scores_KP[:, :EXAMPLES].mean(axis=1) + 0.03, scores_KP[:, EXAMPLES:]
        winner = int(((1 - share) * means_K + share * fresh_KP.mean(axis=1)).argmax())
        found = predicted(fresh_KP.tolist(), winner, Prior(means_K.tolist(), share))
        true = norm.cdf(skill_K[winner] / np.hypot(1.5, 0.8))
        errors.append(found.mean - true)
        covered += found.low <= true <= found.high
    assert abs(np.mean(errors)) < 3 * np.std(errors) / math.sqrt(RUNS) + 0.003
    assert 0.88 <= covered / RUNS <= 1.0


def test_a_prior_that_has_no_share_changes_nothing() -> None:
    scores_KP, _ = drawn(np.random.default_rng(1), 5, 0.02)
    assert selection_bias(scores_KP, Prior([0.3, 0.1, 0.2, 0.5, 0.4], 1.0)) == selection_bias(scores_KP)
    sure = Prior([0.9, 0.1, 0.1, 0.1, 0.1], 0.02)
    assert abs(selection_bias(scores_KP, sure)) < 0.1 * selection_bias(scores_KP), "the fresh examples decide nothing"


def test_there_is_no_correction_without_a_choice_or_without_noise() -> None:
    alone = [1.0, 0.0, 1.0, 1.0]
    assert predicted([alone], 0) == mean_interval(alone)
    assert selection_bias(np.array([[1.0, 0.0, 1.0]] * 4)) == 0.0
    clear = np.array([[1.0] * 99 + [0.0], [0.0] * 99 + [1.0]])
    assert selection_bias(clear) < 0.002


def test_the_same_scores_give_the_same_prediction() -> None:
    scores_KP, _ = drawn(np.random.default_rng(1), 5, 0.02)
    assert predicted(scores_KP.tolist(), 2) == predicted(scores_KP.tolist(), 2)


def test_a_prediction_stays_within_the_range_of_the_scores() -> None:
    assert within(Score(0.02, -0.13, 0.2, 16), 0.0, 1.0) == Score(0.02, 0.0, 0.2, 16)
    assert within(Score(-0.02, -0.2, 0.1, 16), 0.0, 1.0) == Score(0.0, 0.0, 0.1, 16)
    assert within(Score(-2.0, -3.0, -1.0, 16), -math.inf, math.inf) == Score(-2.0, -3.0, -1.0, 16)

"""Calibration error and Brier score by hand, and intervals that hold what they should."""

import numpy as np
import pytest
from scipy.special import softmax

from swarm.core.space import Array
from swarm.statistics.calibration import (
    BRIER,
    ECE,
    SQUARED,
    brier_score,
    change,
    debiased_squared_error,
    expected_calibration_error,
    squared_calibration_error,
    with_interval,
)


def test_the_calibration_error_by_hand() -> None:
    """Two bins of two: predictions .1 and .3 against 0 and 1 (off by .3), .6 and .8 against 1 and 1 (off by .3)."""
    assert expected_calibration_error([0.1, 0.3, 0.6, 0.8], [0, 1, 1, 1], bins=2) == pytest.approx(0.3)
    assert expected_calibration_error([0.8, 0.3, 0.1, 0.6], [1, 1, 0, 1], bins=2) == pytest.approx(0.3)


def test_bins_have_equal_mass_not_equal_width() -> None:
    """In bins of equal width all four would share one, and the errors of .03 would cancel."""
    p, happened = [0.01, 0.02, 0.03, 0.04], [0, 0, 0, 0.1]
    assert expected_calibration_error(p, happened, bins=4) == pytest.approx((0.01 + 0.02 + 0.03 + 0.06) / 4)


def test_equal_predictions_share_a_bin() -> None:
    """A constant that is the rate has no error, however the events are ordered."""
    for happened in ([0, 0, 1, 1], [1, 0, 1, 0]):
        assert expected_calibration_error([0.5] * 4, happened, bins=4) == 0
    assert expected_calibration_error([0.2] * 10 + [0.9] * 10, [0] * 8 + [1] * 2 + [1] * 9 + [0]) == pytest.approx(0)


def test_the_brier_score_by_hand() -> None:
    assert brier_score([0.5, 1.0], [1, 1]) == pytest.approx(0.125)
    assert brier_score([[0.0], [1.0]], [[0], [1]]) == 0


def test_true_probabilities_have_little_error_and_overconfident_ones_much() -> None:
    random = np.random.default_rng(0)
    p_N = random.uniform(size=20_000)
    happened_N = random.random(20_000) < p_N
    assert expected_calibration_error(p_N, happened_N) < 0.015
    assert expected_calibration_error(np.round(p_N), happened_N) == pytest.approx(0.25, abs=0.01)
    assert brier_score(p_N, happened_N) == pytest.approx(1 / 6, abs=0.01)  # the mean of p (1 - p)


def test_intervals_hold_the_true_value_about_as_often_as_they_say() -> None:
    """The Brier score of p = .3 for an event of .5: .04 + .25."""
    random = np.random.default_rng(1)
    held = 0
    for seed in range(60):
        happened_NE = np.repeat(random.random((80, 1)) < 0.5, 2, axis=1)
        found = with_interval(BRIER, np.full((80, 2), 0.3), happened_NE, seed)
        held += found.low <= 0.29 <= found.high
    assert held >= 52


def test_the_events_of_an_item_are_resampled_together() -> None:
    """An item given twice is one item: the interval is as wide as with it once."""
    p_N1, happened_N1 = np.full((50, 1), 0.3), np.arange(50)[:, None] % 2
    once = with_interval(BRIER, p_N1, happened_N1)
    twice = with_interval(BRIER, np.repeat(p_N1, 2, axis=1), np.repeat(happened_N1, 2, axis=1))
    assert (once.low, once.high) == pytest.approx((twice.low, twice.high))
    assert once == with_interval(BRIER, p_N1, happened_N1)


def test_the_squared_error_by_hand() -> None:
    """Two bins of two, each off by .3: .09."""
    assert squared_calibration_error([[0.1], [0.3], [0.6], [0.8]], [[0], [1], [1], [1]], bins=2) == pytest.approx(0.09)


def test_without_bias_it_is_kumars_for_one_event_per_item() -> None:
    """In a bin of p = .5 with two of four: 0 less .5 * .5 / (4 - 1)."""
    assert debiased_squared_error(np.full((4, 1), 0.5), [[1], [1], [0], [0]], bins=1) == pytest.approx(-0.25 / 3)


def test_an_estimate_below_0_lies_within_its_interval() -> None:
    """True probabilities of few items: about half of the estimates are below 0."""
    found = [with_interval(SQUARED, *chosen(60, seed), seed) for seed in range(8)]
    assert any(each.mean < 0 for each in found)
    assert all(each.low <= each.mean <= each.high for each in found)
    assert found[0].mean == debiased_squared_error(*chosen(60, 0))


def test_the_ends_of_the_other_measures_are_not_below_0() -> None:
    """A constant that is the rate: no calibration error, and resamples that have one."""
    found = with_interval(ECE, np.full((40, 1), 0.5), np.arange(40)[:, None] % 2)
    assert (found.mean, found.low, found.high) == (0, 0, 0)


def test_items_given_twice_are_no_more_items() -> None:
    """Two equal events of an item say what one does."""
    random = np.random.default_rng(0)
    p_N1, happened_N1 = np.full((40, 1), 0.4), random.random((40, 1)) < 0.5
    once = debiased_squared_error(p_N1, happened_N1)
    assert debiased_squared_error(np.repeat(p_N1, 2, 1), np.repeat(happened_N1, 2, 1)) == pytest.approx(once)


def chosen(n: int, seed: int) -> tuple[Array, Array]:
    """True probabilities, (n, 4), and events of which one per item happens."""
    random = np.random.default_rng(seed)
    p_NE = softmax(random.normal(size=(n, 4)), axis=1)
    which_N = (p_NE.cumsum(axis=1) < random.random((n, 1))).sum(axis=1).clip(0, 3)
    return p_NE, np.eye(4)[which_N]


def test_true_probabilities_have_no_error_on_average_and_a_biased_one_in_bins() -> None:
    found = [
        (debiased_squared_error(*drawn), squared_calibration_error(*drawn))
        for drawn in map(chosen, [80] * 300, range(300))
    ]
    debiased, plain = np.mean(found, axis=0)
    assert abs(debiased) < 3 * np.std(found, axis=0)[0] / 300**0.5
    assert plain > 0.002


def test_a_change_without_one_is_none() -> None:
    p_NE, happened_NE = chosen(50, 0)
    for measure in (ECE, SQUARED, BRIER):
        found = change(measure, p_NE, p_NE, happened_NE)
        assert (found.difference, found.low, found.high) == (0, 0, 0)


def test_the_change_of_the_brier_score_is_that_of_its_means() -> None:
    p_NE, happened_NE = chosen(200, 1)
    flat_NE = np.full_like(p_NE, 0.25)
    found = change(BRIER, flat_NE, p_NE, happened_NE)
    assert found.difference == pytest.approx(brier_score(p_NE, happened_NE) - 0.1875)
    assert found.low < found.difference < found.high < 0


def test_intervals_of_the_squared_errors_fall_hold_the_truth_about_as_often_as_they_say() -> None:
    """From probabilities that are too sharp to true ones; the truth is that of 100,000 items."""

    def sharp(p_NE: Array) -> Array:
        return softmax(2 * np.log(p_NE), axis=1)

    p_NE, happened_NE = chosen(100_000, 99)
    truth = -debiased_squared_error(sharp(p_NE), happened_NE)
    held = 0
    for seed in range(20):
        p_NE, happened_NE = chosen(80, seed)
        found = change(SQUARED, sharp(p_NE), p_NE, happened_NE, seed)
        held += found.low <= truth <= found.high
    assert held >= 16

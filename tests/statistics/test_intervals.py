"""How sure a score or a difference is, and what no single model knew: known values and counts by hand."""

import math
import warnings
from typing import Any

import numpy as np
import pytest
from scipy import stats

from swarm.statistics.intervals import (
    Difference,
    Emergence,
    Score,
    concatenate,
    emergence,
    mean_interval,
    paired_bootstrap,
)

RIGHT_OR_WRONG = (0.0, 1.0)
Z = float(stats.norm.ppf(0.975))


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        (5, 10, 0.2366, 0.7634),
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (29, 29, 0.883, 1.0),
    ],
)
def test_wilson_is_newcombes(right: int, n: int, low: float, high: float) -> None:
    """Newcombe 1998, Statistics in Medicine 17, table I, method 3, and the closed form for 0 and n."""
    scores = [1.0] * right + [0.0] * (n - right)
    found = mean_interval(scores, RIGHT_OR_WRONG)
    if 0 < right < n:
        assert mean_interval(scores) == found
    assert found == Score(right / n, pytest.approx(low, abs=6e-4), pytest.approx(high, abs=6e-4), n)


def test_intervals_have_the_nominal_coverage() -> None:
    """200 data sets of skewed scores and of their paired differences, nominal 95 %."""
    rng = np.random.default_rng(0)
    n, covered = 200, np.zeros(2)
    for _ in range(n):
        x, y = rng.beta(2.0, 5.0, 60), rng.beta(2.0, 3.0, 60)
        found, gain = mean_interval(x.tolist()), paired_bootstrap(x.tolist(), y.tolist())
        covered += [found.low <= 2 / 7 <= found.high, gain.low <= 2 / 7 - 2 / 5 <= gain.high]
        assert found.low <= found.mean <= found.high
    assert ((covered / n >= 0.90) & (covered / n <= 0.99)).all()


def test_a_paired_difference_is_ours_minus_theirs() -> None:
    ours, theirs = [1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0]
    gain, loss = paired_bootstrap(ours, theirs), paired_bootstrap(theirs, ours)
    assert gain.difference == pytest.approx(3 / 8)
    assert 0 <= gain.low < 3 / 8 < gain.high <= 1
    assert loss.difference == -gain.difference
    assert loss.high <= 0


def test_pairing_removes_the_variance_that_examples_share() -> None:
    rng = np.random.default_rng(1)
    theirs = rng.normal(0.0, 10.0, 100)
    gain = paired_bootstrap((theirs + 0.5 + rng.normal(0.0, 0.1, 100)).tolist(), theirs.tolist())
    assert 0.4 < gain.low < gain.high < 0.6


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ([1.0, 0.0, 1.0], [1.0, 0.0, 1.0], Difference(0.0, 0.0, 0.0)),
        ([1.0, 1.0], [0.0, 0.0], Difference(1.0, 1.0, 1.0)),
        ([0.7], [0.2], Difference(0.5, 0.5, 0.5)),
        ([0.1 + 0.2, 5.5, 5.5], [0.3, 5.5, 5.5], Difference(0.0, 0.0, 0.0)),
        ([1.5, 2.5 + 1e-15, 3.5], [1.0, 2.0, 3.0], Difference(0.5, 0.5, 0.5)),
    ],
)
def test_differences_without_spread_have_no_width(ours: list[float], theirs: list[float], expected: Difference) -> None:
    found = paired_bootstrap(ours, theirs)
    assert (found.difference, found.low, found.high) == pytest.approx(
        (expected.difference, expected.low, expected.high), abs=1e-12
    )


@pytest.mark.parametrize("scores", [[0.5], [0.3] * 9, [0.1, 0.1 + 1e-17, 0.1], [1.0, 1.0, 1.0 + 2e-16], [0.2, 0.9]])
def test_any_scores_in_a_range_have_a_finite_interval_and_no_warning(scores: list[float]) -> None:
    with warnings.catch_warnings(action="error"):
        found = mean_interval(scores, RIGHT_OR_WRONG)
    assert found.low <= found.mean + 1e-12
    assert found.mean <= found.high + 1e-12
    assert 0.0 <= found.low <= found.high <= 1.0 + 1e-12


@pytest.mark.parametrize("c", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("within", [(0.0, 1.0), (-1.0, 1.0), (1.0, 10.0)])
@pytest.mark.parametrize("n", [7, 20, 400])
def test_equal_scores_leave_room_for_those_that_differ(c: float, within: tuple[float, float], n: int) -> None:
    """By the closed form: a share z^2 / (n + z^2) of others may be anywhere in the range."""
    lowest, highest = within
    c = lowest + c * (highest - lowest)
    share = Z**2 / (n + Z**2)
    expected = Score(c, c - share * (c - lowest), c + share * (highest - c), n)
    found = mean_interval([c] * n, within)
    assert (found.mean, found.low, found.high, found.n) == pytest.approx((c, expected.low, expected.high, n))


@pytest.mark.parametrize("within", [(-math.inf, math.inf), (-math.inf, 0.0), (0.0, math.inf)])
@pytest.mark.parametrize("scores", [[0.0] * 50, [1.0] * 50, [-3.5] * 50, [2.0]])
def test_equal_scores_without_a_range_say_nothing(within: tuple[float, float], scores: list[float]) -> None:
    """Log-likelihoods and rewards that happen to be 0 are no accuracy of 0."""
    found = mean_interval(scores, within)
    assert found.mean == scores[0]
    assert not found.has_interval


def test_negated_scores_have_the_mirrored_interval() -> None:
    """Of an objective whose lower scores are better."""
    for right in (0, 3, 20):
        scores = [1.0] * right + [0.0] * (20 - right)
        found, mirrored = mean_interval(scores, (0.0, 1.0)), mean_interval([-x for x in scores], (-1.0, 0.0))
        assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low), abs=1e-12)


@pytest.mark.parametrize("n", [7, 20, 100])
@pytest.mark.parametrize("c", [0.0, 0.3, 1.0])
def test_equal_graded_scores_miss_the_mean_with_at_most_five_percent(n: int, c: float) -> None:
    """Over all shares p of scores at c, the others as far away as they can be (the worst case) or spread evenly.

    Exact: n scores are all c with probability p^n, and then the interval, which is always the same, holds the mean or
    does not.
    """
    found = mean_interval([c] * n, RIGHT_OR_WRONG)
    for others in (0.0, 1.0, 0.5):
        p = np.linspace(0.0, 1.0, 10_001)
        mean = p * c + (1 - p) * others
        missed = np.where((mean < found.low - 1e-12) | (mean > found.high + 1e-12), p**n, 0.0)
        assert missed.max() <= 0.05


def test_graded_scores_that_are_mostly_zero_are_covered_where_all_are() -> None:
    """4,000 samples of 20: zero, or else from a beta distribution."""
    rng = np.random.default_rng(5)
    for share in (0.02, 0.1, 0.2, 0.4):
        x_SP = np.where(rng.random((4000, 20)) < share, rng.beta(2.0, 1.0, (4000, 20)), 0.0)
        alone = ~x_SP.any(axis=1)
        found = mean_interval([0.0] * 20, RIGHT_OR_WRONG)
        missed = alone & (share * 2 / 3 > found.high)
        assert missed.mean() <= 0.05


def test_emergence_is_counted_by_hand() -> None:
    """Items: all right, new, expert 0 alone, lost by the best, base alone, expert 1 alone, nobody, two experts."""
    best = [1, 1, 1, 0, 1, 0, 0, 1]
    base = [1, 0, 0, 0, 1, 0, 0, 0]
    experts = [[1, 0, 1, 1, 0, 0, 0, 1], [1, 0, 0, 1, 0, 1, 0, 1], [0, 0, 0, 0, 0, 0, 0, 0]]
    found = emergence(best, base, experts)
    assert found == Emergence(newly_right=1, newly_wrong=2, n=8, chance=pytest.approx((1 + 1 + 0) / 3))


def test_chance_is_what_one_more_model_of_the_kind_would_bring() -> None:
    """Guessers, base and experts alike, 100 data sets: what another brings is little under it, by what it repeats."""
    rng, guess = np.random.default_rng(0), 0.25
    found = [emergence(*_split(rng.random((8, 400)) < guess)) for _ in range(100)]
    brought, chance = (np.mean([getattr(one, name) for one in found]) for name in ("newly_right", "chance"))
    assert brought == pytest.approx((1 - guess) * chance, rel=0.1)


def _split(right_MP: np.ndarray) -> tuple[Any, Any, Any]:
    """Best, base, experts."""
    scores = right_MP.astype(float)
    return scores[0], scores[1], scores[2:]


def test_emergence_is_for_right_or_wrong_alone() -> None:
    assert emergence([-1.0, 0.2], [0.0, 0.0], [[0.0, 0.0]]) is None
    assert emergence([0.0, 3.0], [0.0, 0.0], [[0.0, 0.0]]) is None


def test_objectives_are_concatenated_in_the_order_of_their_names() -> None:
    assert concatenate({"b": [1.0, 2.0], "a": [3.0]}) == [3.0, 1.0, 2.0]

"""How sure a score or a difference is, and what no single model knew: known values and counts by hand."""

import math
import warnings
from typing import Any

import numpy as np
import pytest

from swarm.statistics.intervals import (
    Difference,
    Emergence,
    Score,
    concatenate,
    emergence,
    mean_interval,
    paired_bootstrap,
)


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
    found = mean_interval([1.0] * right + [0.0] * (n - right))
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
def test_any_scores_have_a_finite_interval_and_no_warning(scores: list[float]) -> None:
    with warnings.catch_warnings(action="error"):
        found = mean_interval(scores)
    assert found.low <= found.mean + 1e-12
    assert found.mean <= found.high + 1e-12
    assert math.isfinite(found.low + found.high)


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

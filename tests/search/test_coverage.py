"""Hypervolumes with intervals: known by hand, and true as often as they say."""

from collections.abc import Sequence

import numpy as np
import pytest

from swarm.core.candidates import Candidate, Evaluation
from swarm.search.coverage import coverage, coverage_gain

ZERO = {"a": 0.0, "b": 0.0}


def scored(*rows: tuple[Sequence[float], Sequence[float]]) -> list[Evaluation]:
    """Evaluations with these scores on a and on b; a third objective has no part in the reference."""
    return [
        Evaluation(
            Candidate(str(i), (float(i),)),
            "ok",
            {"a": float(np.mean(a)), "b": float(np.mean(b))},
            {"a": tuple(map(float, a)), "other": (9.0,) * len(a), "b": tuple(map(float, b))},
        )
        for i, (a, b) in enumerate(rows)
    ]


FRONT = scored(([1.0] * 4, [0.5] * 4), ([0.5] * 4, [1.0] * 4), ([0.25] * 4, [0.25] * 4))


def test_the_volume_of_two_rectangles() -> None:
    found = coverage(FRONT, ZERO)
    assert (found.mean, found.low, found.high, found.n) == pytest.approx((0.75, 0.75, 0.75, 4))


def test_what_does_not_exceed_the_reference_point_covers_nothing() -> None:
    assert coverage(FRONT, {"a": 0.5, "b": 0.5}).mean == 0.0
    assert coverage(FRONT, {"a": -1.0, "b": 0.0}).mean == pytest.approx(2 * 0.5 + 1.5 * 0.5)


def test_the_gain_is_what_the_baselines_do_not_cover() -> None:
    found = coverage_gain(FRONT, FRONT[:1], ZERO)
    assert (found.difference, found.low, found.high) == pytest.approx((0.25, 0.25, 0.25))
    assert coverage_gain(FRONT[:1], FRONT, ZERO).difference == pytest.approx(-0.25)


def test_the_same_ones_gain_nothing_for_certain() -> None:
    rng = np.random.default_rng(0)
    rows = scored(*((rng.random(30), rng.random(30)) for _ in range(4)))
    found = coverage_gain(rows, rows, ZERO)
    assert (found.difference, found.low, found.high) == (0.0, 0.0, 0.0)


def test_the_same_scores_have_the_same_interval_whatever_the_order() -> None:
    rng = np.random.default_rng(1)
    rows = scored(*((rng.random(30), rng.random(30)) for _ in range(4)))
    one, other = coverage(rows, ZERO), coverage(rows[::-1], ZERO)
    assert (one.low, one.high) == pytest.approx((other.low, other.high))
    assert one.low < one.mean < one.high


def test_the_interval_holds_the_true_gain_about_as_often_as_it_says() -> None:
    rng, held, runs = np.random.default_rng(2), 0, 60
    true_MK = np.array([[0.8, 0.4], [0.6, 0.6], [0.4, 0.8], [0.3, 0.3]])  # the last one is the only baseline
    truth = 0.8 * 0.4 + 0.6 * 0.2 + 0.4 * 0.2 - 0.3 * 0.3
    for _ in range(runs):
        drawn = [tuple((rng.random(150) < share).astype(float) for share in row) for row in true_MK]
        rows = scored(*drawn)
        found = coverage_gain(rows, rows[3:], ZERO)
        held += found.low <= truth <= found.high
    assert held >= 0.85 * runs

"""Corrected intervals: their simultaneous coverage, and their behaviour with few examples or little spread."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest

from swarm.core.space import Array
from swarm.statistics.multiple_comparisons import Comparison, compare, half_widths

BASELINES = 10


def compare_rows(ours_P: Array, theirs_BP: Array) -> list[Comparison]:
    found = compare(ours_P.tolist(), {str(i): row.tolist() for i, row in enumerate(theirs_BP)})
    return list(found.values())


def right_or_wrong(rng: np.random.Generator, n: int, accuracy_B: Array) -> Array:
    """Models that find the same examples hard: (B, n)."""
    easy_P, own_BP = rng.normal(size=n), rng.normal(size=(len(accuracy_B), n))
    score_BP = 0.7 * easy_P + math.sqrt(0.51) * own_BP
    cut_B = np.quantile(rng.normal(size=20_000), 1 - accuracy_B)
    return (score_BP > cut_B[:, None]).astype(np.float64)


@pytest.mark.parametrize("kind", ["right or wrong", "skewed"])
def test_the_family_wise_error_of_ten_comparisons_is_five_percent(kind: str) -> None:
    """Ten baselines, none of which is better or worse than the best, in 300 data sets."""
    rng, sets, missed, missed_alone = np.random.default_rng(0), 300, 0, 0
    for _ in range(sets):
        if kind == "skewed":
            x_BP = rng.exponential(size=80) + rng.exponential(size=(BASELINES + 1, 80)) ** 1.5
        else:
            x_BP = right_or_wrong(rng, 200, np.full(BASELINES + 1, 0.4))
        d_BP = x_BP[0] - x_BP[1:]
        error_B = d_BP.std(axis=1, ddof=1) / math.sqrt(d_BP.shape[1])
        missed += bool((np.abs(d_BP.mean(axis=1)) > half_widths(x_BP[0], x_BP[1:])).any())
        missed_alone += bool((np.abs(d_BP.mean(axis=1)) > 1.96 * error_B).any())
    assert 0.015 <= missed / sets <= 0.085
    assert missed_alone / sets >= 0.2


def test_a_corrected_interval_contains_the_uncorrected_one() -> None:
    rng = np.random.default_rng(1)
    for n in (1, 2, 5, 40):
        x_BP = right_or_wrong(rng, n, np.linspace(0.2, 0.8, 5))
        for found in compare_rows(x_BP[0], x_BP[1:]):
            assert found.corrected.low <= found.uncorrected.low <= found.uncorrected.high <= found.corrected.high


def test_more_baselines_widen_and_copies_of_one_do_not() -> None:
    rng = np.random.default_rng(2)
    ours_P, theirs_BP = rng.normal(size=100), rng.normal(size=(BASELINES, 100))
    one, many = half_widths(ours_P, theirs_BP[:1])[0], half_widths(ours_P, theirs_BP)[0]
    copies = half_widths(ours_P, np.repeat(theirs_BP[:1], BASELINES, axis=0))[0]
    assert many > 1.15 * one
    assert copies == pytest.approx(one)


def test_the_same_scores_give_the_same_intervals() -> None:
    rng = np.random.default_rng(3)
    for n in (50, 2_500):
        ours_P, theirs_BP = rng.normal(size=n), rng.normal(size=(4, n))
        assert compare_rows(ours_P, theirs_BP) == compare_rows(ours_P, theirs_BP)


def test_many_examples_take_the_normal_limit_of_the_same_intervals() -> None:
    rng = np.random.default_rng(4)
    x_BP = rng.normal(size=(6, 2_100))
    limit = half_widths(x_BP[0], x_BP[1:])
    resampled = half_widths(x_BP[0, :2_000], x_BP[1:, :2_000]) * math.sqrt(2_000 / 2_100)
    assert limit == pytest.approx(resampled, rel=0.06)


def test_equal_scores_are_not_better() -> None:
    ours_P = np.array([1.0, 0.0, 1.0, 1.0] * 25)
    for found in compare_rows(ours_P, np.stack([ours_P, ours_P])):
        assert found.uncorrected.difference == 0.0
        assert found.corrected.low < 0 < found.corrected.high
        assert found.corrected.high < 0.06, "the share of 100 examples that may yet differ"


@pytest.mark.parametrize(("n", "better"), [(1, False), (3, False), (7, False), (8, True), (100, True)])
def test_where_every_example_is_won_the_sign_test_decides(n: int, better: bool) -> None:
    """Four comparisons, two-sided 5 %: 2^-n < 0.05 / 8 from n = 8 on."""
    found = compare_rows(np.ones(n), np.zeros((4, n)))
    assert [one.better for one in found] == [better] * 4
    assert not any(one.worse for one in found)
    assert [one.worse for one in compare_rows(np.zeros(n), np.ones((4, n)))] == [better] * 4


def test_three_of_four_examples_won_are_too_few() -> None:
    assert not any(one.better for one in compare_rows(np.array([1.0, 1.0, 1.0, 0.0]), np.zeros((1, 4))))


def test_rounding_is_not_a_difference() -> None:
    ours_P = np.full(50, 0.1 + 0.2)
    (found,) = compare_rows(ours_P, np.full((1, 50), 0.3))
    assert not found.better


def test_a_baseline_that_hardly_differs_does_not_widen_the_others_without_bound() -> None:
    """Of one example that differs, every third resample has none."""
    rng = np.random.default_rng(5)
    ours_P, theirs_BP = rng.normal(size=300), rng.normal(size=(3, 300))
    twin_P = ours_P.copy()
    twin_P[0] += 1.0
    with_twin, without = half_widths(ours_P, np.vstack([theirs_BP, twin_P])), half_widths(ours_P, theirs_BP)
    assert (with_twin[:3] <= 1.3 * without).all()
    assert with_twin[3] > 1.0 / 300, "one example is no evidence"


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_few_examples_have_finite_intervals(n: int) -> None:
    rng = np.random.default_rng(n)
    for x_BP in (rng.normal(size=(4, n)), right_or_wrong(rng, n, np.full(4, 0.5)), np.zeros((4, n))):
        for found in compare_rows(x_BP[0], x_BP[1:]):
            assert "NaN" not in json.dumps(asdict(found))
            assert "Infinity" not in json.dumps(asdict(found))


def test_without_baselines_there_is_nothing_to_compare() -> None:
    assert compare([1.0, 0.0], {}) == {}

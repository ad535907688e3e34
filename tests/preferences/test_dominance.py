"""Fronts: domination, the reference point, hypervolume, domination with significance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from swarm.preferences.front import dominates, hypervolume, non_dominated, reference_point, significantly_dominated

coarse = arrays(float, st.tuples(st.integers(1, 8), st.integers(1, 3)), elements=st.integers(0, 4).map(lambda n: n / 4))


def test_domination():
    assert dominates(np.array([1, 1]), np.array([1, 0]))
    assert not dominates(np.array([1, 1]), np.array([1, 1]))
    assert not dominates(np.array([1, 0]), np.array([0, 1]))


def test_a_front_by_hand():
    """The third is under the second, the fifth equals the first, the last has no score."""
    scores_MK = np.array([[1, 0], [0.5, 0.5], [0.5, 0.4], [0, 1], [1, 0], [np.nan, 2]])
    assert non_dominated(scores_MK).tolist() == [True, True, False, True, False, False]


@settings(deadline=None)  # the machine may be busy
@given(coarse)
def test_the_front_is_what_no_other_row_dominates(scores_MK):
    expected = [
        not any(dominates(other, scores_K) for other in scores_MK)
        and not any((other == scores_K).all() for other in scores_MK[:row])
        for row, scores_K in enumerate(scores_MK)
    ]
    assert non_dominated(scores_MK).tolist() == expected


def test_the_reference_point_is_the_lowest_of_the_baselines():
    assert reference_point(np.array([[0.3, 0.9], [0.5, 0.2], [0.4, 0.4]])).tolist() == [0.3, 0.2]


def test_hypervolumes_by_hand():
    """Steps 3 + 2 + 1; a box of .5 ** 3; a length. What does not exceed the reference on all adds nothing."""
    steps = np.array([[3.0, 1], [2, 2], [1, 3]])
    assert hypervolume(steps, np.zeros(2)) == pytest.approx(6)
    assert hypervolume(np.vstack([steps, [[9, 0], [9, -1], [1, 1]]]), np.zeros(2)) == pytest.approx(6)
    assert hypervolume(np.array([[0.5, 0.5, 0.5]]), np.zeros(3)) == pytest.approx(0.125)
    assert hypervolume(np.array([[0.5], [0.7]]), np.array([0.2])) == pytest.approx(0.5)
    assert hypervolume(steps - 5, np.zeros(2)) == 0.0
    assert hypervolume(steps, np.ones(2)) == pytest.approx(1)


def test_what_does_not_exceed_the_reference_on_all_adds_nothing_in_any_number_of_objectives():
    rng = np.random.default_rng(0)
    for k in (1, 2, 3, 4, 5):
        scores_MK = rng.normal(size=(40, k)) + 0.5
        above_MK = scores_MK[(scores_MK > 0).all(axis=1)]
        assert 0 < len(above_MK) < 40
        assert hypervolume(scores_MK, np.zeros(k)) == pytest.approx(hypervolume(above_MK, np.zeros(k)))


@settings(deadline=None)  # the machine may be busy
@given(coarse)
def test_hypervolume_counts_the_cells_of_the_grid_that_are_dominated(scores_MK):
    """Scores are multiples of 1/4, so each cell of a grid of that width is dominated whole or not at all."""
    k = scores_MK.shape[1]
    cells = np.stack(np.meshgrid(*[np.arange(4) / 4] * k, indexing="ij"), axis=-1).reshape(-1, k)
    covered = (scores_MK[:, None] >= cells + 0.25).all(axis=2).any(axis=0)
    assert hypervolume(scores_MK, np.zeros(k)) == pytest.approx(covered.sum() / 4**k)


def with_differences(*differences):
    """Two members; the first one's scores minus the second one's."""
    return np.array([differences, np.zeros(len(differences))], dtype=float)


def test_significance_by_hand():
    """Mean .2, standard error .1 / sqrt(3) = .0577. t(2) at .95 is 2.92, so the bound is .031; at .975 it
    is 4.30, so the bound is -.048.
    """
    one = {"a": with_differences(0.1, 0.2, 0.3)}
    assert significantly_dominated(one).tolist() == [-1, 0]
    assert significantly_dominated(one | {"b": with_differences(0, 0)}).tolist() == [-1, -1]


def test_being_worse_on_one_objective_by_anything_is_enough_to_stay():
    a = with_differences(*[0.5, 0.6] * 20)
    assert significantly_dominated({"a": a, "b": with_differences(0, 0, 0)}).tolist() == [-1, 0]
    assert significantly_dominated({"a": a, "b": with_differences(0, 0, -0.01)}).tolist() == [-1, -1]


def test_a_difference_that_rounding_makes_is_none():
    """On b the differences sum to less than 0 in floating point."""
    b = with_differences(0.3, -0.1, -0.2)
    assert b[0].mean() < 0
    assert significantly_dominated({"a": with_differences(*[0.5, 0.6] * 20), "b": b}).tolist() == [-1, 0]


@pytest.mark.parametrize(("n", "row"), [(1, -1), (4, -1), (5, 0)])
def test_equal_differences_count_as_a_sign_test(n, row):
    """All of n are positive by chance with probability 2 ** -n: 1/16 is more than 5 %, 1/32 is less."""
    assert significantly_dominated({"a": with_differences(*[1] * n)}).tolist() == [-1, row]


def test_a_dominator_that_none_dominates_is_named_first():
    """2 dominates 1 and 0, and 1 dominates 0."""
    noise_P = np.array([0, 0.01] * 10)
    examples = {"a": np.array([noise_P, 1 - noise_P, 2 + noise_P])}
    assert significantly_dominated(examples).tolist() == [2, 2, -1]


def test_equal_members_are_rarely_dominated_by_chance():
    """Two equal members, two objectives: it takes a mean that is higher on both, and 2.5 % on either: below 5 %."""
    rng = np.random.default_rng(0)
    draws = [{name: rng.normal(size=(2, 30)) for name in "ab"} for _ in range(1000)]
    assert np.mean([significantly_dominated(each).tolist()[1] == 0 for each in draws]) < 0.05

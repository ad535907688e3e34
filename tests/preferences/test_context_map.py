"""From preferences to coefficients along a front."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm.core.errors import ConfigError
from swarm.preferences import Members
from swarm.preferences.context_map import ContextMap

# The front of two objectives: its ends, a member between them that stands for 8/14 and 6/14, and one that is dominated.
SCORES_MK = np.array([[1, 0], [0.1, 0.1], [0.8, 0.6], [0, 1]])


def context_map(scores_MK, positions_MD=None):
    m, k = scores_MK.shape
    members = Members(tuple(f"m{row}" for row in range(m)), tuple("abcd"[:k]), scores_MK, np.zeros(k), np.ones(k))
    return ContextMap.of(members, np.eye(m) if positions_MD is None else positions_MD)


def test_an_objective_alone_gives_its_best_member_exactly():
    rng = np.random.default_rng(0)
    for k in (1, 2, 3, 4):
        scores_MK, positions_MD = rng.normal(size=(9, k)), rng.normal(size=(9, 5))
        for objective, name in enumerate("abcd"[:k]):
            best = scores_MK[:, objective].argmax()
            blend = context_map(scores_MK, positions_MD).at({name: 3})
            assert blend.coefficients == tuple(positions_MD[best])
            assert blend.shares == {f"m{best}": 1.0}


def test_between_two_neighbours_it_is_linear():
    """8/14 is the member between; halfway from there to 1, 11/14, are half of it and half of the end."""
    where = context_map(SCORES_MK)
    assert where.at({"a": 8, "b": 6}).shares == pytest.approx({"m2": 1})
    assert where.at({"a": 11, "b": 3}).shares == pytest.approx({"m0": 0.5, "m2": 0.5})
    assert where.at({"a": 4, "b": 10}).coefficients == pytest.approx((0, 0, 0.5, 0.5))


def test_of_three_objectives_the_nearest_share_by_their_distance():
    """From (.5, .5, 0) it is sqrt(.5) to two ends, sqrt(1.5) to the third, sqrt(1/6) to the middle."""
    scores_MK = np.vstack([np.eye(3), [[0.5, 0.5, 0.5]]])
    blend = context_map(scores_MK).at({"a": 1, "b": 1})
    parts = np.array([0.5**-0.5, 0.5**-0.5, 6**0.5])
    assert list(blend.shares) == ["m0", "m1", "m3"]
    assert list(blend.shares.values()) == pytest.approx(parts / parts.sum())


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.floats(0, 10), min_size=2, max_size=4).filter(any), st.integers(0, 20))
def test_every_blend_is_a_convex_combination(weights, seed):
    rng = np.random.default_rng(seed)
    scores_MK, positions_MD = rng.normal(size=(7, len(weights))), rng.normal(size=(7, 3))
    blend = context_map(scores_MK, positions_MD).at(dict(zip("abcd", weights, strict=False)))
    assert sum(blend.shares.values()) == pytest.approx(1)
    assert min(blend.shares.values()) > 0
    assert sum(blend.preference.values()) == pytest.approx(1)
    expected_D = sum(share * positions_MD[int(name[1:])] for name, share in blend.shares.items())
    assert blend.coefficients == pytest.approx(tuple(expected_D))


def test_along_two_objectives_more_weight_means_a_higher_score():
    """On a straight front of members whose positions are their scores, the score rises with its weight."""
    scores_MK = np.array([[x, 1 - x] for x in (0, 0.1, 0.35, 0.8, 1)])
    rows = context_map(scores_MK, scores_MK).table(steps=20)
    assert [row.preference["a"] for row in rows] == pytest.approx([i / 20 for i in range(21)])
    assert [row.coefficients[0] for row in rows] == pytest.approx([i / 20 for i in range(21)])


@pytest.mark.parametrize(("k", "rows"), [(1, 1), (2, 5), (3, 15), (4, 35)])
def test_a_table_holds_the_lattice_of_preferences(k, rows):
    """With steps of 1/4: 4 + k - 1 over k - 1. Each is there once, and each sums to 1."""
    table = context_map(np.random.default_rng(0).normal(size=(6, k))).table(steps=4)
    assert len({tuple(row.preference.values()) for row in table}) == len(table) == rows
    assert all(sum(row.preference.values()) == pytest.approx(1) for row in table)


def test_members_that_others_dominate_take_no_part():
    assert all("m1" not in row.shares for row in context_map(SCORES_MK).table())


def test_one_member_is_for_every_preference():
    for row in context_map(np.array([[0.3, 0.4], [0.2, 0.1]])).table():
        assert row.shares == {"m0": 1}
        assert row.coefficients == (1, 0)


@pytest.mark.parametrize(
    ("preference", "message"),
    [
        ({"a": -1, "b": 2}, "preference: weights must be at least 0 and one above 0, not a=-1, b=2"),
        ({"a": 0}, "preference: weights must be at least 0 and one above 0, not a=0"),
        ({}, "preference: weights must be at least 0 and one above 0, not none"),
        ({"a": float("inf")}, "preference: weights must be at least 0 and one above 0, not a=inf"),
        ({"c": 1}, "preference: 'c' is no objective; known are a, b"),
    ],
)
def test_a_preference_that_means_nothing_is_refused(preference, message):
    with pytest.raises(ConfigError) as refused:
        context_map(SCORES_MK).at(preference)
    assert str(refused.value) == message

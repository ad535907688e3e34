"""Several members, each for some groups: the best partition, and an honest gain."""

from itertools import combinations

import numpy as np
import pytest

from swarm.preferences.plural import Cluster, plural


def test_two_groups_by_hand():
    """Six examples of a, which the first member serves; four of b, which the second serves.

    Three and two of them measure: one member for each gains 0, 0, 0, 1, 1. Mean .4, standard error sqrt(.3 / 5),
    t(4) at .975 is 2.776.
    """
    groups = ["a"] * 6 + ["b"] * 4
    utilities_MP = np.array([[1.0] * 6 + [0.0] * 4, [0.0] * 6 + [1.0] * 4])
    result = plural(utilities_MP, groups)
    together, apart = result.deliveries
    assert result.one == 0
    assert together.clusters == (Cluster(("a", "b"), 0),)
    assert (together.gain, together.low, together.high, together.gain_where_chosen) == (0, 0, 0, 0)
    assert apart.clusters == (Cluster(("a",), 0), Cluster(("b",), 1))
    assert apart.gain == apart.gain_where_chosen == pytest.approx(0.4)
    assert (apart.low, apart.high) == pytest.approx((0.4 - 2.776 * 0.06**0.5, 0.4 + 2.776 * 0.06**0.5), abs=1e-3)


def test_groups_with_one_taste_share_a_member():
    """a and c want the second member, b and d the third: two clusters do what four would."""
    rng = np.random.default_rng(0)
    groups = list("abcd") * 20
    wanted = {"a": 1, "b": 2, "c": 1, "d": 2}
    utilities_MP = rng.normal(0, 0.01, size=(3, 80))
    for example, group in enumerate(groups):
        utilities_MP[wanted[group], example] += 1
    deliveries = plural(utilities_MP, groups).deliveries
    assert [len(each.clusters) for each in deliveries] == [1, 2, 3, 4]
    assert deliveries[1].clusters == (Cluster(("a", "c"), 1), Cluster(("b", "d"), 2))
    assert deliveries[1].low > 0.3
    assert deliveries[3].gain == pytest.approx(deliveries[1].gain)


def test_what_choosing_adds_is_not_in_the_gain():
    """Eight members that are all alike, five groups: where it chose the gain looks real; measured apart it is none."""
    rng = np.random.default_rng(0)
    finest = [plural(rng.normal(size=(8, 100)), list("abcde") * 20).deliveries[-1] for _ in range(200)]
    honest, where_chosen = (
        np.array([getattr(each, name) for each in finest]) for name in ("gain", "gain_where_chosen")
    )
    assert abs(honest.mean()) < 3 * honest.std() / 200**0.5
    assert where_chosen.min() >= 0
    assert where_chosen.mean() > 0.2
    covered = np.mean([each.low <= 0 <= each.high for each in finest])
    assert covered > 0.9


def best_total(totals_GM, members):
    """The highest total with at most so many members: every set of them is tried."""
    sets = combinations(range(totals_GM.shape[1]), members)
    return max(totals_GM[:, list(each)].max(axis=1).sum() for each in sets)


@pytest.mark.parametrize("letters", ["abcde", "abcdefghi"])
def test_up_to_eight_groups_nothing_is_better_and_beyond_at_least_half_is_reached(letters):
    rng = np.random.default_rng(1)
    for _ in range(10):
        utilities_MP = rng.normal(size=(6, 4 * len(letters)))
        result = plural(utilities_MP, list(letters) * 4)
        chooses = (np.arange(4 * len(letters)) // len(letters)) % 2 == 0
        totals_GM = np.array([utilities_MP[:, chooses][:, g :: len(letters)].sum(axis=1) for g in range(len(letters))])
        for each in result.deliveries[1:]:
            members = min(len(each.clusters), 6)
            possible = (best_total(totals_GM, members) - totals_GM.sum(axis=0).max()) / chooses.sum()
            share = each.gain_where_chosen / possible
            assert share == pytest.approx(1) if len(letters) <= 8 else 0.5 <= share <= 1 + 1e-9


def test_many_groups_end_where_a_further_member_adds_nothing():
    """Twelve groups, two tastes."""
    groups = [f"g{i}" for i in range(12)] * 4
    taste = np.array([i % 2 for i in range(12)] * 4)
    deliveries = plural(np.array([taste == 0, taste == 1, taste < 0], dtype=float), groups).deliveries
    assert [len(each.clusters) for each in deliveries] == [1, 2]
    assert deliveries[1].gain == pytest.approx(0.5)


def test_one_group_is_served_by_one_member():
    result = plural(np.array([[0.0, 0.1, 0.2], [0.5, 0.6, 0.4]]), ["all"] * 3)
    assert result.one == 1
    assert len(result.deliveries) == 1


def test_an_interval_is_unknown_where_the_examples_do_not_tell():
    """One example of each group measures, and both gain the same: nothing shows how much gains vary."""
    third = np.array([[0.6] * 4, [1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
    apart = plural(third, ["a", "a", "b", "b"]).deliveries[1]
    assert apart.gain == pytest.approx(0.4)
    assert np.isnan([apart.low, apart.high]).all()
    alone = plural(np.array([[1.0, 0.0], [0.0, 1.0]]), ["a", "b"]).deliveries[1]
    assert np.isnan([alone.gain, alone.low, alone.high]).all()

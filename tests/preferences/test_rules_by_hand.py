"""For each rule of choice an answer that is known by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.members import first, members, random_members
from swarm.preferences.cvar import CVaR
from swarm.preferences.knee import Knee
from swarm.preferences.lexicographic import Lexicographic
from swarm.preferences.linear import WeightedSum
from swarm.preferences.pama import PAMA, mixed_in_sign
from swarm.preferences.power_means import Nash, PMean, power_criteria
from swarm.preferences.tchebycheff import Tchebycheff
from swarm.preferences.voting import Borda, Copeland
from swarm.preferences.weighted_sum import utility
from swarm.preferences.worst_off import Egalitarian, Leximin


def test_normalised_gains():
    """a: from 1 to 3, so that 2 is halfway. b: nobody exceeds the reference point, so there is nothing to gain."""
    who = members([[3, 5], [2, 4], [0, 5]], reference=[1, 5])
    assert who.normalised_gains_MK.tolist() == [[1, 0], [0.5, 0], [-0.5, 0]]
    assert who.extremes == (0, 0)


def test_weighted_sum_is_the_utility_of_the_search():
    """0.7 and 0.3: .8*.7+.2*.3 = .62 against .5*.7+.6*.3 = .53; the other way round .38 against .57."""
    who = members([[0.8, 0.2], [0.5, 0.6]], weights=[7, 3])
    assert WeightedSum().value(who) == pytest.approx([0.62, 0.53])
    assert WeightedSum().value(who) == pytest.approx(
        [utility({"a": a, "b": b}, {"a": 7, "b": 3}) for a, b in who.scores_MK]
    )
    assert WeightedSum(weights={"a": 3, "b": 7}).ranked(who) == [1, 0]
    assert WeightedSum(weights={"a": 2}).value(who) == pytest.approx([0.8, 0.5])


@settings(deadline=None)  # the machine may be busy
@given(st.floats(0, 1))
def test_no_weights_of_a_sum_choose_the_middle_of_a_front_that_sags_and_other_rules_do(weight):
    """(1, 0), (.4, .4), (0, 1): w and 1 - w give .4 to the middle, and at least .5 to one of the ends."""
    who = members([[1, 0], [0.4, 0.4], [0, 1]])
    assert first(WeightedSum(weights={"a": weight, "b": 1 - weight}), who) in (0, 2)
    for rule in (Tchebycheff(), Knee(), Egalitarian(), Leximin(), Nash()):
        assert first(rule, who) == 1


def test_tchebycheff():
    """Equal weights: largest shortfalls .5*(1, .6, 1), sums (1, 1.2, 1). Weights 3:1: .25, .45, .75."""
    who = members([[1, 0], [0.4, 0.4], [0, 1]])
    assert Tchebycheff(rho=0.001).value(who) == pytest.approx([-0.501, -0.3012, -0.501])
    assert Tchebycheff(weights={"a": 3, "b": 1}, rho=0).value(who) == pytest.approx([-0.25, -0.45, -0.75])


@pytest.mark.parametrize("rho", [0, 1e-3])
def test_tchebycheff_prefers_of_equal_largest_shortfalls_the_smaller_sum(rho):
    """The third and the fourth fall short of the first objective by .6; on the second one is better."""
    who = members([[1, 0], [0, 1], [0.4, 0.5], [0.4, 0.9]])
    assert Tchebycheff(rho=rho).ranked(who)[:2] == [3, 2]


def test_knee_of_two():
    """The line a + b = 1: (.8, .6) lies .4 / sqrt(2) beyond it, (.5, .7) half as far."""
    who = members([[1, 0], [0, 1], [0.8, 0.6], [0.5, 0.7]])
    assert Knee().ranked(who) == [2, 3, 0, 1]
    assert Knee().value(who) == pytest.approx([0, 0, 0.4 / 2**0.5, 0.2 / 2**0.5])


def test_knee_between_ends_that_are_not_at_zero():
    """Gains (1, 0), (.5, 1), (.9, .6), (.75, .7): the normal is (2, 1), the distances .4 and .2 over sqrt(5)."""
    who = members([[1, 0], [0, 1], [0.8, 0.6], [0.5, 0.7]], reference=[-1, 0])
    assert Knee().value(who) == pytest.approx([0, 0, 0.4 / 5**0.5, 0.2 / 5**0.5])


def test_knee_of_three():
    """The plane a + b + c = 1: (.5, .5, .5) lies .5 / sqrt(3) beyond it."""
    who = members([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0.5], [0.2, 0.3, 0.6]])
    assert Knee().ranked(who)[:2] == [3, 4]
    assert Knee().value(who)[3] == pytest.approx(0.5 / 3**0.5)


def test_knee_where_one_member_is_the_best_on_two():
    """(1, 1, 0) and (0, 0, 1) determine no plane: the greatest sum of the others, 1.8, is chosen."""
    who = members([[1, 1, 0], [0, 0, 1], [0.6, 0.6, 0.6], [0.9, 0.1, 0.5]])
    assert Knee().ranked(who)[:2] == [2, 3]
    assert "sum of gains" in Knee().inputs(who)
    assert Knee().value(who) == pytest.approx([1 / 3**0.5, 0, 0.8 / 3**0.5, 0.5 / 3**0.5])


def test_knee_of_one_objective_is_the_best():
    assert Knee().ranked(members([[0.2], [0.9], [0.4]])) == [1, 2, 0]


@pytest.mark.parametrize(("slack", "ranked"), [(0, [0, 1, 2]), (0.02, [1, 0, 2]), (0.2, [2, 1, 0])])
def test_lexicographic(slack, ranked):
    """First .82, .80, .70, then .1, .5, .9: slack .02 lets the second stay (.82 - .02 is .8 whatever the rounding)."""
    who = members([[0.82, 0.1], [0.8, 0.5], [0.7, 0.9]])
    assert Lexicographic(levels={"a": slack, "b": 0}).ranked(who) == ranked


def test_the_order_of_levels_counts_and_what_is_left_goes_by_shares_of_the_range():
    """c alone with a slack of .1 leaves the first two; shares of the range (1 + 0 + 1)/3 against (0 + 1 + 0)/3."""
    who = members([[1, 0, 1], [0, 1, 0.9], [0.5, 0.5, 0]])
    assert first(Lexicographic(levels={"b": 0, "a": 0}), who) == 1
    assert first(Lexicographic(levels={"a": 0, "b": 0}), who) == 0
    assert Lexicographic(levels={"c": 0.1}).ranked(who) == [0, 1, 2]
    assert Lexicographic(levels={"c": 0.1}).value(who) is None


def test_who_leaves_at_a_level_is_ranked_by_it():
    """All but the first leave at once; on b the order is the other way round."""
    assert Lexicographic(levels={"a": 0}).ranked(members([[0.9, 0], [0.8, 0], [0.7, 1]])) == [0, 1, 2]


def test_a_slack_is_kept_whatever_the_rounding():
    """.8 - .1 is more than .7 in floating point."""
    assert 0.8 - 0.1 > 0.7
    assert Lexicographic(levels={"a": 0.1, "b": 0}).ranked(members([[0.8, 0], [0.7, 1]])) == [1, 0]


def test_egalitarian():
    who = members([[1, 0], [0.4, 0.4], [0.3, 1]])
    assert Egalitarian().value(who) == pytest.approx([0, 0.4, 0.3])
    assert Egalitarian().ranked(who) == [1, 2, 0]


def test_leximin_looks_at_the_second_worst():
    """Both have .4 at worst, then .5 against .45; egalitarian choice is left with the higher mean, .617 against .5."""
    who = members([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.4, 0.5, 0.6], [0.4, 0.45, 1]])
    assert Leximin().ranked(who)[:2] == [3, 4]
    assert Egalitarian().ranked(who)[:2] == [4, 3]
    assert Leximin().value(who) is None


def test_nash():
    """Products .1, .16, .1; the fourth gains nothing on b and comes last. Weights 3:1: .1 ** .25, .4, .1 ** .75."""
    who = members([[1, 0.1], [0.4, 0.4], [0.1, 1], [1, 0]])
    assert Nash().value(who) == pytest.approx([0.1**0.5, 0.4, 0.1**0.5, 0])
    assert (first(Nash(), who), Nash().ranked(who)[-1]) == (1, 3)
    assert Nash(weights={"a": 3, "b": 1}).value(who) == pytest.approx([0.1**0.25, 0.4, 0.1**0.75, 0])


def test_nash_where_nobody_gains_on_all():
    """One positive gain each, then the larger one; (-1, -1) gains nothing."""
    who = members([[-1, -1], [0.5, -2], [1, -3]])
    assert Nash().ranked(who) == [2, 1, 0]


@pytest.mark.parametrize(
    ("p", "mean"),
    [(1, 0.625), (0.5, 0.5625), (0, 0.5), (-1, 0.4), (-np.inf, 0.25), (1e-13, 0.5), (1e-7, 0.5), (-999, 0.25)],
)
def test_p_mean_of_a_quarter_and_one(p, mean):
    """Mean 5/8, ((1/2 + 1) / 2) ** 2 = 9/16, sqrt(1/4) = 1/2, 2 / (4 + 1) = 2/5, minimum 1/4."""
    value = PMean(p=p).value(members([[0.25, 1], [1, 0.25]]))
    assert value == pytest.approx([mean, mean], rel=1e-3)
    if p in (1, 0.5, 0, -1, -np.inf, 1e-13):
        assert value == pytest.approx([mean, mean])


def test_near_nash_a_power_mean_keeps_its_digits():
    """The mean of exp(p l) is 1 + p mean(l) for small p: sqrt(1/4), but for a relative 1e-11 * variance / 2."""
    assert PMean(p=1e-11).value(members([[0.25, 1], [1, 0.25]])) == pytest.approx([0.5, 0.5], rel=1e-10)


def test_a_gain_below_zero_counts_as_none_in_a_power_mean():
    """p = 1/2: (1/2 * 1) ** 2 = 1/4. p = 0 and below: 0. The mean and the minimum take it as it is."""
    gains = np.array([[-1.0, 1.0]])
    values = [power_criteria(gains, np.array([0.5, 0.5]), p)[0, 0] for p in (0.5, 0, -1, 1, -np.inf)]
    assert values == pytest.approx([0.25, 0, 0, 0, -1])


@settings(deadline=None)  # the machine may be busy
@given(
    st.lists(st.floats(1e-6, 1), min_size=2, max_size=4),
    st.floats(-1e4, 1),
    st.floats(-1e4, 1),
    st.floats(1e-300, 1),
)
def test_power_means_lie_between_minimum_and_maximum_and_rise_with_p(gains, p, q, weight):
    weights_K = np.array([weight, *[1.0] * (len(gains) - 1)])
    low, high = (
        power_criteria(np.array([gains]), weights_K / weights_K.sum(), exponent)[0, 0] for exponent in sorted((p, q))
    )
    assert min(gains) * (1 - 1e-9) <= low <= high * (1 + 1e-9) <= max(gains) * (1 + 1e-8)


def test_p_mean_ends_in_nash_and_in_the_egalitarian_rule():
    who = random_members(0)
    assert PMean(p=0).ranked(who) == Nash().ranked(who)
    assert PMean(p=-np.inf).ranked(who) == Egalitarian().ranked(who)


@pytest.mark.parametrize(
    ("alpha", "values"), [(0.1, (0.1, 0.4)), (0.25, (0.1, 0.4)), (0.375, (0.55 / 1.5, 0.4)), (1, (0.7, 0.45))]
)
def test_cvar_of_four_groups(alpha, values):
    """The worst group; one and a half groups, (.1 + .9 / 2) / 1.5; all of them, 2.8 / 4 and 1.8 / 4."""
    groups = {"g1": [0.9, 0.5], "g2": [0.1, 0.4], "g3": [0.9, 0.5], "g4": [0.9, 0.4]}
    who = members([[0, 1], [1, 0]], groups=groups)
    assert CVaR(alpha=alpha).value(who) == pytest.approx(values)


VOTES = {f"v{i}": [2, 1, 0] for i in range(3)} | {f"w{i}": [0, 2, 1] for i in range(2)}


def test_copeland_follows_the_majority_and_borda_the_mean_rank():
    """Three of five: A > B > C, two: B > C > A. A beats both by 3:2; Borda's points 6, 7, 2 of 10."""
    who = members([[0, 1], [1, 0], [0.5, 0.5]], groups=VOTES)
    assert Copeland().ranked(who) == [0, 1, 2]
    assert Copeland().value(who) == pytest.approx([1, 0, -1])
    assert Borda().ranked(who) == [1, 0, 2]
    assert Borda().value(who) == pytest.approx([0.6, 0.7, 0.2])


def test_weights_are_the_weights_of_voters():
    """With the two counting 2 each they have 4 of 7, so B beats A and C; it had beaten C before."""
    weights = {name: 2 if name.startswith("w") else 1 for name in VOTES}
    who = members([[0, 1], [1, 0], [0.5, 0.5]], groups=VOTES)
    assert Copeland(weights=weights).ranked(who)[0] == 1


def test_a_cycle_of_majorities_is_a_tie():
    """A > B > C, B > C > A, C > A > B: everyone beats one and loses to one. The shares of the range decide."""
    groups = {"u": [2, 1, 0], "v": [0, 2, 1], "w": [1, 0, 2]}
    who = members([[0, 0.4], [1, 0], [0.5, 1]], groups=groups)
    assert Copeland().value(who) == pytest.approx([0, 0, 0])
    assert Borda().value(who) == pytest.approx([0.5, 0.5, 0.5])
    assert Copeland().ranked(who) == Borda().ranked(who) == [2, 1, 0]


def test_bordas_count_decides_among_equals_of_copeland():
    """u 3, v 2, w 2: A beats B 5:2, B beats C 5:2, C beats A 4:3. Margins 3 - 1, 3 - 3, 1 - 3."""
    groups = {"u": [2, 1, 0], "v": [0, 2, 1], "w": [1, 0, 2]}
    who = members([[0, 0.4], [1, 0], [0.5, 1]], groups=groups)
    rule = Copeland(weights={"u": 3, "v": 2, "w": 2})
    assert rule.value(who) == pytest.approx([0, 0, 0])
    assert rule.ranked(who) == [0, 1, 2]


def test_without_groups_objectives_vote_with_their_weights():
    """a prefers the first, b the second; 3:1."""
    who = members([[1, 0], [0, 1]], weights=[1, 3])
    assert Borda().value(who) == pytest.approx([0.25, 0.75])
    assert Borda(weights={"a": 1}).ranked(who) == [0, 1]


def test_pama_takes_the_improvement_that_every_objective_has():
    """The first: .5 on a, where it wins as much as it loses, and .2 on b. The second: .3 on both."""
    gains = {"a": [[1, -1, 1, -1], [0.3] * 4], "b": [[0.2, 0.2], [0.3, 0.3]]}
    who = members([[0.1, 0.2], [0.3, 0.3]], gains=gains)
    assert PAMA().value(who) == pytest.approx([0.2, 0.3])
    assert PAMA.needs_examples


def test_means_of_mixed_sign():
    """+ and -, + and +, - and +; then a mean that only rounding makes beside one of the other sign, which is none."""
    a = [[1, 0], [1, 0], [-1, 0], [0.1 + 0.2, -0.3], [1, 0]]
    b = [[-1, 0], [2, 2], [1, 0], [-1, 0], [-0.1 - 0.2, 0.3]]
    assert mixed_in_sign({"a": np.array(a), "b": np.array(b)}).tolist() == [True, False, True, False, False]

"""What every rule of choice promises, and for each of them an answer that is known by hand."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from swarm.core.errors import ConfigError
from swarm.preferences import RULES, Members
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

CASES = {name: kind() for name, kind in RULES.items() if name != "lexicographic"} | {
    "lexicographic": Lexicographic(levels={"b": 0.1, "a": 0.05}),
    "weighted_sum-one": WeightedSum(weights={"c": 1}),
    "tchebycheff-weighted": Tchebycheff(weights={"a": 3, "b": 1}),
    "p_mean-half": PMean(p=0.5),
    "p_mean-one": PMean(p=1),
    "p_mean-min": PMean(p=-np.inf),
}
IN_THE_UNIT_OF_THE_SCORES = {"weighted_sum", "lexicographic", "pama"}
every_rule = pytest.mark.parametrize("rule", CASES.values(), ids=list(CASES))


def members(scores, reference=None, weights=None, groups=None, gains=None):
    """Objectives a, b, ...; reference point 0 unless said."""
    scores_MK = np.array(scores, dtype=float)
    m, k = scores_MK.shape
    return Members(
        tuple(f"m{row}" for row in range(m)),
        tuple("abcdef"[:k]),
        scores_MK,
        np.zeros(k) if reference is None else np.array(reference, dtype=float),
        np.ones(k) if weights is None else np.array(weights, dtype=float),
        {name: np.array(each, dtype=float) for name, each in (groups or {}).items()},
        {name: np.array(each, dtype=float) for name, each in (gains or {}).items()},
    )


def random_members(seed, with_groups=True):
    """Nine members, three objectives. Groups and improvements rise with the scores, as they do where they are means.

    The reference point lies below all scores, among them, or above most.
    """
    rng = np.random.default_rng(seed)
    scores_MK = rng.normal(size=(9, 3))
    groups = scores_MK @ rng.uniform(0.1, 1, size=(3, 4))
    noise_KP = rng.normal(size=(3, 20))
    gains = {name: scores_MK[:, k, None] + noise_KP[k] for k, name in enumerate("abc")}
    named = {f"g{g}": groups[:, g] for g in range(4)} if with_groups else {}
    return members(scores_MK, np.full(3, (-3.0, 0.0, 1.5)[seed % 3]), rng.uniform(0.1, 1, size=3), named, gains)


def first(rule, who):
    return rule.ranked(who)[0]


@every_rule
def test_the_key_in_the_registry_is_the_type_in_the_config(rule):
    assert RULES[rule.type] is type(rule)
    assert type(rule).model_validate_json(rule.model_dump_json()) == rule
    assert all(f.description for name, f in type(rule).model_fields.items() if name != "type")
    with pytest.raises(ValidationError):
        type(rule)(share=3)


@every_rule
def test_ranked_is_an_order_of_all_rows_and_value_agrees_with_it(rule):
    who = random_members(0)
    ranked, value_M = rule.ranked(who), rule.value(who)
    assert sorted(ranked) == list(range(9))
    if value_M is not None and rule.type != "knee":
        assert value_M.shape == (9,)
        assert value_M[ranked[0]] == value_M.max()


@every_rule
def test_another_order_of_the_rows_gives_the_same_ranking(rule):
    for seed in range(9):
        who = random_members(seed)
        order = np.random.default_rng(seed).permutation(9)
        assert [int(order[row]) for row in rule.ranked(who.only(order))] == rule.ranked(who)


@every_rule
def test_a_member_that_another_exceeds_on_every_objective_is_never_first(rule):
    for seed in range(60):
        who = random_members(seed)
        chosen = first(rule, who)
        assert not (who.scores_MK > who.scores_MK[chosen]).all(axis=1).any()


@pytest.mark.parametrize("name", sorted(CASES.keys() - IN_THE_UNIT_OF_THE_SCORES - {"weighted_sum-one"}))
def test_the_unit_and_the_zero_of_an_objective_do_not_matter(name):
    """Members, reference point and all: the second objective in another unit, and shifted."""
    for seed in range(9):
        who = random_members(seed, with_groups=name == "cvar")
        scores_MK, reference_K = (each * [1, 3.7, 1] + [0, 2, 0] for each in (who.scores_MK, who.reference_K))
        other = members(scores_MK, reference_K, who.weights_K, who.groups, who.gains)
        assert CASES[name].ranked(other) == CASES[name].ranked(who)


@every_rule
def test_equal_members_keep_their_order(rule):
    one = random_members(1).only(np.array([4]))
    assert rule.ranked(one.only(np.zeros(5, dtype=int))) == [0, 1, 2, 3, 4]


@every_rule
def test_a_front_of_one_has_a_best(rule):
    assert rule.ranked(random_members(2).only(np.array([3]))) == [0]


@every_rule
def test_it_says_what_it_used(rule):
    """Rules that compare gains name the reference point; the others say that they have none, or that it is the base."""
    who = random_members(1)
    said = rule.inputs(who)
    assert "the reference point (a=0, b=0, c=0)" in said or re.search(
        "no reference point|the base as the reference", said
    )
    assert "\n" not in said


def test_what_is_said_holds_the_numbers():
    who = members([[0.5, 0.9], [0.8, 0.1]], reference=[0.25, -1])
    assert Tchebycheff(weights={"a": 3, "b": 1}).inputs(who) == (
        "gains from the reference point (a=0.25, b=-1) to the ideal, the members' best on each (a=0.8, b=0.9); "
        "weights a=0.75, b=0.25; rho=0.001"
    )


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


@pytest.mark.parametrize(
    ("rule", "groups", "message"),
    [
        (
            WeightedSum(weights={"helpfull": 1}),
            [],
            "weighted_sum.weights: 'helpfull' is no objective; did you mean 'helpful'?",
        ),
        (Nash(weights={"x": 1}), [], "nash.weights: 'x' is no objective; known are helpful, harmless"),
        (
            Lexicographic(levels={"harmles": 0}),
            [],
            "lexicographic.levels: 'harmles' is no objective; did you mean 'harmless'?",
        ),
        (CVaR(), [], "cvar: the examples name no groups; give them a group each, or take egalitarian"),
        (
            Borda(weights={"helpful": 1}),
            ["nurses", "pilots"],
            "borda.weights: 'helpful' is no group; known are nurses, pilots",
        ),
        (
            Copeland(weights={"nurses": 1}),
            [],
            "copeland.weights: 'nurses' is no objective; known are helpful, harmless",
        ),
    ],
)
def test_a_rule_that_names_what_is_not_there_is_refused(rule, groups, message):
    with pytest.raises(ConfigError) as refused:
        rule.check(["helpful", "harmless"], groups)
    assert str(refused.value) == message


def test_a_rule_that_cannot_be_used_ranks_nothing():
    with pytest.raises(ConfigError, match="no groups"):
        CVaR().ranked(members([[1, 0], [0, 1]]))


@pytest.mark.parametrize(
    "settings",
    [{"weights": {"a": -1}}, {"weights": {"a": 0}}, {"weights": {}}, {"weights": {"a": float("nan")}}, {"p": 2}],
)
def test_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(ValidationError):
        PMean(**settings)

"""What every rule of choice promises, whatever it prefers."""

import re

import numpy as np
import pytest
from pydantic import ValidationError

from support.members import first, members, random_members
from swarm.core.errors import ConfigError
from swarm.preferences import RULES
from swarm.preferences.cvar import CVaR
from swarm.preferences.lexicographic import Lexicographic
from swarm.preferences.linear import WeightedSum
from swarm.preferences.power_means import Nash, PMean
from swarm.preferences.tchebycheff import Tchebycheff
from swarm.preferences.voting import Borda, Copeland

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

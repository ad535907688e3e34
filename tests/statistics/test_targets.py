"""Targets: what hits one, which is furthest from being hit, and rates over two splits."""

import pytest

from swarm.statistics.targets import Domains, next_targets, pooled

LEVELS = ("avoidance", "generic", "expert")
TWO = Domains({domain: {level: f"{domain}-{level}" for level in LEVELS} for domain in ("law", "tax")})


def rates(law: tuple[float, float, float], tax: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip([f"law-{x}" for x in LEVELS] + [f"tax-{x}" for x in LEVELS], (*law, *tax), strict=True))


def test_a_target_is_a_level_for_each_domain() -> None:
    assert len(TWO.targets()) == 9
    assert TWO.targets()[:4] == [
        ("avoidance", "avoidance"),
        ("avoidance", "generic"),
        ("avoidance", "expert"),
        ("generic", "avoidance"),
    ]


def test_it_is_hit_where_the_wanted_level_leads_in_every_domain() -> None:
    found = rates((0.2, 0.3, 0.5), (0.1, 0.6, 0.3))
    leads = {target: TWO.lead(target, found) for target in TWO.targets()}
    assert [target for target, lead in leads.items() if lead > 0] == [("expert", "generic")]
    assert leads["expert", "generic"] == pytest.approx(0.2)
    assert leads["expert", "expert"] == pytest.approx(-0.3)
    assert TWO.rate(("expert", "generic"), found) == 0.5
    assert TWO.worst(("expert", "generic"), found) == "law-expert"


def test_a_tie_hits_nothing() -> None:
    found = rates((0.5, 0.5, 0.0), (0.0, 0.0, 1.0))
    assert all(TWO.lead(target, found) <= 0 for target in TWO.targets())


def test_what_hits_is_better_than_a_higher_rate_that_does_not() -> None:
    target = ("generic", "generic")
    hits = rates((0.3, 0.4, 0.3), (0.3, 0.4, 0.3))
    higher = rates((0.0, 0.45, 0.55), (0.0, 1.0, 0.0))
    assert TWO.better(target, hits) > TWO.better(target, higher)


def test_the_furthest_have_their_turn_but_not_for_ever() -> None:
    leads = {("a",): -0.5, ("b",): 0.1, ("c",): 0.4}
    tries: dict[tuple[str, ...], int] = {}
    turns = []
    for _ in range(12):
        (target,) = next_targets(leads, tries, 1)
        tries[target] = tries.get(target, 0) + 1
        turns.append(target[0])
    assert turns[:6] == ["a"] * 6
    assert set(turns[6:]) == {"a", "b"}
    assert next_targets(leads, {}, 2) == [("a",), ("b",)]


def test_rates_over_two_splits_are_those_of_all_examples() -> None:
    assert pooled([({"x": 0.5}, {"x": 10}), ({"x": 1.0}, {"x": 30})]) == {"x": 0.875}

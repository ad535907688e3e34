"""What is claimed of a front and of floors: no more than the intervals and bounds say."""

import pytest

from swarm.journal.front_summary import FloorKept, FrontSummary, Member
from swarm.journal.front_words import (
    coverage_claim,
    floors_words,
    looks_words,
    member_name,
    members_words,
    undominated,
)
from swarm.statistics.intervals import Difference, Score


def front(**fields: object) -> FrontSummary:
    known: dict[str, object] = {
        "objectives": ("a", "b"),
        "apart": True,
        "reference": {"a": 0.0, "b": 0.0},
        "confidence": 0.99,
        "rule": {"type": "knee"},
        "inputs": "",
        "kept": True,
        "members": (Member(id="3-1"), Member(id="expert:x"), Member(id="base", dominated_by="3-1")),
        "hypervolume": {"search": Score(0.9, 0.85, 0.95, 50), "test": Score(0.75, 0.7, 0.8, 50)},
        "baselines": Score(0.5, 0.4, 0.6, 50),
        "gain": Difference(0.25, 0.1, 0.4),
    }
    return FrontSummary.model_validate(known | fields)


def test_the_claim_names_both_volumes_and_the_interval_of_their_difference() -> None:
    claim = coverage_claim(front())
    assert claim == (
        "on test the front covers a hypervolume of 0.750, the baselines alone 0.500: "
        "+0.250, 95 % interval 0.100 to 0.400"
    )


@pytest.mark.parametrize("low", [-0.1, 0.0])
def test_an_interval_that_includes_zero_demonstrates_nothing(low: float) -> None:
    claim = coverage_claim(front(gain=Difference(0.05, low, 0.2)))
    assert claim.startswith("no front wider than the baselines’ is demonstrated: on test ")


def test_without_a_comparison_nothing_is_claimed() -> None:
    assert coverage_claim(front(gain=None)) == ""
    assert coverage_claim(front(baselines=None)) == ""
    assert looks_words(front(hypervolume={})) == ""


def test_how_much_larger_a_front_looks_where_it_was_sought() -> None:
    assert "looks 20.0 % larger on the search split" in looks_words(front())
    worse = {"search": Score(0.6, 0.5, 0.7, 50), "test": Score(0.75, 0.7, 0.8, 50)}
    assert "looks 20.0 % smaller on the search split" in looks_words(front(hypervolume=worse))
    nothing = {"search": Score(0.6, 0.5, 0.7, 50), "test": Score(0.0, 0.0, 0.0, 50)}
    assert "nothing on the test split" in looks_words(front(hypervolume=nothing))


def test_members_are_those_that_none_dominates_and_baselines_among_them_are_named() -> None:
    assert [member.id for member in undominated(front())] == ["3-1", "expert:x"]
    assert members_words(front()).startswith("2 members (one of them a baseline: expert x), none of which ")
    assert "candidate 3-1" in members_words(front(members=(Member(id="3-1"),)))


def test_floors_are_kept_or_it_is_said_first_that_none_keeps_them() -> None:
    kept = {"a": FloorKept(low=0.4567, kept=True), "b": FloorKept(low=-0.01, kept=True)}
    floors = {"a": "0.4", "b": "base - 0.02"}
    found = front(floors=floors, members=(Member(id="3-1", floors=kept),))
    assert floors_words(found, "3-1") == (
        "candidate 3-1 keeps every floor on the select split: a: lower bound 0.457, floor 0.4; "
        "b: lower bound base - 0.01, floor base - 0.02"
    )
    broken = kept | {"a": FloorKept(low=0.3, kept=False)}
    found = front(floors=floors, kept=False, members=(Member(id="3-1", floors=broken),))
    words = floors_words(found, "3-1")
    assert words.startswith("no candidate keeps the floors: the nearest one, candidate 3-1, was delivered instead (a:")
    assert "lower bound 0.300, floor 0.4, not kept" in words
    assert floors_words(front(), "3-1") == ""


def test_names_are_words() -> None:
    assert [member_name(id) for id in ("3-1", "base", "expert:x", "uniform:0.5")] == [
        "candidate 3-1",
        "the base",
        "expert x",
        "uniform weights, 0.5 each",
    ]

"""The model card of a front says what the front gives, and first of all where no one keeps the floors."""

from pathlib import Path

import pytest

from support.front_runs import front_run
from support.made_fronts import FRONTS
from support.playground import Playground
from support.report_runs import KINDS
from swarm.export.card import verdicts
from swarm.journal.front_words import coverage_claim
from swarm.journal.summary import Summary


def summary_of(kind: str) -> Summary:
    found = (FRONTS | KINDS)[kind]().typed_summary
    assert found is not None
    return found


@pytest.mark.parametrize("kind", ["two", "three", "floors", "broken"])
def test_the_claim_is_of_the_front_and_of_no_single_objective(kind: str) -> None:
    summary = summary_of(kind)
    assert summary.front is not None
    found = verdicts(summary)
    assert found[-1].lower() == f"{coverage_claim(summary.front)}.".lower()
    assert len(found) == 1 + bool(summary.front.floors)
    assert found[0].startswith("No candidate keeps the floors: ") == (kind == "broken")


def test_under_floors_the_objectives_keep_their_verdicts() -> None:
    summary = summary_of("best with floors")
    assert "keeps every floor on the select split" in verdicts(summary)[0]
    assert len(verdicts(summary)) == 1 + len(summary.verdict or {})


def test_an_ordinary_card_says_nothing_of_floors() -> None:
    assert not any("floor" in text or "hypervolume" in text for text in verdicts(summary_of("plain")))


def test_the_card_of_a_run_holds_it(playground: Playground) -> None:
    run = front_run(playground)
    front = Summary.read(run / "summary.json").front
    assert front is not None
    card = " ".join(Path(run / "best" / "README.md").read_text().split())
    assert coverage_claim(front)[-30:] in card
    assert "No improvement" not in card

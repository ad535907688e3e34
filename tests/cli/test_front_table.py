"""The result of a front on a terminal: one row per member, within the width, and what it gives."""

from io import StringIO

import pytest
from rich.console import Console

from support.made_fronts import FRONTS, FrontMaker
from swarm.cli.table import summary_table
from swarm.journal.front_words import is_baseline
from swarm.journal.summary import Summary


def summary_of(kind: str) -> Summary:
    found = FRONTS[kind]().typed_summary
    assert found is not None
    return found


def printed(summary: Summary, width: int) -> list[str]:
    console = Console(file=StringIO(), width=width, highlight=False, markup=False)
    console.print(summary_table(summary))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return [line.rstrip() for line in text.splitlines()]


@pytest.mark.parametrize("width", [60, 80, 99, 120])
@pytest.mark.parametrize("kind", ["two", "three", "floors", "broken"])
def test_every_member_has_a_row_within_the_width(kind: str, width: int) -> None:
    summary = summary_of(kind)
    lines = printed(summary, width)
    assert max(map(len, lines)) <= width
    assert summary.front is not None
    names = [line[2:].split("  ")[0].strip() for line in lines[1:]]
    for member in summary.front.members:
        if not is_baseline(member.id):
            assert names.count(member.id) == (member.dominated_by == "" or member.id == summary.best.id)
    assert sum(line.startswith(f"> {summary.best.id}") for line in lines) == 1
    assert lines[1].startswith(f"> {summary.best.id}")
    assert {"base", "uniform, 0.25 each"} <= set(names)


def test_three_objectives_fit_a_hundred_columns_with_their_intervals() -> None:
    summary = summary_of("three")
    lines = printed(summary, 99)
    assert lines[0].split() == ["on", "test", "letters", "digits", "likelihood"]
    for name in ("letters", "digits", "likelihood"):
        score = (summary.best.test or {})[name]
        ends = {f"({score.low:.2f} to {score.high:.2f})", f"({score.low:.2f}, {score.high:.2f})"}
        assert any(end in lines[1] for end in ends)


def test_of_many_objectives_all_are_shown_in_several_tables() -> None:
    names = tuple(f"objective-{i}" for i in range(9))
    found = FrontMaker(names, iterations=3).run().typed_summary
    assert found is not None
    lines = printed(found, 80)
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert all(text.count(name) == 1 for name in names)
    assert text.count(f"> {found.best.id}") > 1


def test_the_best_single_expert_of_each_objective_is_there() -> None:
    summary = summary_of("two")
    lines = printed(summary, 120)
    for objective in ("letters", "digits"):
        tested = {n: b.test[objective].mean for n, b in summary.baselines.items() if n[:7] == "expert:" and b.test}
        assert any(line.strip().startswith(max(tested, key=lambda name: tested[name])) for line in lines)


def test_the_rule_and_the_volumes_follow_and_no_single_objective_is_judged() -> None:
    summary = summary_of("two")
    text = " ".join(" ".join(printed(summary, 120)).split())
    assert f"Delivered: candidate {summary.best.id}, chosen by the rule weighted_sum:letters=0.5" in text
    assert "--select RULE" in text
    assert summary.front is not None
    assert summary.front.gain is not None
    assert "the front covers a hypervolume of" in text
    assert "No improvement" not in text


def test_that_no_one_keeps_the_floors_is_said_and_that_they_are_kept() -> None:
    assert "No candidate keeps the floors: the nearest one, " in " ".join(printed(summary_of("broken"), 120))
    assert " keeps every floor on the select split: " in " ".join(printed(summary_of("floors"), 120))
    ordinary = printed(summary_of("best with floors"), 120)
    assert any(line.startswith("selected (") for line in ordinary), "the table of an ordinary run"
    assert " keeps every floor on the select split: digits: lower bound" in " ".join(ordinary)

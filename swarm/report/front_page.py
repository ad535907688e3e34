"""What the pages say of a front and of floors: the claim, the members, interference, and the decision."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from swarm.journal.front_words import (
    coverage_claim,
    floors_words,
    looks_words,
    member_name,
    members_words,
    number,
)
from swarm.journal.summary import Best, Summary
from swarm.preferences.reading import written_rule
from swarm.report.coefficients import baseline_at
from swarm.report.figures.front_parallel import parallel_figure
from swarm.report.figures.front_scatter import scatter_figure
from swarm.report.figures.hypervolume import hypervolume_figure
from swarm.report.figures.interference_heatmap import interference_figure
from swarm.report.figures.svg import Figure
from swarm.report.front import Decision, FrontRows, decisions, front_rows
from swarm.report.front_curve import front_curve
from swarm.report.interference import Interference, interference
from swarm.report.read_journal import Journal
from swarm.report.weights import written_config
from swarm.report.words import Unit, capital


@dataclass(frozen=True)
class FrontPage:
    """The front's part of a report.

    apart: whether objectives were held apart; else one utility was maximised under floors.
    headline: the claim; "" where nothing was held apart, as the objectives have headlines of their own then.
    warning: that nobody keeps the floors; "" else.
    claims: the sentences below the headline.
    result: what was delivered, with its test scores; "" with another headline.
    rows: of the table of members.
    figure: scatter or parallel coordinates; None for a single objective.
    decision: how the delivered one was chosen, in sentences.
    decisions: what was chosen later.
    """

    apart: bool
    headline: str
    warning: str
    claims: tuple[str, ...]
    result: str
    rows: FrontRows
    units: Mapping[str, Unit]
    figure: Figure | None
    curve: Figure | None
    interference: Interference | None
    interference_figure: Figure | None
    decision: tuple[str, ...]
    decisions: tuple[Decision, ...]


def front_page(run_dir: Path, journal: Journal, summary: Summary | None, units: Mapping[str, Unit]) -> FrontPage | None:
    """None for a run without a front and without floors, and while it is unfinished."""
    if summary is None or summary.front is None or (rows := front_rows(journal, summary)) is None:
        return None
    front, best = summary.front, summary.best
    floors = floors_words(front, best.id)
    said = (members_words(front), looks_words(front), floors if front.kept else "") if front.apart else ()
    several = len(front.objectives) > 1
    curve = front_curve(journal, front.reference) if front.apart else None
    found = interference(journal, summary.baselines, front.objectives) if several else None
    return FrontPage(
        apart=front.apart,
        headline=capital(coverage_claim(front) or members_words(front)) if front.apart else "",
        warning=capital(floors) if floors and not front.kept else "",
        claims=tuple(filter(None, said)) if front.apart else tuple(filter(None, [floors if front.kept else ""])),
        result=_result(best, units, front.objectives) if front.apart else "",
        rows=rows,
        units=units,
        figure=_figure(rows, units) if several else None,
        curve=hypervolume_figure(curve, front) if curve else None,
        interference=found,
        interference_figure=interference_figure(found, units) if found else None,
        decision=_decision(summary),
        decisions=decisions(run_dir),
    )


def unfinished_curve(run_dir: Path, journal: Journal) -> Figure | None:
    """The hypervolume so far, of a search that holds objectives apart; None for others, and without baselines."""
    config = written_config(run_dir)
    optimizer = config.get("optimizer") if isinstance(config, Mapping) else None
    if not isinstance(config, Mapping) or not isinstance(optimizer, Mapping) or optimizer.get("goal") != "front":
        return None
    stated = {str(one.get("name")): one.get("reference") for one in config.get("objectives") or ()}
    baselines = [line for line in journal.searched if line.status == "ok" and baseline_at(line.position, journal)]
    if not baselines:
        return None
    lowest = {name: min(line.scores.get(name, math.inf) for line in baselines) for name in journal.objectives}
    given = {name: float(value) for name, value in stated.items() if isinstance(value, int | float)}
    curve = front_curve(journal, {name: given.get(name, lowest[name]) for name in journal.objectives})
    return hypervolume_figure(curve, None) if curve else None


def _figure(rows: FrontRows, units: Mapping[str, Unit]) -> Figure:
    names = rows.front.objectives
    return scatter_figure(rows, [units[name] for name in names]) if len(names) == 2 else parallel_figure(rows, units)


def _result(best: Best, units: Mapping[str, Unit], objectives: tuple[str, ...]) -> str:
    """ "candidate 17-1 was delivered: next 97.1 % (90.2 to 99.2), ... on test"; "" without a test score."""
    tested = best.test or {}
    parts = [
        f"{name} {units[name].score(score.mean)} ({units[name].interval(score.low, score.high)})"
        for name in objectives
        if (score := tested.get(name))
    ]
    return f"{member_name(best.id)} was delivered; on test: {', '.join(parts)}, with 95 % intervals" if parts else ""


def _decision(summary: Summary) -> tuple[str, ...]:
    front, best = summary.front, summary.best
    if front is None:
        return ()
    chosen = f"{capital(member_name(best.id))} was chosen by the rule {written_rule(front.rule)}"
    among = "among the members that no other dominates with significance on the select split"
    floors = " and that keep every floor" if front.floors else ""
    if not front.kept:
        nearest = "the one whose worst lower bound is nearest to its floor"
        chosen = f"{capital(member_name(best.id))} was delivered as {nearest}"
        among, floors = f"the rule {written_rule(front.rule)} had nobody to choose from", ""
    bounds = (
        "A floor is kept where the lower bound of the score on the select split is no lower; each bound holds with "
        f"{100 * front.confidence:.4g} % confidence, so that all of them together do with 95 %."
    )
    reference = ", ".join(f"{name} {number(value)}" for name, value in front.reference.items())
    volume = f"Hypervolume is the volume above the reference point ({reference}), in the product of the scores’ units."
    return (
        f"{chosen}{',' if front.kept else ';'} {among}{floors}.",
        *((f"The rule compared {front.inputs}.",) if front.inputs and front.kept else ()),
        *((bounds,) if front.floors else ()),
        *((volume,) if front.apart else ()),
    )

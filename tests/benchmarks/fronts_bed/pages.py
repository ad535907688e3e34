"""The tables of docs/results/fronts.md, and the metrics that fronts.py prints."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from common import Metric

from fronts_bed.contenders import CONTENDERS, COSTLY, OURS
from fronts_bed.standings import Estimate, Standings, optimism, seconds

PAGE = Path(__file__).resolve().parents[3] / "docs" / "results" / "fronts.md"
BEGIN, END = "<!-- tables: written by tests/benchmarks/fronts.py -->", "<!-- end of tables -->"
EVOLUTION = "nsga2"  # the field's standard, which problems with floors are compared with


def metrics(standings: Standings) -> Iterator[Metric]:
    yield metric("problems without floors", len(standings.noisy()), "problems", ">= 8")
    yield metric("problems with floors", len(standings.constrained()), "problems", ">= 4")
    for problem in standings.problems:
        for name in standings.contenders(problem):
            found = standings.estimate(problem, name, standings.share("posterior"))
            yield metric(f"{problem}: {name}: true hypervolume over best known", found.mean, "share")
    for problem in standings.noisy():
        for name in standings.contenders(problem):
            yield metric(f"{problem}: {name}: optimism", standings.estimate(problem, name, optimism).mean, "share")
    for theirs in CONTENDERS:
        if theirs != OURS:
            yield from against(standings, theirs)
    for problem in standings.constrained():
        medians = [
            standings.median(problem, name, standings.share("posterior"))
            for name in (OURS, EVOLUTION)
            if standings.rows(problem, name)
        ]
        if len(medians) == 2:
            what = f"{problem}: median hypervolume of {OURS} less that of {EVOLUTION}"
            yield metric(what, medians[0] - medians[1], "share", ">= 0")


def against(standings: Standings, theirs: str) -> Iterator[Metric]:
    """Of ours against a method, over the problems without floors: losses, mean difference, seconds."""
    differences = compared(standings, theirs)
    if not differences:
        return
    lost = sum(each.verdict == "loss" for each in differences.values())
    yield metric(f"problems lost to {theirs}", lost, "problems", None if theirs in COSTLY else "<= 0")
    won = sum(each.verdict == "win" for each in differences.values())
    yield metric(f"problems won against {theirs}, of {len(differences)}", won, "problems")
    mean = float(np.mean([each.mean for each in differences.values()]))
    yield metric(f"mean difference from {theirs}", mean, "share")
    ratios = [standings.seconds_over(problem, theirs, OURS) for problem in differences]
    yield metric(
        f"seconds of proposing: {theirs} / {OURS}", float(np.median([r for r in ratios if r is not None])), "x"
    )


def compared(standings: Standings, theirs: str) -> dict[str, Estimate]:
    """Problem without floors -> ours less theirs."""
    found = {problem: standings.difference(problem, OURS, theirs) for problem in standings.noisy()}
    return {problem: each for problem, each in found.items() if each is not None}


def metric(what: str, value: float, unit: str, target: str | None = None) -> Metric:
    return Metric("fronts", what, value, unit, target)


def write(standings: Standings) -> None:
    """Write the tables between the page's two markers."""
    head, rest = PAGE.read_text().split(BEGIN)
    _, tail = rest.split(END)
    PAGE.write_text(head + "\n".join([BEGIN, "", *tables(standings), "", END]) + tail)


def tables(standings: Standings) -> Iterator[str]:
    yield from summary(standings)
    for problem in standings.noisy():
        yield from without_floors(standings, problem)
    for problem in standings.constrained():
        yield from with_floors(standings, problem)


def summary(standings: Standings) -> Iterator[str]:
    """Mean shares, problem by problem."""
    names = [name for name in CONTENDERS if any(standings.rows(p, name) for p in standings.problems)]
    yield "## Mean share of the best known hypervolume"
    yield ""
    yield f"| | {' | '.join(names)} |"
    yield "|---|" + "---:|" * len(names)
    for problem in standings.problems:
        means = {
            name: standings.estimate(problem, name, standings.share("posterior")).mean
            for name in standings.contenders(problem)
        }
        cells = [percent(means[name], top=max(means.values())) if name in means else "" for name in names]
        yield f"| {problem} | {' | '.join(cells)} |"
    yield ""


def without_floors(standings: Standings, problem: str) -> Iterator[str]:
    yield from heading(
        standings, problem, ("posterior front", "observed front", f"{OURS} less it", "", "optimism", "seconds")
    )
    for name in ranked(standings, problem):
        shares = [standings.estimate(problem, name, standings.share(front)) for front in ("posterior", "observed")]
        cells = [interval(each) for each in shares] + versus(standings, problem, name)
        cells += [signed(standings.estimate(problem, name, optimism).mean), spent(standings, problem, name)]
        yield f"| {label(standings, problem, name)} | {' | '.join(cells)} |"
    yield ""


def with_floors(standings: Standings, problem: str) -> Iterator[str]:
    yield from heading(standings, problem, ("mean", "median", f"{OURS} less it", "", "seconds"))
    for name in ranked(standings, problem):
        share = standings.share("posterior")
        cells = [interval(standings.estimate(problem, name, share)), percent(standings.median(problem, name, share))]
        cells += [*versus(standings, problem, name), spent(standings, problem, name)]
        yield f"| {label(standings, problem, name)} | {' | '.join(cells)} |"
    yield ""


def heading(standings: Standings, problem: str, columns: Sequence[str]) -> Iterator[str]:
    known = standings.known[problem]
    floors = "" if known["noisy"] else ", with floors"
    yield f"## {problem}: {len(known['reference'])} objectives, {known['dimensions']} coordinates{floors}"
    yield ""
    yield f"| | {' | '.join(columns)} |"
    yield "|---|" + "---:|" * len(columns)


def ranked(standings: Standings, problem: str) -> list[str]:
    """The methods, the greatest mean share first."""
    share = standings.share("posterior")
    return sorted(standings.contenders(problem), key=lambda name: -standings.estimate(problem, name, share).mean)


def label(standings: Standings, problem: str, name: str) -> str:
    count = len(standings.rows(problem, name))
    most = max(len(standings.rows(problem, each)) for each in standings.contenders(problem))
    shown = f"**{name}**" if name == OURS else name
    return shown if count == most else f"{shown} ({count} seeds)"


def versus(standings: Standings, problem: str, theirs: str) -> list[str]:
    """The difference and its verdict."""
    found = standings.difference(problem, OURS, theirs) if theirs != OURS else None
    return ["", ""] if found is None else [f"{signed(found.mean)} ± {100 * found.half:.1f}", found.verdict]


def spent(standings: Standings, problem: str, name: str) -> str:
    return f"{standings.median(problem, name, seconds):.2g}"


def interval(found: Estimate) -> str:
    return f"{100 * found.mean:.1f} ± {100 * found.half:.1f}"


def percent(value: float, top: float = float("inf")) -> str:
    return f"**{100 * value:.1f}**" if value >= top else f"{100 * value:.1f}"


def signed(value: float) -> str:
    return f"{100 * value:+.1f}"

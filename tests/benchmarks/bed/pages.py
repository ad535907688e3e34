"""The tables of docs/results/discovery.md, and the metrics that discovery.py prints."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from common import Metric

from bed.contenders import BUDGET, SIZES
from bed.problem import SIZE
from bed.standings import HALVES, HARD, OURS, PLAIN, THEIRS, TIE, Estimate, Row, Table, resampled

PAGE = Path(__file__).resolve().parents[3] / "docs" / "results" / "discovery.md"
BEGIN, END = "<!-- tables: written by tests/benchmarks/discovery.py -->", "<!-- end of tables -->"


def metrics(table: Table) -> Iterator[Metric]:
    halves = {half: [p for p in names if p in table.problems] for half, names in HALVES.items()} | {
        "all": table.problems
    }
    yield metric("problems", len(table.problems), "problems", ">= 12")
    for half, problems in halves.items():
        if not problems:
            continue
        ours, theirs = (table.estimate(name, table.regret, problems).value for name in (OURS, THEIRS))
        yield metric(f"{half}: median regret of {OURS} / that of {THEIRS}", ours / theirs, "x", "<= 0.5")
        yield metric(f"{half}: pairs won against {THEIRS}", table.wins(THEIRS, problems), "share")
        what = f"{half}: pairs won against {THEIRS}, or lost by at most a point"
        yield metric(what, table.wins(THEIRS, problems, tie=TIE), "share", ">= 0.8")
        for budget in (BUDGET, *table.shorter(OURS)):
            ours, plain = (table.estimate(name, table.regret, problems, budget).value for name in (OURS, PLAIN))
            what = f"{half}: median regret of {OURS} less that of {PLAIN}, {budget} evaluations"
            yield metric(what, 100 * (ours - plain), "points", "<= 0.1" if budget > 40 else None)
        for name, budget in shorter(table):
            what = f"{half}: problems where {name} with {budget} evaluations is no worse than {THEIRS} with {BUDGET}"
            reached = [each.mean() >= 0 for each in table.differences(THEIRS, problems, budget, name)]
            yield metric(what, float(np.mean(reached)), "share")
        for name in (name for name in SIZES if name in table.contenders):
            above = resampled([each.tolist() for each in table.differences(name, problems)], np.mean)
            what = f"{half}: mean regret of {name} above {OURS}'s"
            yield metric(what, 100 * above.value, "points", "<= 0.2")
            yield metric(f"{what}, at most", 100 * above.high, "points")
        covered = table.covered(OURS, problems)
        yield metric(f"{half}: coverage of the predicted intervals of {OURS}", covered, "share", ">= 0.9")
    overall = float(np.mean([table.covered(name, table.problems) for name in table.contenders]))
    yield metric("coverage of the predicted intervals, all methods", overall, "share", ">= 0.9")
    worse = len(table.below_baselines(OURS))
    yield metric(f"problems where {OURS} is below best expert or uniform average", worse, "problems", "<= 0")


def shorter(table: Table) -> list[tuple[str, int]]:
    """(method, budget) of those that also ran with a smaller budget."""
    return [(name, budget) for name in (OURS, HARD, PLAIN) for budget in table.shorter(name)]


def metric(what: str, value: float, unit: str, target: str | None = None) -> Metric:
    return Metric("discovery", what, value, unit, target)


def write(table: Table, settings: Mapping[str, str]) -> None:
    """Write the tables between the page's two markers."""
    text = PAGE.read_text()
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    PAGE.write_text(head + "\n".join([BEGIN, "", *tables(table, settings), "", END]) + tail)


def tables(table: Table, settings: Mapping[str, str]) -> Iterator[str]:
    for half, names in HALVES.items():
        yield from standings(table, half, [p for p in names if p in table.problems])
    yield from by_problem(table)
    yield from to_target(table)
    yield from chosen(settings)


def standings(table: Table, half: str, problems: Sequence[str]) -> Iterator[str]:
    seeds = len({seed for _, seed in table.rows(OURS)})
    yield f"### The {half} half: {len(problems)} problems x {seeds} seeds, {BUDGET} evaluations of 200 examples"
    yield ""
    columns = ("examples", "median regret", "share of headroom", "generalisation gap", f"{OURS} wins", "or ties")
    yield f"| | {' | '.join(columns)} | coverage |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    entries = [(name, BUDGET) for name in table.contenders]
    entries += shorter(table)
    ranked = sorted(entries, key=lambda entry: table.estimate(entry[0], table.regret, problems, entry[1]).value)
    for name, budget in ranked:
        regret = table.estimate(name, table.regret, problems, budget)
        headroom = table.estimate(name, table.headroom, [p for p in problems if table.has_headroom(p)], budget)
        gap = table.mean(name, lambda row: row["search"] - row["delivered"], problems, budget)
        examples = table.mean(name, examples_of, problems, budget).value
        cells = [f"{examples:,.0f}", points(regret), share(headroom), points(gap)]
        if (name, budget) == (OURS, BUDGET) or budget != BUDGET:
            cells += ["", "", percent(table.covered(name, problems)) if budget == BUDGET else ""]
        else:
            won = [table.wins(name, problems, tie=tie) for tie in (0.0, TIE)]
            cells += [*map(percent, won), percent(table.covered(name, problems))]
        yield f"| {label(name, budget)} | {' | '.join(cells)} |"
    yield ""


def examples_of(row: Row) -> float:
    """Example evaluations of the search. Without racing every candidate is scored on all."""
    return float(row.get("searched", SIZE * row["scored"]))


def by_problem(table: Table) -> Iterator[str]:
    yield "### Mean true score of the delivered weighting, per problem"
    yield ""
    names = table.contenders
    yield "| | base | best expert | best uniform | best known | " + " | ".join(names) + " |"
    yield "|---|" + "---:|" * (4 + len(names))
    for problem in table.problems:
        known = table.references[problem]
        cells = [f"{100 * known[k]:.1f}" for k in ("base", "expert", "uniform")] + [f"{100 * table.known(problem):.1f}"]
        means = {n: table.mean(n, lambda row: float(row["delivered"]), [problem]).value for n in names}
        top = max(means.values())
        cells += [f"**{100 * m:.1f}**" if m >= top - 1e-12 else f"{100 * m:.1f}" for m in means.values()]
        yield f"| {problem} | {' | '.join(cells)} |"
    yield ""


def to_target(table: Table) -> Iterator[str]:
    yield f"### Evaluations until the best so far has the true score of {THEIRS} after {BUDGET}"
    yield ""
    yield "| | " + " | ".join(table.contenders) + " |"
    yield "|---|" + "---:|" * len(table.contenders)
    for problem in table.problems:
        counts = [table.evaluations_to(name, problem) for name in table.contenders]
        yield f"| {problem} | " + " | ".join(f"{count:.0f}" if np.isfinite(count) else "–" for count in counts) + " |"
    yield ""


def chosen(settings: Mapping[str, str]) -> Iterator[str]:
    yield "### Settings chosen on the development half"
    yield ""
    for name, text in settings.items():
        listed = ", ".join(f"`{key}: {value}`" for key, value in json.loads(text).items())
        yield f"- {name}: {listed or 'its defaults'}"


def label(name: str, budget: int) -> str:
    shown = f"**{name}**" if name == OURS else name
    return shown if budget == BUDGET else f"{shown}, {budget} evaluations"


def points(found: Estimate) -> str:
    return f"{100 * found.value:.2f} ({100 * found.low:.2f} to {100 * found.high:.2f})"


def share(found: Estimate) -> str:
    return f"{100 * found.value:.0f} % ({100 * found.low:.0f} to {100 * found.high:.0f})"


def percent(value: float) -> str:
    return f"{100 * value:.0f} %"

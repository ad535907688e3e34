"""Puts the figures on the page: `report.html` and `report.md`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from swarm.files import write_text
from swarm.report import bars, facts, plots, words
from swarm.report.course import Costs, Trouble, costs, course, troubles
from swarm.report.examples import Changes, TaskScores, by_task, changes, tested_key
from swarm.report.journal import Journal, read_journal
from swarm.report.state import is_finished, state
from swarm.report.summary import Best, Coefficients, Scores, Summary, read_summary
from swarm.report.svg import Figure


@dataclass(frozen=True)
class Section:
    """Everything about one objective. cells: the drawn interval of each row; scale: their ends."""

    name: str
    unit: words.Unit
    headline: facts.Headline | None
    rows: tuple[facts.Row, ...]
    cells: tuple[str, ...]
    scale: tuple[float, float]
    optimism: Figure | None
    course: Figure | None
    tasks: tuple[TaskScores, ...]
    tasks_figure: Figure | None
    changes: Changes | None
    chance: float | None


@dataclass(frozen=True)
class Page:
    """What both templates show."""

    run: str
    finished: bool
    state: tuple[str, ...]
    sections: tuple[Section, ...]
    best: Best | None
    coefficients: Coefficients
    coefficients_figure: Figure | None
    costs: Costs
    time_figure: Figure | None
    troubles: tuple[Trouble, ...]
    notes: tuple[str, ...]
    journal: Journal
    summary: Summary
    reason: str


def write_report(run_dir: Path, lines: Sequence[Mapping[str, object]], summary: Mapping[str, object]) -> None:
    """Writes `report.html` and `report.md` into `run_dir`, each in one step.

    `lines` are the journal's, in order; `summary` is `summary.json`, or {} while the run is unfinished.
    Raises RunError if the journal has no start line.
    """
    page = _page(run_dir.resolve().name, lines, summary)
    for name in ("report.html", "report.md"):
        write_text(run_dir / name, _environment(name).get_template(f"{name}.j2").render(page=page))


def _page(run: str, lines: Sequence[Mapping[str, object]], summary_json: Mapping[str, object]) -> Page:
    journal = read_journal(lines)
    summary = read_summary(summary_json, journal.objectives)
    best, units = facts.find_best(journal, summary), facts.units(journal)
    baselines, coefficients = facts.find_baselines(journal, summary), best.coefficients if best else {}
    spent = costs(journal, dict(summary.counts), dict(summary.seconds))
    return Page(
        run=run,
        finished=is_finished(summary),
        state=state(journal, summary, best, units),
        sections=tuple(_section(name, journal, summary, best, baselines, units[name]) for name in units),
        best=best,
        coefficients=coefficients,
        coefficients_figure=bars.coefficients_figure(coefficients),
        costs=spent,
        time_figure=bars.time_figure(spent),
        troubles=troubles(journal),
        notes=tuple(dict.fromkeys((*journal.start.notes, *summary.notes))),
        journal=journal,
        summary=summary,
        reason=words.REASONS.get(journal.ends.get("search", ""), ""),
    )


def _section(
    name: str,
    journal: Journal,
    summary: Summary,
    best: Best | None,
    baselines: Mapping[str, Scores],
    unit: words.Unit,
) -> Section:
    several = len(journal.objectives) > 1
    label = f", {name}" if several else ""
    rows = facts.table(name, best, baselines, summary)
    scale = bars.interval_scale(rows)
    single = facts.best_single(rows)
    keys = {"best": best.id if best else "", "base": "base", "uniform": tested_key(journal, "uniform")}
    tasks = by_task(journal, keys | ({"expert": single.key} if single else {}), name)
    references = {row.kind: row.search.mean for row in rows if row.search and (row.kind == "uniform" or row is single)}
    source = best.source if best else "search"
    title = "Composed expert" if source == "search" else words.capital(words.baseline_name(source))
    return Section(
        name=name,
        unit=unit,
        headline=facts.headline(title + label, rows, unit, source),
        rows=rows,
        cells=tuple(bars.interval_cell(row, *scale) for row in rows),
        scale=scale,
        optimism=_optimism(name, best, summary, unit, label) if best else None,
        course=plots.course_figure(course(journal, name), references, unit, label),
        tasks=tasks,
        tasks_figure=plots.tasks_figure(tasks, unit, label),
        changes=changes(journal, best.id, name) if best and unit.percent else None,
        chance=summary.chance.get(name),
    )


def _optimism(name: str, best: Best, summary: Summary, unit: words.Unit, label: str) -> Figure | None:
    gap = facts.optimism(name, best, summary)
    return bars.optimism_figure(name, best, gap, unit, label, summary.predicted.get(name))


def _environment(name: str) -> Environment:
    loader = PackageLoader("swarm", "templates")
    is_html = name.endswith(".html")
    environment = Environment(
        loader=loader, autoescape=is_html, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "thousands": words.thousands,
        "duration": words.duration,
        "cut": words.cut,
        "signed": words.signed,
        "tied": lambda text: text.replace(" %", "\u00a0%"),
        "sentence": lambda text: f"{words.capital(text)}.",
        "md": _markdown_text,
        "code": _markdown_code,
    }
    environment.globals |= {
        "count": words.count,
        "chance": words.chance,
        "kinds": plots.KIND_WORDS,
        "most": 20,
        "first": 4,
    }
    return environment


def _markdown_text(text: str) -> str:
    """Data as plain words: nothing in it acts as Markdown or HTML, and it stays on its line."""
    return re.sub(r"([\\`*_\[\]<>|#~$&])", r"\\\1", " ".join(text.split()))


def _markdown_code(text: str) -> str:
    """Data as inline code, on one line, with a fence longer than any run of backticks in it."""
    flat = " ".join(text.split()).replace("|", "¦")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", flat)), default=0))
    return f"{fence} {flat} {fence}" if "`" in flat else f"`{flat}`" if flat else "(nothing)"

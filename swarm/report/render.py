"""Puts the figures on the page: `report.html` and `report.md`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from swarm.core.files import write_text
from swarm.journal.records import Record
from swarm.journal.summary import Best, Coefficients, ExportCheck, SplitScores, Summary
from swarm.report import score_table, words
from swarm.report.examples import Changes, Contrast, TaskTable, by_task, changes, contrast
from swarm.report.figures import bars, curves
from swarm.report.figures.coefficient_bars import coefficients_figure, region_words
from swarm.report.figures.heatmap import tasks_figure
from swarm.report.figures.svg import Figure
from swarm.report.figures.swarm_map import map_figure
from swarm.report.projection import plane
from swarm.report.read_journal import Journal, read_journal
from swarm.report.region import Region, good_region
from swarm.report.search_curve import CostModel, Trouble, costs, search_curve, troubles
from swarm.report.status import is_finished, state
from swarm.report.weights import read_weights
from swarm.statistics.verdict import Verdict


@dataclass(frozen=True)
class Section:
    """Everything about one objective.

    verdict: what may be claimed; older runs have none.
    corrected: whether the intervals of the rows' gains hold for all baselines together.
    cells: the drawn interval of each row.
    scale: the ends of the drawn intervals.
    chance: examples that one more expert would get right and no source does.
    """

    name: str
    unit: words.Unit
    headline: score_table.Headline | None
    verdict: Verdict | None
    corrected: bool
    rows: tuple[score_table.Row, ...]
    cells: tuple[str, ...]
    scale: tuple[float, float]
    optimism: Figure | None
    search_curve: Figure | None
    map: Figure | None
    tasks: TaskTable | None
    tasks_figure: Figure | None
    contrast: Contrast | None
    contrast_figure: Figure | None
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
    region: Region | None
    costs: CostModel
    time_figure: Figure | None
    troubles: tuple[Trouble, ...]
    notes: tuple[str, ...]
    journal: Journal
    versions: Mapping[str, str]
    export_check: ExportCheck | None
    reason: str


def write_report(run_dir: Path, records: Sequence[Record], summary: Summary | None) -> None:
    """Write `report.html` and `report.md` into `run_dir`, each whole or not at all.

    `records` are the journal's, in order; `summary` is None while the run is unfinished. The objectives' weights are
    those of `config.yaml` in `run_dir`. Raises RunError if the journal has no start record.
    """
    journal = read_journal(records)
    page = _page(run_dir.resolve().name, journal, summary, read_weights(run_dir, journal.objectives))
    for name in ("report.html", "report.md"):
        write_text(run_dir / name, _environment(name).get_template(f"{name}.j2").render(page=page))


def _page(run: str, journal: Journal, summary: Summary | None, weights: Mapping[str, float]) -> Page:
    summary = summary.named(journal.objectives) if summary else None
    best, units = score_table.find_best(journal, summary, weights), score_table.units(journal)
    baselines, coefficients = score_table.find_baselines(journal, summary), best.coefficients if best else {}
    spent, region = costs(journal, summary), good_region(journal, weights)
    return Page(
        run=run,
        finished=is_finished(summary),
        state=state(journal, summary, best, units),
        sections=tuple(_section(name, journal, summary, best, baselines, units[name]) for name in units),
        best=best,
        coefficients=coefficients,
        coefficients_figure=coefficients_figure(coefficients, region),
        region=region,
        costs=spent,
        time_figure=bars.time_figure(spent),
        troubles=troubles(journal),
        notes=tuple(dict.fromkeys((*journal.start.notes, *(summary.notes if summary else ())))),
        journal=journal,
        versions=summary.versions if summary else {},
        export_check=summary.export_check if summary else None,
        reason=words.REASONS.get(journal.ends.get("search", ""), ""),
    )


def _section(
    name: str,
    journal: Journal,
    summary: Summary | None,
    best: Best | None,
    baselines: Mapping[str, SplitScores],
    unit: words.Unit,
) -> Section:
    label = f", {name}" if len(journal.objectives) > 1 else ""
    rows = score_table.table(name, best, baselines, summary)
    scale = bars.interval_scale(rows)
    single, best_id, source = score_table.best_single(rows), best.id if best else "", best.source if best else "search"
    strongest = score_table.best_baseline(rows, best)
    references = {row.kind: row.search.mean for row in rows if row.search and (row.kind == "uniform" or row is single)}
    title = "Composed expert" if source == "search" else words.capital(words.baseline_name(source))
    tasks = by_task(journal, best_id, name)
    against = contrast(journal, best_id, strongest.key, name) if strongest and unit.percent else None
    return Section(
        name=name,
        unit=unit,
        headline=score_table.headline(title + label, rows, unit),
        verdict=summary.verdict.get(name) if summary and summary.verdict else None,
        corrected=score_table.are_corrected(rows),
        rows=rows,
        cells=tuple(bars.interval_cell(row, *scale) for row in rows),
        scale=scale,
        optimism=bars.optimism_figure(_split_scores(name, best, strongest, summary), unit, label) if best else None,
        search_curve=curves.search_curve_figure(search_curve(journal, name), references, unit, label),
        map=map_figure(plane(journal, name, best), unit, label),
        tasks=tasks,
        tasks_figure=tasks_figure(tasks, unit, label),
        contrast=against,
        contrast_figure=bars.contrast_figure(against, label),
        changes=changes(journal, best_id, name) if unit.percent else None,
        chance=summary.emergence.chance if summary and summary.emergence and len(journal.objectives) == 1 else None,
    )


def _split_scores(
    name: str, best: Best, strongest: score_table.Row | None, summary: Summary | None
) -> bars.SplitScores:
    scores = {split: found[name] for split, found in best.scores.items() if name in found}
    predicted = summary.predicted.get(name) if summary and summary.predicted else None
    return bars.SplitScores(scores, predicted, score_table.generalisation_gap(name, best, summary), strongest)


def _environment(name: str) -> Environment:
    loader = PackageLoader("swarm.report", "templates")
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
        "flat": lambda text: " ".join(text.split()),
        "md": _markdown_text,
        "code": _markdown_code,
    }
    environment.globals |= {
        "count": words.count,
        "chance": words.chance,
        "baseline": words.baseline_name,
        "region_words": region_words,
        "gains_words": words.gains_words,
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

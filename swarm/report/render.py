"""Puts the figures on the page: `report.html` and `report.md`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from swarm.core.collector import collector_paused
from swarm.core.files import write_text
from swarm.core.loading import Snippet, load_snippet
from swarm.journal.records import Record
from swarm.journal.summary import Best, ExportCheck, SplitScores, Summary
from swarm.report import score_table, words
from swarm.report.composed import Composed, composed
from swarm.report.examples import Changes, Contrast, TaskTable, by_task, changes, contrast
from swarm.report.figures import bars, curves
from swarm.report.figures.heatmap import tasks_figure
from swarm.report.figures.svg import Figure
from swarm.report.figures.swarm_map import map_figure
from swarm.report.front_page import FrontPage, front_page, unfinished_curve
from swarm.report.place_costs import place_cost_words
from swarm.report.projection import plane
from swarm.report.read_journal import Journal, read_journal
from swarm.report.region import Region, good_region
from swarm.report.search_curve import CostModel, Trouble, costs, search_curve, troubles
from swarm.report.status import choices, is_finished, later_notes, reproduce_command, resume_command, state
from swarm.report.templating import filled
from swarm.report.weights import Stated, read_scales, read_stated
from swarm.statistics.verdict import Verdict

BEST = "best"
FORMS = {  # a file that only this form of export has -> the form
    "adapter_config.json": "adapter",
    "mergekit.yaml": "mergekit",
    "recipe.json": "recipe",
    "config.json": "hf",
}
ENCODER_DECODER = re.compile(r'"is_encoder_decoder": true|"task_type": "SEQ_2_SEQ_LM"')  # in those files


@dataclass(frozen=True)
class Section:
    """Everything about one objective.

    verdict: what may be claimed; older runs have none.
    corrected: whether the intervals of the rows' gains hold for all baselines together.
    cells: the drawn interval of each row.
    axis: the drawn scale of those.
    chance: examples that one more expert would get right and no source does.
    """

    name: str
    unit: words.Unit
    headline: score_table.Headline | None
    verdict: Verdict | None
    corrected: bool
    rows: tuple[score_table.Row, ...]
    cells: tuple[str, ...]
    axis: str
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
    """What both templates show.

    front: of a finished run with a front or floors. front_curve: of an unfinished one, the hypervolume so far.
    """

    run: str
    finished: bool
    state: tuple[str, ...]
    resume: str
    reproduce: str
    sections: tuple[Section, ...]
    best: Best | None
    composed: Composed
    region: Region | None
    costs: CostModel
    place_costs: str
    time_figure: Figure | None
    troubles: tuple[Trouble, ...]
    notes: tuple[str, ...]
    journal: Journal
    versions: Mapping[str, str]
    export_check: ExportCheck | None
    reason: str
    choices: tuple[str, ...]
    snippet: Snippet | None
    front: FrontPage | None
    front_curve: Figure | None


def write_report(run_dir: Path, records: Sequence[Record], summary: Summary | None) -> None:
    """Write `report.html` and `report.md` into `run_dir`, each whole or not at all. As `rendered`."""
    for name, text in rendered(run_dir, records, summary, ("report.html", "report.md")).items():
        write_text(run_dir / name, text)


def rendered(
    run_dir: Path, records: Sequence[Record], summary: Summary | None, names: Sequence[str], at_work: bool = False
) -> dict[str, str]:
    """The texts of these files of a report. at_work: whether a process is scoring candidates now.

    `records` are the journal's, in order; `summary` is None while the run is unfinished. The objectives' weights are
    those of `config.yaml` in `run_dir`. Raises RunError if the journal has no start record.
    """
    with collector_paused():
        journal = read_journal(records, read_scales(run_dir))
        snippet = _snippet(run_dir / BEST, journal)
        page = _page(run_dir, journal, summary, read_stated(run_dir, journal.objectives), snippet, at_work)
        return {name: filled(f"{name}.j2", page) for name in names}


def _page(
    run_dir: Path, journal: Journal, summary: Summary | None, stated: Stated, snippet: Snippet | None, at_work: bool
) -> Page:
    summary, weights = summary.named(journal.objectives) if summary else None, stated.weights
    best, units = score_table.find_best(journal, summary, weights), score_table.units(journal)
    baselines = score_table.find_baselines(journal, summary, weights)
    spent, front = costs(journal, summary), front_page(run_dir, journal, summary, units)
    is_front = front is not None and front.apart
    region = None if is_front else good_region(journal, weights)
    sections = tuple(_section(name, journal, summary, best, baselines, units[name], stated.soft) for name in units)
    return Page(
        run=run_dir.resolve().name,
        finished=is_finished(summary),
        state=state(journal, summary, best, units, at_work),
        resume=resume_command(summary, run_dir, at_work),
        reproduce=reproduce_command(journal.start),
        sections=tuple(map(_of_front, sections)) if is_front else sections,
        best=best,
        composed=composed(journal, best, region, stated.bounds),
        region=region,
        costs=spent,
        place_costs=place_cost_words(run_dir, journal),
        time_figure=bars.time_figure(spent),
        troubles=troubles(journal),
        notes=tuple(dict.fromkeys((*journal.start.notes, *(summary.notes if summary else later_notes(run_dir))))),
        journal=journal,
        versions=summary.versions if summary else {},
        export_check=summary.export_check if summary else None,
        reason=words.REASONS.get(journal.ends.get("search", ""), ""),
        choices=choices(summary, score_table.find_best(journal, None, weights)),
        snippet=snippet if is_finished(summary) else None,
        front=front,
        front_curve=None if front else unfinished_curve(run_dir, journal),
    )


def _of_front(section: Section) -> Section:
    """Without the claims of a single objective: a member of a front is not meant to beat the experts in each."""
    return replace(section, headline=None, verdict=None, contrast=None, contrast_figure=None)


def _snippet(best: Path, journal: Journal) -> Snippet | None:
    """How to load what best/ holds, from the folder of the report; None where it holds nothing."""
    found = next((file for file in FORMS if (best / file).is_file()), None)
    if found is None:
        return None
    content = (best / found).read_text(encoding="utf-8", errors="replace")
    return load_snippet(FORMS[found], f"./{best.name}", journal.start.base.path, bool(ENCODER_DECODER.search(content)))


def _section(
    name: str,
    journal: Journal,
    summary: Summary | None,
    best: Best | None,
    baselines: Mapping[str, SplitScores],
    unit: words.Unit,
    soft: bool,
) -> Section:
    label = f", {name}" if len(journal.objectives) > 1 else ""
    rows = score_table.table(name, best, baselines, summary)
    scale = bars.interval_scale(rows)
    single, best_id, source = score_table.best_single(rows), best.id if best else "", best.source if best else "search"
    strongest = score_table.best_baseline(rows, best)
    references: dict[str, float] = {}
    for row in rows:  # the better ones first
        if row.search and (row.kind == "uniform" or row is single):
            references.setdefault(row.kind, row.search.mean)
    title = "Composed expert" if source == "search" else words.capital(words.baseline_name(source))
    tasks, verdict = by_task(journal, best_id, name), summary.verdict.get(name) if summary and summary.verdict else None
    against = contrast(journal, best_id, strongest.key, name) if strongest and unit.percent else None
    return Section(
        name=name,
        unit=unit,
        headline=score_table.headline(title, label, rows, unit, best, verdict),
        verdict=verdict,
        corrected=score_table.are_corrected(rows),
        rows=rows,
        cells=tuple(bars.interval_cell(row, *scale) for row in rows),
        axis=bars.interval_axis(*scale, unit),
        optimism=bars.optimism_figure(_split_scores(name, best, strongest, summary), unit, label) if best else None,
        search_curve=curves.search_curve_figure(search_curve(journal, name, soft), references, unit, label),
        map=map_figure(plane(journal, name, best if summary else None), unit, label),
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

"""The result of a run as a table for the terminal."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from swarm.cli.coefficients import CoefficientLines
from swarm.cli.front_table import FloorLine, FrontLines, FrontTable
from swarm.cli.phase_progress import span
from swarm.cli.shorten import shorten
from swarm.core.terminal_text import one_line
from swarm.journal.summary import BaselineScores, Best, Gain, Summary
from swarm.statistics.intervals import Score

T = TypeVar("T")
SCORES = ("search", "select", "test", "95 % interval")
NAME_KEPT = 24  # columns: names are cut to this before the table is parted, and no shorter
LEAST_NAME = 12
IMPROVEMENT = "improvement\nover baseline"


def summary_table(summary: Summary) -> Group:
    """Scores of the best and the baselines, the improvement over each baseline on test, the cost, and the verdict.

    Of a front: its members, and what it gives.
    """
    details, verdict, front = _details(summary), Text(_verdict(summary), style="bold"), summary.front
    if front and front.apart:
        counts = Text(details[0])
        return Group(FrontTable(summary, front), CoefficientLines(summary), counts, FrontLines(summary, front))
    if front and front.floors:
        floors = FloorLine(summary, front)
        return Group(ScoreTable(summary), CoefficientLines(summary), Text("\n".join(details)), verdict, floors)
    return Group(ScoreTable(summary), CoefficientLines(summary), Text("\n".join(details)), verdict)


def closing_lines(summary: Summary, folder: Path, resumed: bool = False) -> list[str]:
    """The last lines: that the run is finished, how long it took, and where the result lies.

    resumed: an earlier session had begun the run.
    """
    together = ", all sessions together" if resumed else ""
    return [
        f"finished in {span(summary.seconds.total)}{together}",
        f"result   {folder / 'best'}",
        "report   report.html, in the same folder as best",
    ]


@dataclass(frozen=True)
class TableRow:
    """One row of the table.

    scores: a cell for each of SCORES.
    improvement: the improvement over this baseline and its interval; two empty cells for the best itself.
    """

    name: Text
    scores: tuple[str, ...]
    improvement: tuple[str, str]


class ScoreTable:
    """One table where the terminal is wide enough, else the scores, and the improvements below them.

    Where a name is too long for either, it is cut in the middle.
    """

    def __init__(self, summary: Summary) -> None:
        self._rows = [row for objective in summary.objectives for row in _rows(summary, objective)]
        self._improvement = (IMPROVEMENT, _interval_heading(summary))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        longest = max(cell_len(row.name.plain) for row in self._rows)

        def room(build: Callable[[int], Table]) -> int:
            """Columns that are left for names."""
            unlimited = options.update(width=10_000)
            return options.max_width - Measurement.get(console, unlimited, build(longest)).maximum + longest

        if room(self._whole) >= min(longest, NAME_KEPT):
            yield self._whole(room(self._whole))
            return
        yield self._scores(max(LEAST_NAME, room(self._scores)))
        yield ""
        yield self._improvements(max(LEAST_NAME, room(self._improvements)))

    def _whole(self, limit: int) -> Table:
        rows = [(row.name, (*row.scores, *row.improvement)) for row in self._rows]
        return _table((*SCORES, *self._improvement), rows, limit)

    def _scores(self, limit: int) -> Table:
        return _table(SCORES, [(row.name, row.scores) for row in self._rows], limit)

    def _improvements(self, limit: int) -> Table:
        rows = [(row.name, row.improvement) for row in self._rows if any(row.improvement)]
        return _table(self._improvement, rows, limit)


def _table(headings: Sequence[str], rows: Sequence[tuple[Text, Sequence[str]]], limit: int) -> Table:
    """limit: the columns of a name, which is cut in the middle where it has more."""
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", vertical="bottom", no_wrap=True)
    for name, cells in rows:
        table.add_row(Text(shorten(name.plain, limit), style=name.style), *cells)
    return table


def _rows(summary: Summary, objective: str) -> Iterator[TableRow]:
    best = summary.best
    suffix = f" [{one_line(objective)}]" if len(summary.objectives) > 1 else ""
    yield TableRow(Text(f"selected ({one_line(best.id)}){suffix}", style="bold"), _scores(best, objective), ("", ""))
    for name, baseline in summary.baselines.items():
        coefficient = "" if baseline.coefficient is None else f", {baseline.coefficient:.3g} each"
        gain = _of(summary.paired.get(name), objective)
        improvement = ("", "") if name == best.source else _improvement(gain)
        yield TableRow(Text(f"{one_line(name)}{coefficient}{suffix}"), _scores(baseline, objective), improvement)


def _interval_heading(summary: Summary) -> str:
    comparisons = len(summary.gains)
    if comparisons > 1 and summary.is_corrected:
        return f"95 % interval, corrected\nfor {comparisons} comparisons"
    return "95 % interval" if comparisons < 2 else "95 % interval,\nnot corrected"


def _scores(owner: Best | BaselineScores, objective: str) -> tuple[str, ...]:
    search, select, test = (_of(scores, objective) for scores in (owner.search, owner.select, owner.test))
    interval = f"{test.low:.3f} to {test.high:.3f}" if test and test.has_interval else ""
    return _mean(search), _mean(select), _mean(test), interval


def _of(by_objective: Mapping[str, T] | None, objective: str) -> T | None:
    return by_objective.get(objective) if by_objective else None


def _mean(score: Score | None) -> str:
    return f"{score.mean:.3f}" if score else "failed"


def _improvement(gain: Gain | None) -> tuple[str, str]:
    if gain is None:
        return "failed", ""
    shown = gain.shown
    return f"{shown.difference:+.3f}", f"{shown.low:+.3f} to {shown.high:+.3f}"


def _details(summary: Summary) -> list[str]:
    counts = summary.counts
    plural = "" if counts.failures == 1 else "s"
    lines = [f"{counts.evaluations} evaluations, {counts.failures} failure{plural}"]
    if summary.best.source == "search":
        lines.append(f"composed expert: candidate {one_line(summary.best.id)}, chosen by search and select scores")
    if summary.uniform_words:
        lines.append(summary.uniform_words)
    for name, score in (summary.predicted or {}).items():
        of = f" [{one_line(name)}]" if len(summary.objectives) > 1 else ""
        lines.append(f"predicted test score{of}: {score.mean:.3f} (95 % interval {score.low:.3f} to {score.high:.3f})")
    if summary.optimism is not None:
        lines.append(f"generalisation gap (search - test): {summary.optimism:+.3f}")
    if found := summary.emergence:
        lines.append(f"newly right, where every source is wrong: {found.newly_right} of {found.n} test examples")
        lines.append(f"newly wrong, where a source is right: {found.newly_wrong} of {found.n} test examples")
    if summary.reopened:
        lines.append(one_line(summary.reopened))
    return lines


def _verdict(summary: Summary) -> str:
    """What may be claimed, with the minus signs of the table."""
    several = len(summary.objectives) > 1
    verdicts = (summary.verdict or {}).items()
    return "\n".join(one_line(f"{name}: {found.text}" if several else found.text) for name, found in verdicts).replace(
        "−", "-"
    )

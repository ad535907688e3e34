"""The result of a run that held objectives apart as a table for the terminal: one row per member."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from swarm.cli.shorten import shorten
from swarm.cli.wrapping import wrapped
from swarm.core.terminal_text import one_line
from swarm.journal.front_summary import FrontSummary
from swarm.journal.front_words import (
    coverage_claim,
    floors_words,
    is_baseline,
    looks_words,
    member_name,
    members_words,
    undominated,
)
from swarm.journal.summary import Summary
from swarm.preferences.reading import written_rule
from swarm.statistics.intervals import Score
from swarm.statistics.wording import capital

Scores = Mapping[str, Score] | None
Write = Callable[[Score], str]
GAP, MOST_NAME = 2, 28
DELIVERED = "> "  # before the delivered one; before the others, as much space


def _long(score: Score) -> str:
    return f"{score.mean:.3f} ({score.low:.2f} to {score.high:.2f})" if score.has_interval else _mean(score)


def _short(score: Score) -> str:
    return f"{score.mean:.2f} ({score.low:.2f}, {score.high:.2f})" if score.has_interval else f"{score.mean:.2f}"


def _mean(score: Score) -> str:
    return f"{score.mean:.3f}"


FORMS: tuple[Write, ...] = (_long, _short, _mean)  # of a score, the longest first


@dataclass(frozen=True)
class FrontRow:
    """One row. scores: on the test split; None where there are none."""

    name: str
    scores: Scores
    delivered: bool = False


class FrontTable:
    """Test scores, the delivered one first. The intervals have the decimals that the terminal has room for; where even
    the shortest do not fit, they are left to summary.json and the report, and the objectives may take several tables.
    """

    def __init__(self, summary: Summary, front: FrontSummary) -> None:
        self._rows = list(front_rows(summary, front))
        self._objectives = front.objectives

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        longest = min(MOST_NAME, max(cell_len(row.name) for row in self._rows) + len(DELIVERED))
        room = options.max_width - longest
        fitting = (write for write in FORMS if sum(self._widths(write)) <= room)
        write = next(fitting, FORMS[-1])
        beside = max(1, room // max(self._widths(write)))
        if sum(self._widths(write)) <= room:
            beside = len(self._objectives)
        for first in range(0, len(self._objectives), beside):
            if first:
                yield ""
            yield self._table(self._objectives[first : first + beside], longest, write)

    def _widths(self, write: Write) -> list[int]:
        return [GAP + self._width(name, write) for name in self._objectives]

    def _width(self, objective: str, write: Write) -> int:
        cells = (_cell(row.scores, objective, write) for row in self._rows)
        return max(min(cell_len(one_line(objective)), MOST_NAME), *map(cell_len, cells))

    def _table(self, objectives: Sequence[str], limit: int, write: Write) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
        table.add_column("on test", no_wrap=True)
        for name in objectives:
            table.add_column(shorten(one_line(name), MOST_NAME), justify="right", no_wrap=True)
        for row in self._rows:
            name = (DELIVERED if row.delivered else " " * len(DELIVERED)) + shorten(row.name, limit - len(DELIVERED))
            cells = [_cell(row.scores, objective, write) for objective in objectives]
            table.add_row(Text(name), *cells, style="bold" if row.delivered else "")
        return table


class FrontLines:
    """How the delivered one was chosen, and what the front gives: the claim comes last."""

    def __init__(self, summary: Summary, front: FrontSummary) -> None:
        floors = floors_words(front, summary.best.id)
        lines = [rule_line(summary, front), members_words(front), looks_words(front), floors if front.kept else ""]
        self._lines = [one_line(capital(line)) for line in lines if line]
        last = [floors if floors and not front.kept else "", coverage_claim(front)]
        self._claims = [one_line(capital(line)) for line in last if line]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._lines:
            yield Text("\n".join(wrapped(_plain(line), options.max_width, GAP)))
        for line in self._claims:
            yield Text("\n".join(wrapped(_plain(line), options.max_width, GAP)), style="bold")


class FloorLine:
    """Whether the delivered one keeps the floors."""

    def __init__(self, summary: Summary, front: FrontSummary) -> None:
        self._text = _plain(one_line(capital(floors_words(front, summary.best.id))))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text("\n".join(wrapped(self._text, options.max_width, GAP)), style="bold")


def rule_line(summary: Summary, front: FrontSummary) -> str:
    """The rule, and that another one can be asked."""
    what = f"delivered: {member_name(summary.best.id)}"
    by = f", chosen by the rule {written_rule(front.rule)}" if front.kept else ""
    return f"{what}{by}; swarm export RUN DEST --select RULE asks another rule, without an evaluation"


def front_rows(summary: Summary, front: FrontSummary) -> Iterator[FrontRow]:
    """The delivered one, the others that none dominates, then the baselines that are worth a look: the base, the best
    single expert of each objective, the uniform weights."""
    best = summary.best
    yield FrontRow(one_line(best.id), best.test, delivered=True)
    for member in undominated(front):
        if member.id != best.id and not is_baseline(member.id):
            yield FrontRow(one_line(member.id), member.test)
    for name in _baselines(summary, front):
        if name != best.source:
            yield FrontRow(one_line(_baseline_name(name, summary)), summary.baselines[name].test)


def _baselines(summary: Summary, front: FrontSummary) -> list[str]:
    """The names of the baselines that are shown."""
    kept = [name for name in ("base", "uniform") if name in summary.baselines]
    for objective in front.objectives:
        tested = {
            name: found.test[objective].mean
            for name, found in summary.baselines.items()
            if name.startswith("expert:") and found.test and objective in found.test
        }
        if tested:
            kept.append(max(tested, key=lambda name: tested[name]))
    return [name for name in summary.baselines if name in kept]


def _baseline_name(name: str, summary: Summary) -> str:
    coefficient = summary.baselines[name].coefficient
    return name if coefficient is None else f"{name}, {coefficient:.3g} each"


def _cell(scores: Scores, objective: str, write: Write) -> str:
    found = scores.get(objective) if scores else None
    return "failed" if found is None else write(found)


def _plain(line: str) -> str:
    """With the minus signs of the table, and quotation marks that any terminal has."""
    return line.replace("−", "-").replace("’", "'")

"""A heat map of test means: one row per task, one column per model."""

import math
from functools import partial

from swarm.report.examples import Column, TaskTable
from swarm.report.figures import svg
from swarm.report.figures.svg import Figure, Key
from swarm.report.words import Unit, count, cut, signed

ROW, FOOT = 26, 22
STRONGEST = 0.6  # the opacity of the highest cell; dark text stays readable on it


def tasks_figure(table: TaskTable | None, unit: Unit, label: str) -> Figure | None:
    """Where not all experts fit, those with the highest mean over all tasks are shown. None without tasks."""
    if table is None:
        return None
    low, high = _ends(table)
    ramp = "".join(_shaded(10.0 * i, 0, 9.5, 12, i / 5) for i in range(6))
    legend = (Key(svg.swatch(ramp, 60), f"{unit.score(low)} to {unit.score(high)}"),)
    reading = "Each cell is one model’s mean score on the test examples of one task; the row maximum is bold."
    caption = "There are no intervals here: with few examples per task, these means are rough and support no claim."
    if unit.percent:
        caption = f"In percent, rounded. {caption}"
    return svg.figure(_title(table, label), reading, partial(_draw, table, unit, _title(table, label)), legend, caption)


def _title(table: TaskTable, label: str) -> str:
    at = {column.kind: i for i, column in enumerate(table.columns)}
    pairs = [(task.means[at["best"]], task.means[at["uniform"]]) for task in table.tasks] if "uniform" in at else []
    if all(best == uniform for best, uniform in pairs):
        return f"Test scores by task{label}"
    over = sum(best > uniform for best, uniform in pairs)
    return f"The composed expert scores higher than uniform weights on {over} of {len(pairs)} tasks{label}"


def _draw(table: TaskTable, unit: Unit, title: str, width: int) -> str:
    narrow = width < 500
    names = [f"{cut(task.task, 24)}, n = {task.n}" for task in table.tasks]
    left = 0 if narrow else 16 + 6.6 * max(len(name) for name in names)
    shown = _columns(table, int((width - left - 26) / (24 if unit.percent else 46)))
    column = min(64, (width - left - 26) / len(shown))
    heads = [_head(table.columns[i]) for i in shown]
    top, row = 14 + 4.6 * max(len(head) for head in heads), ROW + (18 if narrow else 0)
    parts = [svg.slanted(left + (k + 0.5) * column - 2, top - 7, head) for k, head in enumerate(heads)]
    for r, (name, task) in enumerate(zip(names, table.tasks, strict=True)):
        y = top + r * row + (18 if narrow else 0)
        parts.append(svg.label(0, y - 4, name) if narrow else svg.label(left - 10, y + 17, name, "end"))
        for k, i in enumerate(shown):
            is_top = task.means[i] >= max(task.means)
            parts.append(_cell(left + k * column, y, column, task.means[i], _ends(table), unit, is_top))
    bottom, missing = top + row * len(names), len(table.columns) - len(shown)
    if missing:
        words = f"{count(missing, 'expert')} with lower test scores omitted"
        parts.append(svg.label(left, bottom + FOOT - 4, words, class_="t axis"))
    return svg.chart(width, bottom + (FOOT if missing else 0), title, *parts)


def _head(column: Column) -> str:
    return "composed" if column.kind == "best" else cut(column.name, 14)


def _columns(table: TaskTable, most: int) -> list[int]:
    """The columns that fit: the experts with the lowest scores on the whole test split are omitted first."""
    sizes = [task.n for task in table.tasks]

    def whole(i: int) -> float:
        return sum(n * task.means[i] for n, task in zip(sizes, table.tasks, strict=True))

    experts = sorted((i for i, c in enumerate(table.columns) if c.kind == "expert"), key=whole)
    gone = set(experts[: max(0, len(table.columns) - most)])
    return [i for i in range(len(table.columns)) if i not in gone]


def _cell(x: float, y: float, column: float, mean: float, ends: tuple[float, float], unit: Unit, is_top: bool) -> str:
    if not math.isfinite(mean):
        return svg.label(x + column / 2, y + 17, "–", "middle", "t number")
    words = f"{100 * mean:.0f}" if unit.percent else signed(mean, ".3g")
    share = (mean - ends[0]) / ((ends[1] - ends[0]) or 1.0)
    class_ = "t number" + (" tight" if column < 32 else "") + (" top" if is_top else "")
    text = svg.label(x + column / 2, y + 17, words, "middle", class_)
    return _shaded(x, y, column - 1.5, ROW - 1.5, share) + text


def _shaded(x: float, y: float, width: float, height: float, share: float) -> str:
    opacity = f"{0.04 + (STRONGEST - 0.04) * share:.2f}"
    return svg.element("rect", x=x, y=y, width=width, height=height, class_="heat", fill_opacity=opacity)


def _ends(table: TaskTable) -> tuple[float, float]:
    means = [mean for task in table.tasks for mean in task.means if math.isfinite(mean)]
    return (min(means), max(means)) if means else (0.0, 1.0)

"""Charts with an axis: the search's course, and scores by task."""

import math
from collections.abc import Mapping
from functools import partial

from swarm.report import svg
from swarm.report.course import Course
from swarm.report.examples import TaskScores
from swarm.report.svg import Figure, Key, Scale
from swarm.report.words import Unit, count, cut

LEFT, RIGHT, TOP, BOTTOM, HEIGHT = 52, 12, 26, 44, 330
KIND_WORDS = {"best": "best", "uniform": "uniform average", "expert": "best single expert", "base": "base"}


def course_figure(found: Course, references: Mapping[str, float], unit: Unit, label: str) -> Figure | None:
    """References: kind -> search score of a baseline. None while nothing has a score."""
    if not found.best:
        return None
    first, last = found.best[0][1], found.best[-1][1]
    rise = f"from {unit.score(first)} to {unit.score(last)}" if last > first else f"stayed at {unit.score(last)}"
    title = f"The best so far {'rose ' if last > first else ''}{rise} in {count(found.total, 'evaluation')}{label}"
    low, high = _range(found, references, unit)
    notes = ["Scores on the search split, which flatters: the search chose by them."]
    if any(score < low for _, score in found.points):
        notes.append("Dots on the lower edge lie below it.")
    draw = partial(_course, found, references, unit, title, (low, high))
    return svg.figure(title, " ".join(notes), draw, _course_legend(found, references))


def tasks_figure(tasks: tuple[TaskScores, ...], unit: Unit, label: str) -> Figure | None:
    if not tasks:
        return None
    over = [task for task in tasks if task.means.get("best", math.nan) > task.means.get("uniform", math.nan)]
    title = f"Test scores by task{label}"
    if all({"best", "uniform"} <= set(task.means) for task in tasks):
        title = f"The best is above the uniform average on {len(over)} of {len(tasks)} tasks{label}"
    kinds = [kind for kind in KIND_WORDS if any(kind in task.means for task in tasks)]
    legend = tuple(Key(svg.swatch(svg.mark(kind, 11, 6, 4.5)), KIND_WORDS[kind]) for kind in kinds)
    caption = "Means on the test split, without intervals: with few examples a task they are rough."
    return svg.figure(title, caption, partial(_tasks, tasks, unit, title), legend)


def _range(found: Course, references: Mapping[str, float], unit: Unit) -> tuple[float, float]:
    """Holds the best, the references and four fifths of every population; single bad particles do not stretch it."""
    lows = [population.low for population in found.populations] or [score for _, score in found.points]
    values = [*lows, *references.values(), *(score for _, score in found.best[-1:])]
    low, high = min(values), max(values)
    pad = 0.06 * ((high - low) or abs(high) or 1.0)
    return (max(0.0, low - pad), min(1.0, high + pad)) if unit.percent else (low - pad, high + pad)


def _course(
    found: Course,
    references: Mapping[str, float],
    unit: Unit,
    title: str,
    limits: tuple[float, float],
    width: int,
) -> str:
    x = Scale(0, max(1, found.total), LEFT, width - RIGHT)
    y = Scale(*limits, HEIGHT - BOTTOM, TOP)
    parts = [_axes(x, y, unit, width)]
    parts.append(svg.dots([(x(at), y(score)) for at, score in found.points], "dots"))
    band = [(x(p.at), y(p.high)) for p in found.populations] + [(x(p.at), y(p.low)) for p in found.populations[::-1]]
    if len(found.populations) > 1:
        parts.append(svg.path(band, "band", closed=True))
        parts.append(svg.path([(x(p.at), y(p.mean)) for p in found.populations], "mean"))
    parts += [svg.line(LEFT, y(score), width - RIGHT, y(score), f"reference {k}") for k, score in references.items()]
    parts.append(svg.path(_steps(found, x, y), "best-line"))
    parts += [svg.label(x(at), HEIGHT - BOTTOM - 3, "×", "middle", "t cross") for at in found.failed]
    return svg.chart(width, HEIGHT, title, *parts)


def _axes(x: Scale, y: Scale, unit: Unit, width: int) -> str:
    parts = [svg.label(0, 12, "score on the search split", class_="t axis")]
    parts.append(svg.label(width - RIGHT, HEIGHT - 6, "evaluations", "end", "t axis"))
    for value in svg.ticks(y.low, y.high, 7):
        parts.append(svg.line(LEFT, y(value), width - RIGHT, y(value), "grid"))
        parts.append(svg.label(LEFT - 8, y(value) + 4, unit.tick(value), "end"))
    for value in svg.ticks(x.low, x.high, 9 if width > 500 else 5):
        parts.append(svg.line(x(value), HEIGHT - BOTTOM, x(value), HEIGHT - BOTTOM + 5, "rule"))
        parts.append(svg.label(x(value), HEIGHT - BOTTOM + 19, f"{value:,g}", "middle"))
    return "".join((*parts, svg.line(LEFT, HEIGHT - BOTTOM, width - RIGHT, HEIGHT - BOTTOM, "rule")))


def _steps(found: Course, x: Scale, y: Scale) -> list[tuple[float, float]]:
    corners = [(x(found.best[0][0]), y(found.best[0][1]))]
    for at, score in found.best[1:]:
        corners += [(x(at), corners[-1][1]), (x(at), y(score))]
    return [*corners, (x(found.total), corners[-1][1])]


def _course_legend(found: Course, references: Mapping[str, float]) -> tuple[Key, ...]:
    keys = [Key(svg.swatch(svg.line(0, 6, 22, 6, "best-line")), "best so far")]
    if len(found.populations) > 1:
        band = svg.rect(0, 1, 22, 10, "band") + svg.line(0, 6, 22, 6, "mean")
        keys.append(Key(svg.swatch(band), "population: mean, 10th to 90th percentile"))
    keys.append(Key(svg.swatch(svg.dots([(11, 6)], "dots")), "one evaluation"))
    for kind in references:
        keys.append(Key(svg.swatch(svg.line(0, 6, 22, 6, f"reference {kind}")), KIND_WORDS[kind]))
    if found.failed:
        keys.append(Key(svg.swatch(svg.label(11, 11, "×", "middle", "t cross")), "never scored"))
    return tuple(keys)


def _tasks(tasks: tuple[TaskScores, ...], unit: Unit, title: str, width: int) -> str:
    narrow = width < 500
    names = [f"{cut(task.task, 24)}, n = {task.n}" for task in tasks]
    left = 8 if narrow else 16 + 6.8 * max(len(name) for name in names)
    row, top = (46 if narrow else 30), 24
    values = [mean for task in tasks for mean in task.means.values() if math.isfinite(mean)]
    low, high = (0.0, 1.0) if unit.percent else (min(values), max(values))
    x, bottom = Scale(low, high, left + 8, width - 16), top + row * len(tasks)
    parts = []
    for value in svg.ticks(low, high, 5 if narrow else 9):
        parts.append(svg.line(x(value), top - 6, x(value), bottom, "grid"))
        parts.append(svg.label(x(value), 12, unit.tick(value), "middle"))
    for i, (words, task) in enumerate(zip(names, tasks, strict=True)):
        middle = top + row * i + (32 if narrow else 15)
        parts.append(svg.label(left, middle - 14, words) if narrow else svg.label(left - 8, middle + 4, words, "end"))
        parts.append(_task_marks(task, x, middle))
    return svg.chart(width, bottom + 4, title, *parts)


def _task_marks(task: TaskScores, x: Scale, y: float) -> str:
    """The best is drawn last, over the others; a line spans them."""
    means = {kind: task.means[kind] for kind in reversed(KIND_WORDS) if math.isfinite(task.means.get(kind, math.nan))}
    if not means:
        return ""
    span = svg.line(x(min(means.values())), y, x(max(means.values())), y, "span")
    return span + "".join(svg.mark(kind, x(mean), y) for kind, mean in means.items())

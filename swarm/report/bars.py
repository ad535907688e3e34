"""Charts of bars: coefficients, optimism, time; and the interval drawn in a row of the table."""

import math
from functools import partial

from swarm.evidence import Score
from swarm.report import svg
from swarm.report.coefficients import group_names
from swarm.report.course import Costs
from swarm.report.facts import Row
from swarm.report.summary import SPLITS, Best, Coefficients
from swarm.report.svg import Figure, Key, Scale
from swarm.report.words import Unit, cut, duration, said_before, signed

PART_WORDS = {"forward": "forward passes", "compose": "composing weights", "idle": "idle workers", "other": "the rest"}


def coefficients_figure(found: Coefficients) -> Figure | None:
    """Signed bars, one an expert; grouped: a row of small bars an expert, one a group."""
    values = {(e, g): v for e, groups in found.items() for g, v in groups.items() if math.isfinite(v)}
    if not values:
        return None
    (expert, group), top = max(values.items(), key=lambda pair: abs(pair[1]))
    title = f"Of the experts, {expert} weighs most: {signed(top, '.3g')}{f' in {group}' if group else ''}"
    negative = sum(value < 0 for value in values.values())
    caption = (
        "Coefficients of the best. A negative one moves the base away from that expert."
        if negative
        else ("Coefficients of the best.")
    )
    is_grouped = len(group_names(found)) > 1
    caption += " Each row has one bar a group, on one common scale." if is_grouped else ""
    return svg.figure(title, caption, partial(_matrix if is_grouped else _signed, found, title))


def optimism_figure(
    objective: str, best: Best, gap: float, unit: Unit, label: str, foretold: Score | None = None
) -> Figure | None:
    scores = {split: best.scores[split][objective] for split in SPLITS if objective in best.scores.get(split, {})}
    if len(scores) < 2 or not math.isfinite(gap):
        return None
    title = f"The search score flatters the best by {unit.size(gap)}{label}"
    if gap <= 0:
        title = f"The best scores as well on test as on search{label}"
    caption = "The search chose it by the first score and the selection by the second; only test is untouched."
    if foretold:
        caption += f" {said_before(unit, foretold, best.scores.get('test', {}).get(objective))}"
    return svg.figure(title, caption, partial(_splits, scores, unit, title))


def time_figure(costs: Costs) -> Figure | None:
    total = sum(seconds for _, seconds in costs.parts)
    if not total:
        return None
    part, most = max(costs.parts, key=lambda pair: pair[1])
    of = "time" if costs.has_idle else "busy time"
    title = f"{PART_WORDS[part].capitalize()} took {100 * most / total:.0f} % of the workers' {of}"
    legend = tuple(
        Key(svg.swatch(svg.rect(4, 0, 12, 12, f"part {name}")), f"{PART_WORDS[name]} {duration(seconds)}")
        for name, seconds in costs.parts
    )
    return svg.figure(title, "", partial(_stack, costs, total, title), legend)


def interval_cell(row: Row, low: float, high: float) -> str:
    """The row's test score and interval on the table's common scale."""
    if row.test is None:
        return ""
    x, score = Scale(low, high, 7, 173), row.test
    whisker = svg.line(x(score.low), 9, x(score.high), 9, f"whisker {row.kind}") if score.has_interval else ""
    rule = svg.line(0, 9, 180, 9, "grid")
    return svg.element(
        "svg", rule + whisker + svg.mark(row.kind, x(score.mean), 9, 4), viewBox="0 0 180 18", width=180, height=18,
        aria_hidden="true",
    )  # fmt: skip


def interval_scale(rows: tuple[Row, ...]) -> tuple[float, float]:
    scores = [row.test for row in rows if row.test]
    ends = [end for s in scores for end in ((s.low, s.high) if s.has_interval else (s.mean,))]
    return (min(ends), max(ends)) if ends else (0.0, 1.0)


def _signed(found: Coefficients, title: str, width: int) -> str:
    narrow, top = width < 500, 4
    left, row = (8, 44) if narrow else (_room(found), 28)
    rows = [(expert, next(iter(groups.values()))) for expert, groups in found.items()]
    low, high = min(0.0, *(v for _, v in rows)), max(0.0, *(v for _, v in rows))
    x = Scale(low, high, left + (50 if low < 0 else 0), width - 60)
    parts = []
    for i, (expert, value) in enumerate(rows):
        y = top + row * i + (18 if narrow else 3)
        near, far = sorted((x(0), x(value)))
        parts.append(
            svg.label(left + 5, y - 5, cut(expert, 40))
            if narrow
            else svg.label(left - 12, y + 15, cut(expert, 22), "end")
        )
        parts.append(svg.rect(near, y, max(1.0, far - near), row - (24 if narrow else 6), _sign(value)))
        anchor, at = ("end", near - 6) if value < 0 else ("start", far + 6)
        parts.append(svg.label(at, y + 15, signed(value, ".3f"), anchor, "t number"))
    bottom = top + row * len(rows)
    return svg.chart(width, bottom + 4, title, *parts, svg.line(x(0), top, x(0), bottom, "rule"))


def _matrix(found: Coefficients, title: str, width: int) -> str:
    names, narrow, cell = group_names(found), width < 500, 92
    left, top = (8 if narrow else _room(found)), (20 if narrow else 8)
    column = (width - left - 8) / len(names)
    values = [value for groups in found.values() for value in groups.values() if math.isfinite(value)]
    y = Scale(min(0.0, *values), max(0.0, *values), cell - 22, 18)  # room for numbers above and below
    parts = []
    for i, (expert, groups) in enumerate(found.items()):
        row = top + i * cell
        beside = svg.label(left - 12, row + y(0) + 4, cut(expert, 22), "end")
        parts.append(svg.label(left, row + 2, cut(expert, 40)) if narrow else beside)
        parts.append(svg.line(left, row + y(0), width - 8, row + y(0), "rule"))
        for j, name in enumerate(names):
            if name in groups:
                parts.append(_cell(left + j * column, column, row, y, groups[name]))
    bottom = top + cell * len(found) + 8
    return svg.chart(width, bottom + 8, title, *parts, _group_labels(names, left, column, bottom))


def _cell(x: float, column: float, row: float, y: Scale, value: float) -> str:
    """A bar up or down from the row's zero line, with its number where there is room."""
    upper, lower = sorted((row + y(0), row + y(value)))
    bar = min(column * 0.7, 46)
    drawn = svg.rect(x + (column - bar) / 2, upper, bar, max(1.0, lower - upper), _sign(value))
    if column < 40:
        return drawn
    at = lower + 13 if value < 0 else upper - 4
    return drawn + svg.label(x + column / 2, at, signed(value, ".2f"), "middle", "t number")


def _group_labels(names: tuple[str, ...], left: float, column: float, y: float) -> str:
    """Every group's name, or where they do not fit the first and the last."""
    words = [name or "all" for name in names]
    if max(len(word) for word in words) * 7 <= column:
        return "".join(svg.label(left + (j + 0.5) * column, y, word, "middle") for j, word in enumerate(words))
    right = left + column * len(words)
    return svg.label(left, y, cut(words[0], 22)) + svg.label(right, y, cut(words[-1], 22), "end")


def _splits(scores: dict[str, Score], unit: Unit, title: str, width: int) -> str:
    left, row = 62, 34
    ends = [end for s in scores.values() for end in (s.mean, s.low, s.high) if math.isfinite(end)]
    x = Scale(min(0.0, *ends), max(0.0, *ends), left, width - 66)
    parts = []
    for i, (split, score) in enumerate(scores.items()):
        y = 4 + row * i
        near, far = sorted((x(0), x(score.mean)))
        parts.append(svg.label(left - 10, y + 17, split, "end"))
        parts.append(svg.rect(near, y, far - near, row - 10, "split test" if split == "test" else "split"))
        if score.has_interval:
            parts.append(svg.line(x(score.low), y + 12, x(score.high), y + 12, "error"))
        tip = max(far, x(score.high)) if score.has_interval else far
        parts.append(svg.label(tip + 8, y + 17, unit.score(score.mean), class_="t number"))
    bottom = 4 + row * len(scores)
    return svg.chart(width, bottom, title, *parts, svg.line(x(0), 0, x(0), bottom - 4, "rule"))


def _stack(costs: Costs, total: float, title: str, width: int) -> str:
    parts, x = [], 0.0
    for name, seconds in costs.parts:
        length = width * seconds / total
        parts.append(svg.rect(x, 0, length - 1.5, 30, f"part {name}"))
        if length > 44:
            parts.append(svg.label(x + 8, 20, f"{100 * seconds / total:.0f} %", class_=f"t on-{name}"))
        x += length
    return svg.chart(width, 30, title, *parts)


def _room(found: Coefficients) -> float:
    """The width of the longest name, cut."""
    return 16 + 7.2 * min(22, max(len(expert) for expert in found))


def _sign(value: float) -> str:
    return "bar negative" if value < 0 else "bar positive"

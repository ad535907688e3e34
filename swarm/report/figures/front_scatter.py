"""A front of two objectives: every member with its intervals, on the select and on the test split."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from swarm.report.figures import front_marks, svg
from swarm.report.figures.front_marks import PANELS, score_of
from swarm.report.figures.labels import Named, placed
from swarm.report.figures.svg import Figure, Scale
from swarm.report.front import FrontRows, MemberRow
from swarm.report.words import Unit, cut
from swarm.statistics.intervals import Score


@dataclass(frozen=True)
class Shown:
    """A member that has both scores on a split."""

    row: MemberRow
    across: Score
    up: Score


LEFT, RIGHT, TOP, BOTTOM, HEIGHT, GAP = 50, 10, 42, 42, 360, 18
TICKS = 6
CROWDED = 0.35  # of the panel: where what was searched fills less, it is drawn a second time, larger
Limits = tuple[tuple[float, float], ...]  # of each axis


def scatter_figure(found: FrontRows, units: Sequence[Unit]) -> Figure:
    """units: of the two objectives."""
    title = front_marks.title(found)
    x, y = found.front.objectives
    reading = f"Each mark is one member: its mean score in {x} (to the right) and {y} (upwards), with 95 % intervals."
    draw = partial(_draw, found, units, title)
    return svg.figure(title, reading, draw, front_marks.legend(found, line=False), front_marks.caption(found))


def _draw(found: FrontRows, units: Sequence[Unit], title: str, width: int) -> str:
    columns = 2 if width > 500 else 1
    each = (width - GAP * (columns - 1)) / columns
    whole = tuple(_limits(found, k, found.rows, units[k]) for k in range(2))
    views = [(f"on {split}", split, whole) for split in PANELS]
    if near := _close_up(found, whole, units):
        views += [(f"on {split}, close-up of what was searched", split, near) for split in PANELS]
    parts = []
    for i, (head, split, limits) in enumerate(views):
        shift = f"translate({(each + GAP) * (i % columns):.1f} {HEIGHT * (i // columns)})"
        panel = svg.label(0, 14, head, class_="t top") + _panel(found, split, units, limits, each)
        parts.append(svg.element("g", panel, transform=shift))
    return svg.chart(width, HEIGHT * -(-len(views) // columns), title, *parts)


def _close_up(found: FrontRows, whole: Limits, units: Sequence[Unit]) -> Limits | None:
    """The limits of what was searched and none dominates; None where that fills most of the panel anyway."""
    rows = [row for row in found.rows if row.chosen or (row.kind == "best" and not row.dominated_by)]
    near = tuple(_limits(found, k, rows, units[k], with_levels=False) for k in range(2)) if rows else whole
    share = math.prod((n[1] - n[0]) / ((w[1] - w[0]) or 1.0) for n, w in zip(near, whole, strict=True))
    return near if share < CROWDED else None


def _panel(found: FrontRows, split: str, units: Sequence[Unit], limits: Limits, width: float) -> str:
    x, y = Scale(*limits[0], LEFT, width - RIGHT), Scale(*limits[1], HEIGHT - BOTTOM, TOP)
    names = found.front.objectives
    shown = [each for each in _shown(found, split) if _inside(each, x, y)]
    parts = [_axes(x, y, units, names, width)]
    parts += [_observed(found, x, y), _rules(found, x, y, width)]
    for each in reversed(shown):  # the chosen one on top
        parts.append(_spread(each, x, y))
    for each in reversed(shown):
        drawn = front_marks.mark(each.row, x(each.across.mean), y(each.up.mean))
        parts.append(svg.told(drawn, front_marks.words(each.row, split, dict(zip(names, units, strict=True)))))
    return "".join((*parts, _labels(shown, x, y, width)))


def _shown(found: FrontRows, split: str) -> list[Shown]:
    first, second = found.front.objectives
    pairs = [(row, score_of(row, split, first), score_of(row, split, second)) for row in found.rows]
    return [Shown(row, across, up) for row, across, up in pairs if across and up]


def _spread(each: Shown, x: Scale, y: Scale) -> str:
    """The intervals, as a cross."""
    class_ = f"spread {each.row.kind}"
    across = svg.line(x(each.across.low), y(each.up.mean), x(each.across.high), y(each.up.mean), class_)
    up = svg.line(x(each.across.mean), y(each.up.low), x(each.across.mean), y(each.up.high), class_)
    return front_marks.faded(across + up) if each.row.dominated_by and not each.row.chosen else across + up


def _labels(shown: Sequence[Shown], x: Scale, y: Scale, width: float) -> str:
    """Of the chosen one and of the baselines, those that none dominates first."""
    named = [each for each in shown if each.row.chosen or each.row.kind != "best"]
    marks = [
        Named(
            x(each.across.mean),
            y(each.up.mean),
            each.row.name if each.row.chosen else _label(each.row),
            "t named" if each.row.chosen else "t over",
        )
        for each in named
    ]
    dots = [(x(each.across.mean), y(each.up.mean)) for each in shown]
    return placed(marks, (LEFT, TOP - 8, width, HEIGHT - BOTTOM), [], dots)


def _label(row: MemberRow) -> str:
    return "Uniform" if row.kind == "uniform" else cut(row.name, 20)


def _observed(found: FrontRows, x: Scale, y: Scale) -> str:
    """The staircase of the observed front on search, from the left to the right."""
    ordered = sorted(found.observed)
    if not ordered:
        return ""
    corners = [(x(x.low), y(ordered[0][1])), (x(ordered[0][0]), y(ordered[0][1]))]
    for across, up in ordered[1:]:
        corners += [(corners[-1][0], y(up)), (x(across), y(up))]
    return svg.path([*corners, (corners[-1][0], y(y.low))], "observed")


def _rules(found: FrontRows, x: Scale, y: Scale, width: float) -> str:
    """The reference point and the floors, where they are within the panel."""
    first, second = found.front.objectives
    parts = []
    for level, class_ in _levels(found, first):
        if x.low <= level <= x.high:
            parts.append(svg.line(x(level), TOP, x(level), HEIGHT - BOTTOM, class_))
    for level, class_ in _levels(found, second):
        if y.low <= level <= y.high:
            parts.append(svg.line(LEFT, y(level), width - RIGHT, y(level), class_))
    return "".join(parts)


def _levels(found: FrontRows, name: str) -> tuple[tuple[float, str], ...]:
    floor = found.floors.get(name, math.nan)
    return (found.front.reference[name], "reference-point"), (floor, "floor")


def _inside(each: Shown, x: Scale, y: Scale) -> bool:
    return x.low <= each.across.mean <= x.high and y.low <= each.up.mean <= y.high


def _limits(
    found: FrontRows, k: int, rows: Sequence[MemberRow], unit: Unit, with_levels: bool = True
) -> tuple[float, float]:
    """Round numbers around the members' intervals. with_levels: and the observed front, reference point and floor."""
    name = found.front.objectives[k]
    scores = [score for row in rows for split in PANELS if (score := score_of(row, split, name))]
    ends = [end for score in scores for end in (score.low, score.high, score.mean)]
    if with_levels:
        ends += [values[k] for values in found.observed]
        ends += [found.front.reference[name], found.floors.get(name, math.nan)]
    known = [end for end in ends if math.isfinite(end)]
    if unit.percent:  # an interval or a floor may lie beyond, where no score can be
        known = [min(1.0, max(0.0, end)) for end in known]
    return svg.rounded(min(known), max(known), TICKS)


def _axes(x: Scale, y: Scale, units: Sequence[Unit], names: Sequence[str], width: float) -> str:
    bottom = HEIGHT - BOTTOM
    parts = [svg.label(0, 32, f"{cut(names[1], 40)} ↑", class_="t axis tight")]
    parts.append(svg.label(width - RIGHT, HEIGHT - 6, f"{cut(names[0], 40)} →", "end", "t axis tight"))
    for value in svg.ticks(y.low, y.high, TICKS):
        parts.append(svg.line(LEFT, y(value), width - RIGHT, y(value), "grid"))
        parts.append(svg.label(LEFT - 6, y(value) + 4, units[1].tick(value), "end", "t tight"))
    for value in svg.ticks(x.low, x.high, TICKS):
        parts.append(svg.line(x(value), TOP, x(value), bottom, "grid"))
        parts.append(svg.label(x(value), bottom + 16, units[0].tick(value), "middle", "t tight"))
    return "".join((*parts, svg.line(LEFT, bottom, width - RIGHT, bottom, "rule")))

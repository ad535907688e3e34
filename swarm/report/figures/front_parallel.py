"""A front of three or more objectives, or of one with floors, in parallel coordinates: an upright axis per objective.

One line per member, on the select and on the test split (Inselberg 1985, "The plane with parallel coordinates").
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial

from swarm.report.figures import front_marks, svg
from swarm.report.figures.front_marks import PANELS, score_of
from swarm.report.figures.svg import Figure, Scale
from swarm.report.front import FrontRows, MemberRow
from swarm.report.words import Unit, cut

TOP, BOTTOM, HEIGHT, EDGE = 48, 14, 290, 58
TICKS = 5
LETTER = 6.6  # pixels of a letter in the heads of axes

Scales = Mapping[str, Scale]


def parallel_figure(found: FrontRows, units: Mapping[str, Unit]) -> Figure:
    title = front_marks.title(found)
    reading = (
        "Each line is one member: its mean score in every objective, higher is better. Lines that cross trade one "
        "objective for another. The bars are the 95 % intervals of the delivered one."
    )
    draw = partial(_draw, found, units, title)
    return svg.figure(title, reading, draw, front_marks.legend(found, line=True), front_marks.caption(found))


def _draw(found: FrontRows, units: Mapping[str, Unit], title: str, width: int) -> str:
    limits = _limits(found, units)
    parts = []
    for i, split in enumerate(PANELS):
        panel = _panel(found, split, units, limits, width)
        parts.append(svg.element("g", panel, transform=f"translate(0 {HEIGHT * i})"))
    return svg.chart(width, HEIGHT * len(PANELS), title, *parts)


def _panel(
    found: FrontRows, split: str, units: Mapping[str, Unit], limits: Mapping[str, tuple[float, float]], width: float
) -> str:
    names = found.front.objectives
    at = _places(names, width)
    scales = {name: Scale(*limits[name], HEIGHT - BOTTOM, TOP) for name in names}
    parts = [svg.label(0, 14, f"on {split}", class_="t top")]
    parts += [_axis(name, at, scales[name], width) for name in names]
    parts += [svg.path(_track(values, names, at, scales), "track observed") for values in found.observed]
    for row in reversed(found.rows):  # the chosen one on top
        if drawn := _line(row, split, names, at, scales):
            parts.append(svg.told(drawn, front_marks.words(row, split, {name: units[name] for name in names})))
    parts += [_levels(found, name, at[name], scales[name]) for name in names]
    shared = all(unit.percent for unit in units.values())
    parts += [_numbers(at[name], scales[name], units[name]) for name in (names[:1] if shared else names)]
    return "".join(parts)


def _places(names: Sequence[str], width: float) -> dict[str, float]:
    """Where each axis stands."""
    inner = (width - 2 * EDGE) / max(1, len(names) - 1)
    return {name: EDGE + inner * i for i, name in enumerate(names)}


def _track(
    values: Sequence[float], names: Sequence[str], at: Mapping[str, float], scales: Scales
) -> list[tuple[float, float]]:
    return [(at[name], scales[name](value)) for name, value in zip(names, values, strict=True)]


def _line(row: MemberRow, split: str, names: Sequence[str], at: Mapping[str, float], scales: Scales) -> str:
    scores = [score for name in names if (score := score_of(row, split, name))]
    if len(scores) < len(names):
        return ""
    points = _track([score.mean for score in scores], names, at, scales)
    drawn = svg.path(points, "track halo") if row.chosen else ""
    drawn += svg.path(points, front_marks.track_class(row)) + svg.path(points, "hit")
    if row.chosen:
        ends = zip(names, scores, strict=True)
        drawn += "".join(
            svg.error(at[name], scales[name](score.low), at[name], scales[name](score.high)) for name, score in ends
        )
    drawn += "".join(front_marks.mark(row, x, y) for x, y in points) if row.chosen or row.kind != "best" else ""
    return front_marks.faded(drawn) if row.dominated_by and not row.chosen else drawn


def _axis(name: str, at: Mapping[str, float], scale: Scale, width: float) -> str:
    x, gap = at[name], width / max(1, len(at))
    parts = [svg.line(x, TOP, x, HEIGHT - BOTTOM, "rule")]
    parts += [
        svg.line(x - 4, scale(value), x, scale(value), "rule") for value in svg.ticks(scale.low, scale.high, TICKS)
    ]
    return "".join((*parts, svg.label(x, TOP - 12, cut(name, max(3, int(gap / LETTER) - 1)), "middle", "t tight")))


def _numbers(x: float, scale: Scale, unit: Unit) -> str:
    """At every axis that has a scale of its own; where all share one, at the first alone."""
    ticks = svg.ticks(scale.low, scale.high, TICKS)
    return "".join(svg.label(x - 8, scale(value) + 4, unit.tick(value), "end", "t over tight") for value in ticks)


def _levels(found: FrontRows, name: str, x: float, scale: Scale) -> str:
    """The reference point and the floor, across the axis."""
    reference = scale(found.front.reference[name])
    drawn = svg.line(x - 12, reference, x + 12, reference, "reference-point")
    floor = found.floors.get(name, math.nan)
    return drawn + (svg.line(x - 16, scale(floor), x + 16, scale(floor), "floor") if math.isfinite(floor) else "")


def _limits(found: FrontRows, units: Mapping[str, Unit]) -> dict[str, tuple[float, float]]:
    """The ends of each axis; the same for all where all scores are shares."""
    ends = {name: _ends(found, name, k) for k, name in enumerate(found.front.objectives)}
    if all(units[name].percent for name in ends):
        lowest = max(0.0, min(min(each) for each in ends.values()))  # a floor may lie below, where no score can be
        shared = svg.rounded(lowest, max(max(each) for each in ends.values()), TICKS)
        return dict.fromkeys(ends, shared)
    return {name: svg.rounded(min(each), max(each), TICKS) for name, each in ends.items()}


def _ends(found: FrontRows, name: str, k: int) -> list[float]:
    scores = [score for row in found.rows for split in PANELS if (score := score_of(row, split, name))]
    chosen = [score for row in found.rows if row.chosen for split in PANELS if (score := score_of(row, split, name))]
    ends = [score.mean for score in scores] + [end for score in chosen for end in (score.low, score.high)]
    ends += [values[k] for values in found.observed] + [found.front.reference[name], found.floors.get(name, math.nan)]
    return [end for end in ends if math.isfinite(end)]

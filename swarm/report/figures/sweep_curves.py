"""The curves of a sweep: one row of panels per expert, each with the objectives that share their examples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from swarm.report.figures import svg
from swarm.report.figures.svg import Figure, Scale
from swarm.report.words import Unit, cut, signed
from swarm.statistics.intervals import Score
from swarm.statistics.sweeps import Curve

LEFT, RIGHT, TOP, BOTTOM, HEIGHT, GAP = 46, 8, 46, 40, 250, 14
SERIES = 6  # the style sheet has as many; more objectives begin again
TICKS = 6
LETTER = 6.6  # pixels of a letter in the names of lines, which begin a new line where they need it


@dataclass(frozen=True)
class Panel:
    """What one panel shows.

    title: above it.
    curves: its lines.
    names: of the lines.
    crossings: (coefficient, height) of its marks.
    """

    title: str
    curves: tuple[Curve, ...]
    names: tuple[str, ...]
    crossings: tuple[tuple[float, float], ...] = ()


def curves_figure(title: str, reading: str, panels: Sequence[Panel], unit: Unit, margins: bool) -> Figure | None:
    """margins: draw these instead of scores; None where there are none."""
    drawn = [panel for panel in panels if not margins or any(point.margin for c in panel.curves for point in c.points)]
    if not drawn:
        return None
    return svg.figure(title, reading, partial(_draw, drawn, unit, margins, title))


def _draw(panels: Sequence[Panel], unit: Unit, margins: bool, title: str, width: int) -> str:
    columns = min(len(panels), 3 if width > 500 else 1)
    each = (width - GAP * (columns - 1)) / columns
    rows = -(-len(panels) // columns)
    parts = [
        svg.element(
            "g",
            _panel(panel, unit, margins, each),
            transform=f"translate({(each + GAP) * (i % columns):.1f} {HEIGHT * (i // columns)})",
        )
        for i, panel in enumerate(panels)
    ]
    return svg.chart(width, HEIGHT * rows, title, *parts)


def _panel(panel: Panel, unit: Unit, margins: bool, width: float) -> str:
    found = [_line(curve, margins) for curve in panel.curves]
    xs = [x for line in found for x, _ in line]
    x = Scale(min(xs), max(xs), LEFT, width - RIGHT)
    y = Scale(*_limits(found, unit, margins), HEIGHT - BOTTOM, TOP)
    parts = [svg.label(0, 12, cut(panel.title, int(width / 7.5)), class_="t top"), _axes(x, y, unit, margins, width)]
    at = 0.0
    for i, (line, name) in enumerate(zip(found, panel.names, strict=True)):
        class_ = f"series series-{i % SERIES}"
        known = [(c, v) for c, v in line if v.has_interval]
        band = [(x(c), y(v.low)) for c, v in known] + [(x(c), y(v.high)) for c, v in reversed(known)]
        parts += [svg.path(band, f"area series-{i % SERIES}", closed=True)] if band else []
        parts.append(svg.path([(x(c), y(v.mean)) for c, v in line], class_))
        parts += [svg.line(at, 26, at + 16, 26, class_), svg.label(at + 20, 30, name, class_="t tight")]
        at += 28 + LETTER * len(name)
    if not margins:
        parts += [svg.mark("base", x(c), y(height), 4) for c, height in panel.crossings]
    return "".join(parts)


def _line(curve: Curve, margins: bool) -> list[tuple[float, Score]]:
    """Coefficient and value of each point that has one."""
    values = [(point.coefficient, point.margin if margins else point.score) for point in curve.points]
    return [(x, value) for x, value in values if value]


def _limits(found: Sequence[Sequence[tuple[float, Score]]], unit: Unit, margins: bool) -> tuple[float, float]:
    if unit.percent and not margins:
        return 0.0, 1.0
    ends = [end for line in found for _, score in line for end in (score.low, score.high, score.mean)]
    values = [end for end in ends if math.isfinite(end)]
    return svg.rounded(min(values), max(values), TICKS)


def _axes(x: Scale, y: Scale, unit: Unit, margins: bool, width: float) -> str:
    parts = []
    for value in svg.ticks(y.low, y.high, TICKS):
        words = signed(value, ".6g") if margins else unit.tick(value)
        parts.append(svg.line(LEFT, y(value), width - RIGHT, y(value), "grid"))
        parts.append(svg.label(LEFT - 6, y(value) + 4, words, "end", "t tight"))
    for value in (0.0, 1.0):
        parts.append(svg.line(x(value), TOP, x(value), HEIGHT - BOTTOM, "continued"))
    for value in svg.ticks(x.low, x.high, 5):
        parts.append(svg.label(x(value), HEIGHT - BOTTOM + 16, signed(value, "g"), "middle", "t tight"))
    parts.append(svg.line(LEFT, HEIGHT - BOTTOM, width - RIGHT, HEIGHT - BOTTOM, "rule"))
    return "".join((*parts, svg.label(width - RIGHT, HEIGHT - 6, "coefficient", "end", "t axis tight")))

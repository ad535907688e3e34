"""The hypervolume over the evaluations of a search, and beside it what is left of it on fresh examples."""

import math
from functools import partial

from swarm.journal.front_summary import FrontSummary
from swarm.journal.front_words import looks_words, scored
from swarm.report.figures import svg
from swarm.report.figures.svg import Figure, Key, Scale
from swarm.report.front_curve import FrontCurve
from swarm.report.words import capital, count, signed
from swarm.statistics.intervals import Score

LEFT, RIGHT, TOP, BOTTOM, HEIGHT = 52, 8, 26, 44, 300
ASIDE, BETWEEN = 46, 26  # pixels: of each split beside the curve, and before them
TICKS = 7
SPLIT_NAMES = {"search": "observed front on search", "select": "members on select", "test": "members on test"}


def hypervolume_figure(curve: FrontCurve, front: FrontSummary | None) -> Figure:
    """front: None while the run is unfinished: the curve alone."""
    last = curve.points[-1][1]
    title = f"The observed front reached a hypervolume of {signed(last, '.3g')} in {count(curve.total, 'evaluation')}"
    reading = "The line is the volume that the front of all candidates scored so far covers above the reference point."
    parts = []
    if front and front.hypervolume:
        reading += " To the right, with 95 % intervals: that front, and the members on fresh examples."
        parts.append(f"{capital(looks_words(front))}." if looks_words(front) else "")
        parts += [f"{capital(SPLIT_NAMES[s])}: {scored(score)}." for s, score in front.hypervolume.items()]
    if curve.known:
        parts.append(f"The first {curve.known:,} were known from the run that this one continues.")
    draw = partial(_draw, curve, front, title)
    return svg.figure(title, reading, draw, _legend(front), " ".join(filter(None, parts)))


def _legend(front: FrontSummary | None) -> tuple[Key, ...]:
    keys = [Key(svg.swatch(svg.line(0, 6, 22, 6, "best-line")), "observed front on search")]
    if front and front.baselines:
        words = f"baselines alone on test: {scored(front.baselines)}"
        keys.append(Key(svg.swatch(svg.line(0, 6, 22, 6, "reference expert")), words))
    return tuple(keys)


def _draw(curve: FrontCurve, front: FrontSummary | None, title: str, width: int) -> str:
    aside = dict(front.hypervolume) if front else {}
    right = width - RIGHT - ASIDE * len(aside) - (BETWEEN if aside else 0)
    x, y = Scale(0, curve.total + 0.5, LEFT, right), Scale(*_limits(curve, front), HEIGHT - BOTTOM, TOP)
    parts = [_axes(x, y, width)]
    if front and front.baselines:
        level = y(front.baselines.mean)
        parts.append(svg.line(LEFT, level, width - RIGHT, level, "reference expert"))
    parts.append(svg.path(_steps(curve, x, y), "best-line"))
    for i, (split, score) in enumerate(aside.items()):
        at = right + BETWEEN + ASIDE * (i + 0.5)
        parts.append(_aside(at, split, score, y))
    return svg.chart(width, HEIGHT, title, *parts)


def _aside(x: float, split: str, score: Score, y: Scale) -> str:
    bar = svg.error(x, y(score.low), x, y(score.high)) if score.has_interval else ""
    named = svg.label(x, HEIGHT - BOTTOM + 19, split, "middle", "t tight")
    value = svg.label(x, y(score.high) - 8, signed(score.mean, "#.3g").removesuffix("."), "middle", "t number tight")
    return bar + svg.mark("best", x, y(score.mean)) + named + value


def _limits(curve: FrontCurve, front: FrontSummary | None) -> tuple[float, float]:
    scores = [*front.hypervolume.values(), *filter(None, [front.baselines])] if front else []
    ends = [end for score in scores for end in (score.mean, score.high) if math.isfinite(end)]
    return svg.rounded(0.0, max([*ends, *(value for _, value in curve.points)], default=1.0) or 1.0, TICKS)


def _steps(curve: FrontCurve, x: Scale, y: Scale) -> list[tuple[float, float]]:
    corners = [(x(curve.points[0][0]), y(curve.points[0][1]))]
    for at, value in curve.points[1:]:
        corners += [(x(at), corners[-1][1]), (x(at), y(value))]
    return corners


def _axes(x: Scale, y: Scale, width: int) -> str:
    bottom = HEIGHT - BOTTOM
    parts = [
        svg.label(0, 12, "hypervolume", class_="t axis"),
        svg.label(x.end, HEIGHT - 6, "evaluations", "end", "t axis"),
    ]
    for value in svg.ticks(y.low, y.high, TICKS):
        parts.append(svg.line(LEFT, y(value), width - RIGHT, y(value), "grid"))
        parts.append(svg.label(LEFT - 8, y(value) + 4, signed(value, ".6g"), "end"))
    for value in svg.ticks(0, x.high, 8 if width > 500 else 4):
        if value == int(value):
            parts.append(svg.line(x(value), bottom, x(value), bottom + 5, "rule"))
            parts.append(svg.label(x(value), bottom + 19, f"{value:,g}", "middle"))
    return "".join((*parts, svg.line(LEFT, bottom, x.end, bottom, "rule")))

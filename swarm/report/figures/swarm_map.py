"""The map of a search: its candidates, projected onto two principal components (`projection.py`)."""

import math
from functools import partial

import numpy as np

from swarm.core.space import Array
from swarm.report.figures import svg
from swarm.report.figures.labels import Named, placed
from swarm.report.figures.svg import Figure, Key, Scale
from swarm.report.projection import MOST_MOVES, Axis, Landmark, Plane, Point
from swarm.report.words import Unit, count, cut

MARGIN, FOOT = 10, 46
ORDER = ("best", "uniform", "base", "expert")  # of importance: earlier kinds are drawn over later ones
KINDS = {"base": "base", "uniform": "uniform weights", "expert": "single expert", "best": "composed expert"}


def map_figure(found: Plane | None, unit: Unit, label: str) -> Figure | None:
    if found is None or not found.path:
        return None
    share = 100 * sum(axis.share for axis in found.axes)
    title = f"Path of the search, projected onto two principal components{label}"
    limits = _limits(found)
    reading = (
        "Each dot is a candidate; nearby dots tend to have similar coefficients. "
        "The stronger its colour, the higher its search score."
    )
    draw = partial(_draw, found, limits, title)
    return svg.figure(title, reading, draw, _legend(found, limits, unit), " ".join(_notes(found, share)))


def _notes(found: Plane, share: float) -> list[str]:
    notes = [f"Projection onto the first two principal components of the candidates, {share:.0f} % of the variance."]
    if any(landmark.kind == "expert" for landmark in found.landmarks):
        notes.append("Single experts may lie far from this plane. Labels that do not fit are omitted.")
    if any(landmark.kind == "best" and landmark.at != found.path[-1] for landmark in found.landmarks):
        notes.append("The select split had a part in the choice of the composed expert, which need not end the path.")
    if found.moves:
        notes.append("An arrow is a particle's move, which is its velocity; those of a few generations are drawn.")
    if _outside(found):
        notes.append(f"Outside the frame and drawn on its edge: {count(_outside(found), 'candidate')}.")
    if len(found.scores) > svg.MOST_DOTS:
        drawn = len(svg.subsampled(range(len(found.scores))))
        notes.append(f"{drawn:,} of {len(found.scores):,} candidates are drawn, at regular intervals.")
    return notes


def _limits(found: Plane) -> tuple[float, float]:
    """The scores of the first and last shade; a few bad candidates do not stretch the range."""
    scores = [score for score in found.scores if math.isfinite(score)]
    return float(np.percentile(scores, 10)), max(scores)


def _frame(found: Plane) -> tuple[Point, Point]:
    """(low, high) in x and in y: around the path, every landmark, and all candidates but distant outliers."""
    fixed = [*found.path, *(landmark.at for landmark in found.landmarks)]
    ends = []
    for axis in (0, 1):
        all_N = found.candidates_NK[:, axis]
        low, high = (float(end) for end in np.percentile(all_N, [2, 98]))
        room = 0.3 * (high - low)
        near = [max(float(all_N.min()), low - room), min(float(all_N.max()), high + room)]
        values = [*near, *(point[axis] for point in fixed)]
        pad = 0.04 * (max(values) - min(values))
        ends.append((min(values) - pad, max(values) + pad))
    return ends[0], ends[1]


def _outside(found: Plane) -> int:
    (left, right), (low, high) = _frame(found)
    x_N, y_N = found.candidates_NK.T
    return int(np.sum((x_N < left) | (x_N > right) | (y_N < low) | (y_N > high)))


def _scales(found: Plane, width: int) -> tuple[Scale, Scale, float]:
    """Both axes in the same unit, so that distances are to scale, and the height that follows, within bounds."""
    (left, right), (low, high) = _frame(found)
    inner = width - 2 * MARGIN
    tall = min(0.8, max(0.45, (high - low) / ((right - left) or 1.0))) * inner
    unit = max((right - left) / inner, (high - low) / tall) or 1.0
    x_mid, y_mid = (left + right) / 2, (low + high) / 2
    x = Scale(x_mid - unit * inner / 2, x_mid + unit * inner / 2, MARGIN, width - MARGIN)
    return x, Scale(y_mid - unit * tall / 2, y_mid + unit * tall / 2, MARGIN + tall, MARGIN), MARGIN + tall


def _draw(found: Plane, limits: tuple[float, float], title: str, width: int) -> str:
    x, y, bottom = _scales(found, width)
    parts = [svg.rect(MARGIN, MARGIN, width - 2 * MARGIN, bottom - MARGIN, "frame")]
    dots_N2 = np.stack([x.all(found.candidates_NK[:, 0]), y.all(found.candidates_NK[:, 1])], axis=1)
    parts += _dots(found, limits, dots_N2)
    path = [(x(a), y(b)) for a, b in found.path]
    parts += [svg.path(path, "way"), svg.dots(path, "way-stops")]
    parts += [svg.arrow(x(a), y(b), x(c), y(d), "velocity") for (a, b), (c, d) in found.moves[-MOST_MOVES:]]
    marks = sorted(found.landmarks, key=lambda mark: ORDER.index(mark.kind))
    parts += [svg.mark(m.kind, x(m.at[0]), y(m.at[1]), 7.5 if m.kind == "best" else 5.5) for m in reversed(marks)]
    names = [_named(mark, x, y) for mark in marks if mark.kind != "expert"]
    names += [Named(*path[0], "start", "t named axis"), *(_named(m, x, y) for m in marks if m.kind == "expert")]
    parts.append(placed(names, (MARGIN, MARGIN, width - MARGIN, bottom), path, dots_N2))
    for k, (arrow, axis) in enumerate(zip("→↑", found.axes, strict=True)):
        words = f"{arrow} {_axis_words(axis, int(width / 7))}"
        parts.append(svg.label(MARGIN, bottom + 18 * (k + 1), words, class_="t axis"))
    return svg.chart(width, bottom + FOOT, title, *parts)


def _dots(found: Plane, limits: tuple[float, float], dots_N2: Array) -> list[str]:
    """One path per shade, higher scores over lower ones; a candidate without a score is a cross."""
    shades: dict[int, list[Point]] = {}
    for i in svg.subsampled(range(len(found.scores))):
        score, (x, y) = found.scores[i], dots_N2[i].tolist()
        shade = svg.shade(score, *limits) if math.isfinite(score) else -1
        shades.setdefault(shade, []).append((x, y))
    crosses = [svg.label(a, b + 4, "×", "middle", "t cross") for a, b in shades.pop(-1, [])]
    return crosses + [svg.dots(points, f"shade shade-{k}") for k, points in sorted(shades.items())]


def _named(mark: Landmark, x: Scale, y: Scale) -> Named:
    name = "composed" if mark.kind == "best" else cut(mark.name, 18)  # short, to find room among many dots
    return Named(x(mark.at[0]), y(mark.at[1]), name, f"t named {mark.kind}")


def _axis_words(axis: Axis, most: int) -> str:
    """The share of variance, and as many of the dimensions with the largest loadings as fit."""
    words = f"{100 * axis.share:.0f} % of the variance"
    for n in range(1, len(axis.pulls) + 1):
        pulls = (
            (word, [c for c, pull in axis.pulls[:n] if pull * sign > 0]) for word, sign in (("more", 1), ("less", -1))
        )
        longer = "; ".join(f"{word} {', '.join(names)}" for word, names in pulls if names)
        if len(longer) > most - 24:
            break
        words = f"{100 * axis.share:.0f} % of the variance: {longer}"
    return words


def _legend(found: Plane, limits: tuple[float, float], unit: Unit) -> tuple[Key, ...]:
    shades = "".join(svg.dots([(6.0 + 12 * k, 6.0)], f"shade shade-{k}") for k in range(svg.SHADES))
    keys = [
        Key(svg.swatch(shades, 60), f"search score, from at most {unit.score(limits[0])} to {unit.score(limits[1])}")
    ]
    way = svg.line(0, 6, 22, 6, "way") + svg.dots([(11, 6)], "way-stops")
    keys.append(Key(svg.swatch(way), "best so far, from “start” on"))
    if found.moves:
        keys.append(Key(svg.swatch(svg.arrow(0, 6, 22, 6, "velocity")), "particle and its velocity"))
    for kind, words in KINDS.items():
        if any(landmark.kind == kind for landmark in found.landmarks):
            keys.append(Key(svg.swatch(svg.mark(kind, 11, 6, 4.5)), words))
    if any(not math.isfinite(score) for score in found.scores):
        keys.append(Key(svg.swatch(svg.label(11, 11, "×", "middle", "t cross")), "failed"))
    return tuple(keys)

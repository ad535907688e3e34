"""Placement of labels beside marks, without overlaps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from swarm.core.space import Array
from swarm.report.figures import svg

LETTER, HEIGHT = 8.5, 14.0  # of a label, generous because the font depends on the reader's system
DOT, PATH = 4.0, 12.0  # what a dot under a label costs, and the path, against a quarter of the distance in pixels
Box = tuple[float, float, float, float]  # left, top, right, bottom
Point = tuple[float, float]


@dataclass(frozen=True)
class Named:
    """A mark and its label.

    x, y: the mark, in pixels.
    words: the label.
    class_: the CSS class of the label.
    """

    x: float
    y: float
    words: str
    class_: str


def placed(marks: list[Named], frame: Box, path: list[Point], dots: Sequence[Point] | Array = ()) -> str:
    """The labels of marks in order of importance; one that does not fit into the frame is omitted.

    A label at a distance has a line to its mark, which crosses no other label. A place off the path is better than one
    on it, and one over few dots than one over many.
    """
    taken = [(mark.x - 6, mark.y - 6, mark.x + 6, mark.y + 6) for mark in marks]
    own = dict(zip(map(id, marks), taken, strict=True))
    steps_2N, dots_2N = _array(_steps(path)), _array(dots)
    drawn = []
    for mark in marks:
        found: list[tuple[float, Box, list[Box]]] = []
        for far, box in _boxes(mark):
            line = _line(mark, box)
            others = [other for other in taken if other != own[id(mark)]]
            is_free = not any(_meet(part, other) for part in line for other in others)
            if is_free and _inside(box, frame) and not any(_meet(box, other) for other in taken):
                cost = far / 4 + DOT * _within(box, dots_2N) + PATH * bool(_within(box, steps_2N))
                found.append((cost, box, line))
        if found:
            _, box, line = min(found, key=lambda place: place[0])
            taken += [box, *line]
            drawn.append(_leader(mark, box) + svg.label(box[0] + 1, box[3] - 3, mark.words, class_=mark.class_))
    return "".join(drawn)


def _array(points: Sequence[Point] | Array) -> Array:
    """From the left to the right, (2, N): x and y."""
    points_N2 = np.array(points, dtype=np.float64).reshape(len(points), 2)
    return points_N2[np.argsort(points_N2[:, 0])].T


def _within(box: Box, points_2N: Array) -> int:
    """How many of the points, as `_array` orders them, are under a label."""
    x_N, y_N = points_2N
    y_M = y_N[np.searchsorted(x_N, box[0] - 2, "right") : np.searchsorted(x_N, box[2] + 2, "left")]
    return int(np.sum((y_M > box[1] - 2) & (y_M < box[3] + 2)))


def _steps(path: Sequence[Point]) -> list[Point]:
    """Points along the path, close enough that no label fits between two of them."""
    found: list[Point] = []
    for (x1, y1), (x2, y2) in pairwise(path):
        n = 1 + int(math.hypot(x2 - x1, y2 - y1) / (HEIGHT / 2))
        found += [(x1 + (x2 - x1) * k / n, y1 + (y2 - y1) * k / n) for k in range(n + 1)]
    return found


def _boxes(mark: Named) -> list[tuple[float, Box]]:
    """The places to try, each with its distance: right, above, below, left and diagonal, from near to far."""
    wide = LETTER * len(mark.words) + 2
    found = []
    for far in (12.0, 24.0, 40.0, 60.0):
        for dx, dy in ((1, 0), (0, -1), (0, 1), (-1, 0), (0.8, -0.8), (0.8, 0.8), (-0.8, -0.8), (-0.8, 0.8)):
            x, y = mark.x + dx * far, mark.y + dy * (far + HEIGHT / 2)
            left = x if dx > 0 else x - wide if dx < 0 else x - wide / 2
            found.append((far, (left, y - HEIGHT / 2, left + wide, y + HEIGHT / 2)))
    return found


def _leader(mark: Named, box: Box) -> str:
    end = _end(mark, box)
    return svg.line(mark.x, mark.y, *end, "leader") if end else ""


def _end(mark: Named, box: Box) -> Point | None:
    """Where a label's line ends; None where it is near enough to need none."""
    x, y = min(max(mark.x, box[0]), box[2]), min(max(mark.y, box[1]), box[3])
    return (x, y) if abs(x - mark.x) + abs(y - mark.y) > 14 else None


def _line(mark: Named, box: Box) -> list[Box]:
    """What a label's line covers."""
    end = _end(mark, box)
    return [(x - 0.5, y - 0.5, x + 0.5, y + 0.5) for x, y in _steps([(mark.x, mark.y), end])] if end else []


def _inside(box: Box, frame: Box) -> bool:
    return box[0] >= frame[0] and box[1] >= frame[1] and box[2] <= frame[2] and box[3] <= frame[3]


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]

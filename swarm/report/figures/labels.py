"""Placement of labels beside marks, without overlaps."""

import math
from dataclasses import dataclass
from itertools import pairwise

from swarm.report.figures import svg

LETTER, HEIGHT = 8.0, 14.0  # of a label, generous because the font depends on the reader's system
Box = tuple[float, float, float, float]  # left, top, right, bottom


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


def placed(marks: list[Named], frame: Box, path: list[tuple[float, float]]) -> str:
    """The labels of marks in order of importance; one that does not fit into the frame is omitted.

    A label at a distance has a line to its mark. A place off the path is better than one on it.
    """
    taken = [(mark.x - 6, mark.y - 6, mark.x + 6, mark.y + 6) for mark in marks]
    on_path = [(x - 1, y - 1, x + 1, y + 1) for x, y in _steps(path)]
    drawn = []
    for mark in marks:
        free = [box for box in _boxes(mark) if _inside(box, frame) and not any(_meet(box, t) for t in taken)]
        if not free:
            continue
        box = next((box for box in free if not any(_meet(box, t) for t in on_path)), free[0])
        taken.append(box)
        drawn.append(_leader(mark, box) + svg.label(box[0] + 1, box[3] - 3, mark.words, class_=mark.class_))
    return "".join(drawn)


def _steps(path: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points along the path, close enough that no label fits between two of them."""
    found = []
    for (x1, y1), (x2, y2) in pairwise(path):
        n = 1 + int(math.hypot(x2 - x1, y2 - y1) / (HEIGHT / 2))
        found += [(x1 + (x2 - x1) * k / n, y1 + (y2 - y1) * k / n) for k in range(n + 1)]
    return found


def _boxes(mark: Named) -> list[Box]:
    """The places to try: right, above, below, left and diagonal; near the mark first, then farther away."""
    wide = LETTER * len(mark.words) + 2
    found = []
    for far in (10.0, 24.0, 40.0):
        for dx, dy in ((1, 0), (0, -1), (0, 1), (-1, 0), (0.8, -0.8), (0.8, 0.8), (-0.8, -0.8), (-0.8, 0.8)):
            x, y = mark.x + dx * far, mark.y + dy * (far + HEIGHT / 2)
            left = x if dx > 0 else x - wide if dx < 0 else x - wide / 2
            found.append((left, y - HEIGHT / 2, left + wide, y + HEIGHT / 2))
    return found


def _leader(mark: Named, box: Box) -> str:
    x, y = min(max(mark.x, box[0]), box[2]), min(max(mark.y, box[1]), box[3])
    is_far = abs(x - mark.x) + abs(y - mark.y) > 14
    return svg.line(mark.x, mark.y, x, y, "leader") if is_far else ""


def _inside(box: Box, frame: Box) -> bool:
    return box[0] >= frame[0] and box[1] >= frame[1] and box[2] <= frame[2] and box[3] <= frame[3]


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]

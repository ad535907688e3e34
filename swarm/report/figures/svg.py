"""SVG as text: elements, scales and ticks. Colours are CSS classes, which the style sheet of the page defines."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeVar

import numpy as np

from swarm.core.space import Array

WIDE, NARROW = 760, 384  # pixels: each figure is drawn for a page and for a phone; the style sheet shows one
MOST_DOTS = 3_000  # in one drawing, so that the file stays small and the browser fast
SHADES = 5  # of a score; the style sheet defines as many
Value = str | float
Dot = TypeVar("Dot")


@dataclass(frozen=True)
class Key:
    """One entry of a legend.

    swatch: SVG markup.
    words: the text after it.
    """

    swatch: str
    words: str


@dataclass(frozen=True)
class Figure:
    """A chart in two widths, with its text.

    title: what it shows.
    reading: how to read it.
    caption: what to keep in mind.
    wide, narrow: SVG markup, WIDE and NARROW pixels wide.
    legend: its entries.
    """

    title: str
    reading: str
    caption: str
    wide: str
    narrow: str
    legend: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Scale:
    """Maps [low, high] to the pixels [start, end]; values outside are drawn on the edge."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = min(1.0, max(0.0, (value - self.low) / ((self.high - self.low) or 1.0)))
        return self.start + share * (self.end - self.start)

    def all(self, values_N: Array) -> Array:
        """The pixels of many values."""
        share_N = np.clip((values_N - self.low) / ((self.high - self.low) or 1.0), 0.0, 1.0)
        return self.start + share_N * (self.end - self.start)


def figure(
    title: str, reading: str, draw: Callable[[int], str], legend: tuple[Key, ...] = (), caption: str = ""
) -> Figure:
    return Figure(title, reading, caption, draw(WIDE), draw(NARROW), legend)


def element(name: str, content: str = "", **attributes: Value) -> str:
    """An element. `content` is markup; attributes are escaped. `class_` becomes class, and _ becomes -."""
    parts = (f' {key.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"' for key, value in attributes.items())
    return f"<{name}{''.join(parts)}>{content}</{name}>"


def chart(width: float, height: float, title: str, *content: str) -> str:
    """The whole drawing, with its title as the text alternative."""
    head = element("title", escape(title))
    box = f"0 0 {width:g} {height:g}"
    return element(
        "svg", head + "".join(content), viewBox=box, width=width, height=height, role="img", aria_label=title
    )


def label(x: float, y: float, words: str, anchor: str = "start", class_: str = "t") -> str:
    return element("text", escape(words), x=x, y=y, text_anchor=anchor, class_=class_)


def told(drawn: str, words: str) -> str:
    """Marks with the words that a browser shows while the pointer is on them, through labels that are drawn later."""
    return element("g", drawn + element("title", escape(words)), class_="told")


def hit(x: float, y: float, words: str) -> str:
    """A place on a line, unseen, that says something to the pointer."""
    return told(element("circle", cx=round(x, 1), cy=round(y, 1), r=7, class_="hit"), words)


def slanted(x: float, y: float, words: str) -> str:
    """A label that rises to the right from (x, y), as the head of a narrow column."""
    return element("text", escape(words), transform=f"translate({x:.1f} {y:.1f}) rotate(-40)", class_="t")


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def arrow(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """A line with a head at its end; the head alone where the line is shorter."""
    along = math.atan2(y2 - y1, x2 - x1)
    corners = [(x2 - 8 * math.cos(along + turn), y2 - 8 * math.sin(along + turn)) for turn in (-0.4, 0.4)]
    return line(x1, y1, x2, y2, class_) + path([(x2, y2), *corners], f"{class_} head", closed=True)


def error(x1: float, y1: float, x2: float, y2: float) -> str:
    """An error bar, vertical or horizontal, with a halo so that it stays visible over a bar."""
    dx, dy = (0, 4) if y1 == y2 else (4, 0)
    ends = line(x1 - dx, y1 - dy, x1 + dx, y1 + dy, "error") + line(x2 - dx, y2 - dy, x2 + dx, y2 + dy, "error")
    return line(x1, y1, x2, y2, "halo") + line(x1, y1, x2, y2, "error") + ends


def rect(x: float, y: float, width: float, height: float, class_: str) -> str:
    return element("rect", x=x, y=y, width=max(0.0, width), height=max(0.0, height), class_=class_)


def path(points: list[tuple[float, float]], class_: str, closed: bool = False) -> str:
    d = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + ("Z" if closed else "")
    return element("path", d=d, class_=class_)


def dots(points: list[tuple[float, float]], class_: str) -> str:
    """Many dots as one path of zero-length strokes with round ends."""
    return element("path", d="".join(f"M{x:.1f} {y:.1f}h0" for x, y in points), class_=class_)


def mark(kind: str, x: float, y: float, r: float = 5.0) -> str:
    """The mark of a kind. Each has its own shape, so that colour is never the only difference."""
    class_ = f"mark {kind}"
    if kind == "uniform":
        return rect(x - r * 0.85, y - r * 0.85, r * 1.7, r * 1.7, class_)
    if kind == "expert":
        corners = [(x, y - r * 1.2), (x + r * 1.2, y), (x, y + r * 1.2), (x - r * 1.2, y)]
        return path(corners, class_, closed=True)
    return element("circle", cx=x, cy=y, r=r, class_=class_)


def subsampled(points: Sequence[Dot]) -> Sequence[Dot]:
    """At most MOST_DOTS of them, at regular intervals."""
    step = max(1, math.ceil(len(points) / MOST_DOTS))
    return points[::step]


def shade(value: float, low: float, high: float) -> int:
    """The index of the shade of a value; values outside [low, high] have the first or last."""
    share = (value - low) / ((high - low) or 1.0)
    return min(SHADES - 1, max(0, int(share * SHADES)))


def swatch(content: str, width: float = 22) -> str:
    return element("svg", content, viewBox=f"0 0 {width:g} 12", width=width, height=12, aria_hidden="true")


def ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    """At most `most` round numbers (1, 2 or 5 times a power of ten apart) within [low, high]."""
    if not high > low:
        return (low,)
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(s * power for s in (1, 2, 5, 10, 20) if (high - low) / (s * power) <= most - 1 + 1e-9 or s == 20)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(i * step, 10) for i in range(first, last + 1))


def rounded(low: float, high: float, most: int) -> tuple[float, float]:
    """The round numbers that enclose [low, high], so that the axis begins and ends with one of at most `most` ticks."""
    if not high > low:
        return low, high
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (s * power for s in (1, 2, 5, 10, 20, 50)):
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first < most:
            return round(first * step, 10), round(last * step, 10)
    return low, high


def _plain(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")

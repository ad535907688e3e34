"""SVG as text: elements, scales and ticks. Colours are classes, so that the page's style sheet rules them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

WIDE, NARROW = 760, 340  # drawn twice: for a page and for a phone; the style sheet shows one
MOST_DOTS = 3_000  # in one drawing
SHADES = 5  # of a score, in the style sheet
Value = str | float


@dataclass(frozen=True)
class Key:
    """One entry of a legend: a drawn swatch and its words."""

    swatch: str
    words: str


@dataclass(frozen=True)
class Figure:
    """A chart whose title states what it shows. reading: how to read it, for those who see it."""

    title: str
    reading: str
    caption: str
    wide: str
    narrow: str
    legend: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Scale:
    """Maps [low, high] to pixels; values outside stay on the edge."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = min(1.0, max(0.0, (value - self.low) / ((self.high - self.low) or 1.0)))
        return self.start + share * (self.end - self.start)


def figure(
    title: str, reading: str, draw: Callable[[int], str], legend: tuple[Key, ...] = (), caption: str = ""
) -> Figure:
    return Figure(title, reading, caption, draw(WIDE), draw(NARROW), legend)


def element(name: str, content: str = "", **attributes: Value) -> str:
    """`content` is markup; attributes are escaped. `class_` is class, and _ stands for -."""
    parts = (f' {key.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"' for key, value in attributes.items())
    return f"<{name}{''.join(parts)}>{content}</{name}>"


def chart(width: float, height: float, title: str, *content: str) -> str:
    """The whole drawing, with its title for those who do not see it."""
    head = element("title", escape(title))
    box = f"0 0 {width:g} {height:g}"
    return element(
        "svg", head + "".join(content), viewBox=box, width=width, height=height, role="img", aria_label=title
    )


def label(x: float, y: float, words: str, anchor: str = "start", class_: str = "t") -> str:
    return element("text", escape(words), x=x, y=y, text_anchor=anchor, class_=class_)


def slanted(x: float, y: float, words: str) -> str:
    """A label that rises to the right from (x, y): the head of a narrow column."""
    return element("text", escape(words), transform=f"translate({x:.1f} {y:.1f}) rotate(-40)", class_="t")


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def error(x1: float, y1: float, x2: float, y2: float) -> str:
    """An interval's line, upright or level, with its ends; readable over a bar."""
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
    """A kind's mark: each has a shape of its own, so that colour is never the only difference."""
    class_ = f"mark {kind}"
    if kind == "uniform":
        return rect(x - r * 0.85, y - r * 0.85, r * 1.7, r * 1.7, class_)
    if kind == "expert":
        corners = [(x, y - r * 1.2), (x + r * 1.2, y), (x, y + r * 1.2), (x - r * 1.2, y)]
        return path(corners, class_, closed=True)
    return element("circle", cx=x, cy=y, r=r, class_=class_)


def subsampled(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most MOST_DOTS of them, evenly chosen."""
    step = max(1, math.ceil(len(points) / MOST_DOTS))
    return points[::step]


def shade(value: float, low: float, high: float) -> int:
    """Which of the SHADES stands for a value; beyond the ends, the outermost."""
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


def _plain(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")

"""SVG as text: elements, scales and ticks. Colours are classes, so that the page's style sheet rules them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

WIDE, NARROW = 760, 340  # drawn twice: for a page and for a phone; the style sheet shows one
Value = str | float


@dataclass(frozen=True)
class Key:
    """One entry of a legend: a drawn swatch and its words."""

    swatch: str
    words: str


@dataclass(frozen=True)
class Figure:
    """A chart whose title states what it shows."""

    title: str
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


def figure(title: str, caption: str, draw: Callable[[int], str], legend: tuple[Key, ...] = ()) -> Figure:
    return Figure(title, caption, draw(WIDE), draw(NARROW), legend)


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


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


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


def swatch(content: str) -> str:
    return element("svg", content, viewBox="0 0 22 12", width=22, height=12, aria_hidden="true")


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

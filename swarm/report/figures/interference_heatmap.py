"""Experts against objectives as a heat map: what each does alone on every split, and the slope of a linear fit."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from swarm.report.figures import svg
from swarm.report.figures.svg import Figure, Key
from swarm.report.interference import Effects, Interference
from swarm.report.words import Unit, cut, signed

ROW, GAP, HEAD, STRONGEST = 26, 22, 24, 0.6
MOST_COLUMN = 62


@dataclass(frozen=True)
class Block:
    """One table of the map.

    title: above it.
    effects: its cells.
    """

    title: str
    effects: Effects


def interference_figure(found: Interference, units: Mapping[str, Unit]) -> Figure:
    title = "What each expert does to each objective"
    blocks = [Block(f"alone, on {split}", effects) for split, effects in found.alone.items()]
    reading = "Each cell is an expert’s mean score alone (coefficient 1, the others 0) minus the base’s."
    caption = ""
    if found.fit:
        blocks.append(Block("slope of the fit", found.fit.slopes))
        caption = (
            f"Slope: the change of the search score for one more unit of the expert’s coefficient, the others held, by "
            f"linear least squares over all {found.fit.n:,} candidates that were scored. It describes where the search "
            f"went and supports no claim. {_explained(found)}"
        )
    points = any(units[name].percent for name in found.objectives)
    caption = f"{'Percentages are in points. ' if points else ''}{caption}".strip()
    legend = (Key(_swatch("falls"), "lowers the score"), Key(_swatch("rises"), "raises it"))
    return svg.figure(title, reading, partial(_draw, found, blocks, units, title), legend, caption)


def effect_words(unit: Unit, value: float) -> str:
    """A difference or a slope as its cell has it: in points, or as a number."""
    if not math.isfinite(value):
        return "–"
    words = signed(100 * value, "+.0f") if unit.percent else signed(value, "+.2g")
    return "0" if words in ("+0", "−0") else words


def _swatch(kind: str) -> str:
    shade = svg.element("rect", x=0, y=0, width=22, height=12, class_=f"heat {kind}", fill_opacity="0.5")
    return svg.swatch(shade)


def _explained(found: Interference) -> str:
    known = {name: share for name, share in found.fit.explained.items() if math.isfinite(share)} if found.fit else {}
    shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in known.items())
    return f"Variance that it explains: {shares}." if shares else "The scores do not vary."


def _draw(found: Interference, blocks: Sequence[Block], units: Mapping[str, Unit], title: str, width: int) -> str:
    left = 12 + 6.8 * max(len(cut(name, 18)) for name in found.experts)
    least = 34 if all(units[name].percent for name in found.objectives) else 52
    n = len(found.objectives)
    beside = max(1, min(len(blocks), int((width - left + GAP) / (n * least + GAP))))
    beside = -(-len(blocks) // -(-len(blocks) // beside))  # as even as possible
    column = min(MOST_COLUMN, (width - left - GAP * (beside - 1)) / (n * beside))
    head = HEAD + 18 + 4.4 * max(len(cut(name, 16)) for name in found.objectives)
    tall = head + ROW * len(found.experts) + GAP
    parts = []
    for i, block in enumerate(blocks):
        x, y = left + (i % beside) * (n * column + GAP), (i // beside) * tall
        if i % beside == 0:
            names = enumerate(found.experts)
            parts += [svg.label(left - 8, y + head + ROW * r + 17, cut(name, 18), "end") for r, name in names]
        parts.append(_block(found, block, units, x, y, column, head))
    return svg.chart(width, tall * -(-len(blocks) // beside) - GAP, title, *parts)


def _block(
    found: Interference, block: Block, units: Mapping[str, Unit], x: float, y: float, column: float, head: float
) -> str:
    parts = [svg.label(x, y + 14, block.title, class_="t top tight")]
    for k, name in enumerate(found.objectives):
        parts.append(svg.slanted(x + (k + 0.5) * column - 2, y + head - 6, cut(name, 16)))
        strongest = max((abs(v) for (_, o), v in block.effects.items() if o == name and math.isfinite(v)), default=0.0)
        for r, expert in enumerate(found.experts):
            value = block.effects[expert, name]
            parts.append(_cell(x + k * column, y + head + ROW * r, column, value, strongest, units[name]))
    return "".join(parts)


def _cell(x: float, y: float, column: float, value: float, strongest: float, unit: Unit) -> str:
    if not math.isfinite(value):
        return svg.label(x + column / 2, y + 17, "–", "middle", "t number")
    share = STRONGEST * abs(value) / strongest if strongest else 0.0
    kind = "falls" if value < 0 else "rises"
    shade = svg.element(
        "rect", x=x, y=y, width=column - 1.5, height=ROW - 1.5, class_=f"heat {kind}", fill_opacity=f"{share:.2f}"
    )
    return shade + svg.label(
        x + column / 2, y + 17, effect_words(unit, value), "middle", f"t number{' tight' if column < 44 else ''}"
    )

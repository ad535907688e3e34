"""All targets as a grid: the first domain's level by row, those of the others by column."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from swarm.report.figures import svg
from swarm.report.figures.svg import Figure, Key

ROW, LEFT, TOP = 44, 84, 92


@dataclass(frozen=True)
class Cell:
    """A target, the lowest rate of its levels on test, and whether it is hit."""

    target: tuple[str, ...]
    rate: float
    hit: bool


def targets_figure(cells: Sequence[Cell], title: str) -> Figure:
    legend = (
        Key(svg.swatch(svg.rect(0, 0, 22, 12, "cell hit")), "hit"),
        Key(svg.swatch(svg.rect(0, 0, 22, 12, "cell missed")), "missed"),
    )
    reading = (
        "Each cell is a target: a level for the first domain by row, for the others by column. The number is the "
        "lowest rate of a wanted level among its domains, in percent."
    )
    return svg.figure(title, reading, partial(_draw, cells, title), legend)


def _draw(cells: Sequence[Cell], title: str, width: int) -> str:
    rows = list(dict.fromkeys(cell.target[0] for cell in cells))
    columns = list(dict.fromkeys(cell.target[1:] for cell in cells))
    column = (width - LEFT - 24) / max(1, len(columns))
    parts = [
        svg.slanted(LEFT + (i + 0.5) * column - 4, TOP - 8, " + ".join(level[:3] for level in levels))
        for i, levels in enumerate(columns)
    ]
    parts += [svg.label(0, TOP + (i + 0.5) * ROW + 4, level) for i, level in enumerate(rows)]
    for cell in cells:
        x, y = LEFT + columns.index(cell.target[1:]) * column, TOP + rows.index(cell.target[0]) * ROW
        parts.append(svg.rect(x, y, column - 3, ROW - 3, "cell hit" if cell.hit else "cell missed"))
        words = f"{100 * cell.rate:.0f}"
        parts.append(
            svg.label(x + (column - 3) / 2, y + ROW / 2 + 3, words, "middle", "t number" + (" top" if cell.hit else ""))
        )
    return svg.chart(width, TOP + ROW * len(rows) + 4, title, *parts)

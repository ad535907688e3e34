"""Long lines on a terminal: broken between words, or between the items of a list, and never inside one."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from swarm.cli.shorten import shorten

LEAST_TEXT = 20  # columns beside an indent: with fewer, the lines go without one


def wrapped(text: str, columns: int, indent: int = 0) -> list[str]:
    """The text on as many lines as it needs. indent: of all lines but the first.

    A word that is longer than a line, such as a path, stays whole.
    """
    margin = " " * (indent if columns - indent >= LEAST_TEXT else 0)
    first, *words = text.split(" ")
    lines, line = [], first
    for word in words:
        if cell_len(f"{line} {word}") > columns and cell_len(line) > len(margin):
            lines.append(line.rstrip())
            line = margin + word
        else:
            line = f"{line} {word}"
    return [*lines, line]


def packed(items: Sequence[str], columns: int) -> list[str]:
    """Items with commas between them, as many to a line as fit. One that is longer than a line is cut in its middle."""
    lines: list[str] = []
    for item in _with_commas(items):
        if lines and cell_len(f"{lines[-1]} {item}") <= columns:
            lines[-1] += f" {item}"
        else:
            lines.append(shorten(item, columns))
    return lines


def _with_commas(items: Sequence[str]) -> Iterable[str]:
    return (*(f"{item}," for item in items[:-1]), *items[-1:])

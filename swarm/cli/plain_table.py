"""Tables of texts. On a terminal, what is too wide is folded; what is piped has one line a row, as other programs read
it. Names of others cannot act on the terminal."""

from collections.abc import Sequence
from itertools import zip_longest

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from swarm.cli.screen import console, print_lines
from swarm.core.terminal_text import one_line

GAP = "  "


class Items:
    """A cell of several texts, which a narrow column breaks between them alone."""

    def __init__(self, items: Sequence[str]) -> None:
        self._items = [one_line(item) for item in items]

    def __str__(self) -> str:
        return GAP.join(self._items)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(max(map(cell_len, self._items), default=0), cell_len(str(self)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines: list[str] = []
        for item in self._items:
            if lines and cell_len(lines[-1] + GAP + item) <= options.max_width:
                lines[-1] += GAP + item
            else:
                lines.append(item)
        yield Text("\n".join(lines), overflow="fold")


Cell = str | Items


def show_table(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print a table, for whoever reads stdout."""
    if console.is_terminal:
        console.print(folded(headings, rows))
    else:
        print_lines(_unfolded([headings, *rows]))


def folded(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Table:
    """For a terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(one_line(heading), overflow="fold", vertical="top")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Items) else Text(one_line(cell)) for cell in row))
    return table


def _unfolded(rows: Sequence[Sequence[Cell]]) -> list[str]:
    """One line a row, with columns as wide as their widest cell."""
    texts = [[one_line(str(cell)) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip_longest(*texts, fillvalue="")]
    return [
        GAP.join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    ]

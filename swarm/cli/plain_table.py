"""Tables of texts. On a terminal, what is too wide is folded; what is piped has one line a row, as other programs read
it. Names of others cannot act on the terminal."""

from collections.abc import Sequence
from itertools import zip_longest

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from swarm.cli.screen import console, print_lines
from swarm.core.terminal_text import one_line

GAP = "  "


class Items:
    """A cell of several texts, which a narrow column breaks between them alone.

    below: others, which begin a line of their own in a narrow column.
    """

    def __init__(self, items: Sequence[str], below: Sequence[str] = ()) -> None:
        self._items = [one_line(item) for item in (*items, *below)]
        self._breaks = len(items)

    def __str__(self) -> str:
        return GAP.join(self._items)

    @property
    def widest(self) -> int:
        """Columns that the longest text takes."""
        return max(map(cell_len, self._items), default=0)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines: list[str] = []
        for i, item in enumerate(self._items):
            if lines and i != self._breaks and cell_len(lines[-1] + GAP + item) <= options.max_width:
                lines[-1] += GAP + item
            else:
                lines.append(item)
        yield Text("\n".join(lines), overflow="fold")


Cell = str | Items


def show_table(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print a table, for whoever reads stdout."""
    if console.is_terminal:
        console.print(folded(headings, rows, console.width))
    else:
        print_lines(_unfolded([headings, *rows]))


def folded(headings: Sequence[str], rows: Sequence[Sequence[Cell]], columns: int) -> Table:
    """For a terminal of so many columns."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    natural = _widths([headings, *rows])
    for i, heading in enumerate(headings):
        free = columns - sum(natural) - len(GAP) * (len(natural) - 1) + natural[i]
        widest = max((cell.widest for row in rows if isinstance(cell := row[i], Items)), default=0)
        width = min(natural[i], max(free, widest, cell_len(heading))) if widest else None
        table.add_column(one_line(heading), overflow="fold", vertical="top", width=width)
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Items) else Text(one_line(cell)) for cell in row))
    return table


def _widths(rows: Sequence[Sequence[Cell]]) -> list[int]:
    """Of columns that fold nothing."""
    return [max(cell_len(one_line(str(cell))) for cell in column) for column in zip_longest(*rows, fillvalue="")]


def _unfolded(rows: Sequence[Sequence[Cell]]) -> list[str]:
    """One line a row, with columns as wide as their widest cell."""
    widths = _widths(rows)
    texts = [[one_line(str(cell)) for cell in row] for row in rows]
    return [
        GAP.join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    ]

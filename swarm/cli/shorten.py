"""Names that are too long for their place, cut in the middle: beginning and end tell most names apart."""

from rich.cells import cell_len

GAP = "…"


def shorten(text: str, columns: int) -> str:
    """At most so many columns of a terminal, on which a character may be two wide."""
    if cell_len(text) <= columns:
        return text
    room = max(0, columns - cell_len(GAP))
    head = _fitting(text, (room + 1) // 2)
    tail = _fitting(text[::-1], room - cell_len(head))[::-1]
    return f"{head}{GAP}{tail}" if columns > 0 else ""


def _fitting(text: str, columns: int) -> str:
    """As much of the beginning as fits."""
    end = min(len(text), columns)
    while cell_len(text[:end]) > columns:
        end -= 1
    return text[:end]

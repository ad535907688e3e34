"""Sizes and durations as words, in the unit that suits them."""

GIB = 1024.0**3


def size_text(size: float) -> str:
    """Bytes as "12.40 GiB", below one GiB as "3.2 MiB", and below a tenth of a MiB as "16.0 KiB"."""
    if size >= GIB:
        return f"{size / GIB:,.2f} GiB"
    return f"{size / 2**20:,.1f} MiB" if size >= 2**20 / 10 else f"{size / 2**10:,.1f} KiB"


def duration_text(seconds: float) -> str:
    """Seconds as "under 1 s", "12 s", "3 min" or "2.5 h"."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:,.1f} h"

"""Texts of others (names, paths, exceptions) on one line of a terminal, where nothing in them can act on it."""

import unicodedata


def one_line(text: str) -> str:
    """The text with line breaks, escape sequences, marks that turn the direction of writing, and bytes that are no
    text written out, as in "\\x1b"."""
    return "".join(char if _is_plain(char) else char.encode("unicode_escape").decode() for char in text)


def shortened(text: str, most: int = 80) -> str:
    """The text, cut where it has more than so many characters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _is_plain(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) == "Zs"

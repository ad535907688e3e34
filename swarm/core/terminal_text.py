"""Texts of others (names, paths, exceptions) on a terminal: nothing in them can act on it, and no secret shows."""

import unicodedata
from collections.abc import Callable

from swarm.core.secrets import environment_secrets, redacted

# What a file may hold: line breaks, and the bytes of paths that the locale cannot read, which are written as they are.
IN_FILES = "\n\t" + "".join(map(chr, range(0xDC80, 0xDD00)))


def one_line(text: str) -> str:
    """The text with line breaks, escape sequences, marks that turn the direction of writing, and bytes that are no
    text written out, as in "\\x1b"; passwords and keys are hidden."""
    return escaped(redacted(text), kept="")


def escaped(text: str, kept: str = IN_FILES) -> str:
    """The same of a text for a file, which may have several lines, secrets included."""
    if text.isprintable():
        return text
    # Each distinct character is looked at once: a report's figures are texts of half a million.
    acting = {ord(char): _written_out(char) for char in set(text) if not (_is_plain(char) or char in kept)}
    return text.translate(acting) if acting else text


def escaped_output() -> Callable[[object], object]:
    """What a template does to each value that it prints: no secret, and nothing that acts on a terminal."""
    secrets = environment_secrets()

    def clean(value: object) -> object:
        return type(value)(escaped(redacted(value, secrets))) if isinstance(value, str) else value

    return clean


def shortened(text: str, most: int = 80) -> str:
    """The text, cut where it has more than so many characters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def shortened_path(path: object, most: int = 300) -> str:
    """The path, without its beginning where it is long: its end tells the most."""
    text = str(path)
    return text if len(text) <= most else f"...{text[3 - most :]}"


def _is_plain(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) == "Zs"


def _written_out(char: str) -> str:
    return char.encode("unicode_escape").decode()

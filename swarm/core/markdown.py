"""Data in Markdown: nothing in it acts as Markdown or HTML, or on a terminal that shows the file."""

import re

from swarm.core.secrets import redacted
from swarm.core.terminal_text import escaped


def plain_text(text: object) -> str:
    """Data as plain words, on one line."""
    return re.sub(r"([\\`*_\[\]<>|#~$&])", r"\\\1", _flat(str(text)))


def inline_code(text: str) -> str:
    """Data as inline code, on one line, with a fence longer than any run of backticks in it."""
    flat = _flat(text).replace("|", "¦")
    fence = _fence(flat, 1)
    return f"{fence} {flat} {fence}" if "`" in flat else f"`{flat}`" if flat else "(nothing)"


def code_block(text: str, language: str) -> str:
    """Lines of code, with a fence that nothing in them closes."""
    fence = _fence(text, 3)
    return f"{fence}{language}\n{escaped(redacted(text)).strip()}\n{fence}"


def _flat(text: str) -> str:
    return escaped(" ".join(redacted(text).split()))  # before anything is escaped, which would hide a secret


def _fence(text: str, least: int) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(least, longest + 1)

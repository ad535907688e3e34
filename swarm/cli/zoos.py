"""Builds demonstration zoos with a progress display."""

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from swarm import zoo
from swarm.cli.progress import Progress


def build_zoos(references: Iterable[str], console: Console) -> None:
    """Build the zoos that are among base and experts, where the cache does not hold them."""
    for name in zoo.named_in(references):
        build_zoo(name, None, console)


def build_zoo(name: str, directory: Path | None, console: Console) -> Path:
    """Build one zoo in a directory, or None for the cache. Returns where it is. Raises UserError."""
    with Progress(console) as display:

        def on_step(_text: str, share: float) -> None:
            if share < 1:  # one that is complete already is not built
                display.phase(f"building zoo {name}")
            display.steps(round(100 * share), 100)

        return zoo.build(name, directory or zoo.cache_directory() / name, on_step)

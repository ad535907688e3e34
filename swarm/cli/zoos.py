"""Builds demonstration zoos with a progress display."""

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from swarm import zoo
from swarm.cli.progress import Progress
from swarm.config.schema import Config


def build_zoos(config: Config, console: Console) -> None:
    """Build the zoos that a config names, where the cache does not hold them."""
    build_named([config.base, *(expert.path for expert in config.experts)], console)


def build_named(references: Iterable[str], console: Console) -> None:
    """Build the zoos that these references name, where the cache does not hold them."""
    for name in sorted({r.removeprefix("zoo:").split("/")[0] for r in references if r.startswith("zoo:")}):
        build_zoo(name, None, console)


def build_zoo(name: str, directory: Path | None, console: Console) -> Path:
    """Build one zoo in a directory, or None for the cache. Returns where it is. Raises UserError."""
    with Progress(console) as display:

        def on_step(_text: str, share: float) -> None:
            if share < 1:  # one that is complete already is not built
                display.phase(f"building zoo {name}")
            display.steps(round(100 * share), 100)

        return zoo.build(name, directory or zoo.cache_directory() / name, on_step)

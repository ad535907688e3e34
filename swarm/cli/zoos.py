"""Builds demonstration zoos with a progress bar."""

from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from swarm import zoo
from swarm.config.schema import Config
from swarm.core.terminal_text import one_line


def build_zoos(config: Config, console: Console) -> None:
    """Build the zoos that a config names, where the cache does not hold them."""
    references = {config.base, *(expert.path for expert in config.experts)}
    for name in sorted({r.removeprefix("zoo:").split("/")[0] for r in references if r.startswith("zoo:")}):
        build_zoo(name, None, console)


def build_zoo(name: str, directory: Path | None, console: Console) -> Path:
    """Build one zoo in a directory, or None for the cache. Returns where it is. Raises UserError."""
    name_column = TextColumn("{task.description}", markup=False)
    columns = (name_column, BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"building zoo {one_line(name)}", total=1.0)
        on_step: Callable[[str, float], None] = lambda text, share: bar.update(  # noqa: E731
            task, description=f"zoo {one_line(name)}: {text}", completed=share
        )
        return zoo.build(name, directory or zoo.cache_directory() / name, on_step)

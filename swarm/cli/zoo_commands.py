"""The commands of demonstration zoos."""

from pathlib import Path
from typing import Annotated

import typer

from swarm.cli.flags import PlainFlags
from swarm.cli.screen import announce, console, print_lines

app = typer.Typer(cls=PlainFlags, help="Build demonstration bases with experts and data.", no_args_is_help=True)


@app.command("build")
def zoo_build(
    name: Annotated[str, typer.Argument(metavar="NAME", help="tiny, levels, sizes or smollm2")],
    directory: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="default: the cache, where zoo:NAME finds it")
    ] = None,
) -> None:
    """Build a demonstration base with its experts and data."""
    announce()
    from swarm.cli.zoos import build_zoo

    print_lines([str(build_zoo(name, directory, console))])


@app.command("levels")
def zoo_levels(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="the folder to write")],
    examples: Annotated[int, typer.Option(help="examples of each domain")] = 300,
    seed: Annotated[int, typer.Option(help="of everything that is drawn")] = 0,
) -> None:
    """Write questions of three domains with answers of three levels, training data for vectors, and a config."""
    announce()
    from swarm.zoo.level_files import write_levels

    print_lines([str(write_levels(directory, examples, seed))])

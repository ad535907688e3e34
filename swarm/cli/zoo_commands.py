"""The commands of demonstration zoos."""

from pathlib import Path
from typing import Annotated

import typer

from swarm.cli.flags import PlainFlags
from swarm.cli.screen import announce, console, print_lines

app = typer.Typer(cls=PlainFlags, help="Build demonstration bases with experts and data.", no_args_is_help=True)


@app.command("build")
def zoo_build(
    name: Annotated[str, typer.Argument(metavar="NAME", help="tiny or smollm2")],
    directory: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="default: the cache, where zoo:NAME finds it")
    ] = None,
) -> None:
    """Build a demonstration base with its experts and data."""
    announce()
    from swarm.cli.zoos import build_zoo

    print_lines([str(build_zoo(name, directory, console))])

"""The command that chooses training data."""

from pathlib import Path
from typing import Annotated

import typer

from swarm.cli.flags import PlainFlags
from swarm.cli.screen import announce, print_json, print_lines

KEY_COLUMNS = 23  # of the first words of a line
app = typer.Typer(cls=PlainFlags)


@app.command()
def curate(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="a YAML file with data: and curate:")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=V", help="override a value of the config; may be repeated")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace what the folder holds")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Choose few good and diverse examples of a data file for training; a manifest accounts for every example."""
    announce()
    from swarm.config.curation import load_curation
    from swarm.run.curate import run_curation

    done = run_curation(load_curation(config, overrides or ()), config.resolve().parent, overwrite)
    if as_json:
        print_json(done.content())
    else:
        print_lines(done.lines(), KEY_COLUMNS)

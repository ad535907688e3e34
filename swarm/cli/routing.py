"""The command that fits a router."""

from pathlib import Path
from typing import Annotated

import typer

from swarm.cli.flags import PlainFlags
from swarm.cli.screen import announce, console, error_console, print_json, print_lines

KEY_COLUMNS = 23  # of the first words of a line
app = typer.Typer(cls=PlainFlags)


@app.command("fit-router")
def fit_router(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="a YAML file of a search")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="the router's folder")] = Path("router"),
    calibration: Annotated[str, typer.Option(help="how scores become probabilities: platt or isotonic")] = "platt",
    layer: Annotated[
        int | None, typer.Option(help="whose hidden states are the features; default: the middle one")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=V", help="override a value of the config; may be repeated")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace what the folder holds")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Fit a router of a config's experts: which prompt is for which expert, with calibrated probabilities.

    Base and experts are scored on the search split, and the router is measured on the select split.
    """
    announce()
    from swarm.cli.progress import Progress
    from swarm.run.fit_router import RouterOptions, run_fit_router

    options = RouterOptions(out, calibration, layer, overwrite)
    with Progress(error_console() if as_json else console) as progress:

        def on_step(text: str, done: int = 0, of: int = 0, /) -> None:
            progress.phase(text)
            if of:
                progress.steps(done, of)

        done = run_fit_router(config, overrides or (), options, on_step)
    if as_json:
        print_json(done.content())
    else:
        print_lines(done.lines(), KEY_COLUMNS)

"""The command `swarm sweep`."""

from pathlib import Path
from typing import Annotated

import typer

from swarm.cli.flags import PlainFlags
from swarm.cli.screen import announce, console, run_display

app = typer.Typer(cls=PlainFlags)


@app.command()
def sweep(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="a YAML file, as for swarm search")],
    low: Annotated[float, typer.Option("--from", help="the lowest coefficient")] = -1.0,
    high: Annotated[float, typer.Option("--to", help="the highest coefficient")] = 1.0,
    step: Annotated[float, typer.Option(help="between two coefficients; 0 and 1 are always scored")] = 0.1,
    experts: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="experts to sweep, one after another; default: all")
    ] = None,
    grid: Annotated[bool, typer.Option("--grid", help="all combinations of coefficients instead")] = False,
    split: Annotated[
        str, typer.Option(help="search, select or test; whoever picks a coefficient uses these examples up")
    ] = "search",
    base: Annotated[
        str, typer.Option(help="another base of equal shapes, to see whether the experts transfer to it")
    ] = "",
    run_dir: Annotated[
        Path | None, typer.Option("--run-dir", help="a new directory; default: runs/CONFIG-sweep-TIME")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=V", help="override a value of the config; may be repeated")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Score every objective over a range of each expert's coefficient: levels, margins, spill-over, angles.

    The result is sweep.html, sweep.csv and sweep.json in the directory; swarm resume continues a stopped sweep.
    """
    announce(starts_run=True)
    from swarm.cli.sweep_table import show_sweep
    from swarm.cli.zoos import build_zoos
    from swarm.config.references import resolve
    from swarm.run.directory import default_folder
    from swarm.run.requirements import load_runnable
    from swarm.run.sweep import on_another_base, start_sweep
    from swarm.run.sweep_settings import sweep_settings

    settings = sweep_settings(low, high, step, experts or (), grid, split)
    loaded = load_runnable(config, overrides or ())
    build_zoos(loaded, console)
    resolved = resolve(loaded, config.resolve().parent)
    if base:
        resolved, settings = on_another_base(resolved, settings, base)
    folder = run_dir or default_folder(config.with_stem(f"{config.stem}-sweep"))
    with run_display(folder, quiet=as_json, is_new=run_dir is None) as progress:
        found = start_sweep(resolved, settings, folder, progress)
    show_sweep(found, folder, as_json)

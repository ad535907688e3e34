"""The command `swarm sweep`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swarm.cli.flags import PlainFlags
from swarm.cli.screen import announce, console, run_display

if TYPE_CHECKING:
    from swarm.run.sweep_settings import SweepSettings

app = typer.Typer(cls=PlainFlags)

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="a YAML file, as for swarm search")]
Low = Annotated[float, typer.Option("--from", help="the lowest coefficient")]
High = Annotated[float, typer.Option("--to", help="the highest coefficient")]
Step = Annotated[float, typer.Option(help="between two coefficients; 0 and 1 are always scored")]
Experts = Annotated[
    list[str] | None, typer.Option(metavar="A,B", help="experts to sweep, one after another; default: all")
]
Grid = Annotated[bool, typer.Option("--grid", help="all combinations of coefficients instead")]
Part = Annotated[str, typer.Option(help="search, select or test; whoever picks a coefficient uses these examples up")]
Base = Annotated[str, typer.Option(help="another base of equal shapes, to see whether the experts transfer to it")]
RunDir = Annotated[Path | None, typer.Option("--run-dir", help="a new directory; default: runs/CONFIG-sweep-TIME")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=V", help="override a value of the config; may be repeated")
]


@app.command()
def sweep(
    config: ConfigPath,
    low: Low = -1.0,
    high: High = 1.0,
    step: Step = 0.1,
    experts: Experts = None,
    grid: Grid = False,
    split: Part = "search",
    base: Base = "",
    run_dir: RunDir = None,
    overrides: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Score every objective over a range of each expert's coefficient: levels, margins, spill-over, angles.

    The result is sweep.html, sweep.csv and sweep.json in the directory; swarm resume continues a stopped sweep.
    """
    announce(starts_run=True)
    from swarm.run.sweep_settings import sweep_settings

    settings = sweep_settings(low, high, step, experts or (), grid, split)
    _sweep(config, settings, base, run_dir, overrides or (), as_json)


def _sweep(
    config: Path,
    settings: "SweepSettings",
    base: str,
    run_dir: Path | None,
    overrides: Sequence[str],
    as_json: bool,
) -> None:
    from swarm.cli.sweep_table import show_sweep
    from swarm.cli.zoos import build_zoos
    from swarm.config.references import resolve
    from swarm.run.directory import default_folder
    from swarm.run.requirements import load_runnable
    from swarm.run.sweep import on_another_base, start_sweep

    loaded = load_runnable(config, overrides)
    build_zoos(loaded.models, console)
    resolved = resolve(loaded, config.resolve().parent)
    if base:
        resolved, settings = on_another_base(resolved, settings, base)
    folder = run_dir or default_folder(config.with_stem(f"{config.stem}-sweep"))
    with run_display(folder, quiet=as_json, is_new=run_dir is None) as progress:
        found = start_sweep(resolved, settings, folder, progress)
    show_sweep(found, folder, as_json)

"""The command `swarm build`: experts from data, and what is shown of them."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swarm.cli.flags import PlainFlags
from swarm.cli.screen import announce, console, current, print_lines
from swarm.core.terminal_text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from swarm.run.build import BuildResult
    from swarm.run.build_plan import BuildPlan
    from swarm.run.forgetting import Forgetting

app = typer.Typer(cls=PlainFlags)
KEY_COLUMNS = 13  # of the first word of a line of a forecast


@app.command()
def build(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="a YAML file: a base, and experts with their data")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="check everything and predict time and memory; nothing is built")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="replace experts that were built from other data or settings")
    ] = False,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=V", help="override a value of the config; may be repeated")
    ] = None,
) -> None:
    """Make experts from data: supervised (sft, axis) or from preferences (dpo), as LoRA adapters or whole models.

    After a stop, a crash or a kill the same command goes on, to the same experts.
    """
    announce()
    from swarm.cli.progress import Progress
    from swarm.run.build import build as build_experts

    if dry_run:
        print_lines(forecast_lines(config, overrides or (), overwrite)[1], KEY_COLUMNS)
        return
    plan = opened(config, overrides or ())
    current.again = f"swarm {shlex.join(sys.argv[1:])}"
    with Progress(console) as progress:
        result = build_experts(plan, progress, overwrite)
    _show(result)


def opened(config: Path, overrides: "Sequence[str]") -> "BuildPlan":
    """The plan of a build, once the zoo that it names is there."""
    from swarm.cli.zoos import build_zoos
    from swarm.config.load import load_build
    from swarm.run.build import open_build
    from swarm.run.build_plan import check_extra

    check_extra()
    build_zoos([load_build(config, overrides).base], console)
    return open_build(config, overrides)


def forecast_lines(
    config: Path, overrides: "Sequence[str]", overwrite: bool = False
) -> tuple[dict[str, object], list[str]]:
    """What is predicted of a build: for --json, and in words."""
    from swarm.run.build import open_build
    from swarm.run.build_forecast import build_forecast, describe_build

    plan = open_build(config, overrides)
    found = build_forecast(plan, overwrite)
    return found.content(plan), describe_build(plan, found)


def _show(result: "BuildResult") -> None:
    for each in result.experts:
        loss = "built before" if each.loss is None else f"loss {each.loss[0]:.3f} -> {each.loss[1]:.3f}"
        print_lines([f"{each.name:<12} {each.method}; {each.steps:,} steps, {loss}; {each.folder}"], KEY_COLUMNS)
    if result.forgetting:
        console.print(_matrix(result.forgetting))
        lost = ", ".join(f"{name} {value:+.3f}" for name, value in result.forgetting.lost.items())
        print_lines([f"lost since, by training one after another: {lost or 'nothing to lose: there is one expert'}"])


def _matrix(found: "Forgetting") -> "Table":
    """Rows: weights; columns: whose held-out examples they answer."""
    from rich.table import Table

    table = Table(title="mean log-likelihood of a token, on held-out examples of", title_justify="left")
    table.add_column("")
    for name in found.base:
        table.add_column(one_line(name), justify="right")
    for name, scores in found.rows():
        table.add_row(one_line(name), *(f"{score:.3f}" for score in scores.values()))
    return table

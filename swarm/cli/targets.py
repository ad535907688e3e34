"""The command `swarm targets`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swarm.cli.flags import PlainFlags
from swarm.cli.screen import announce, console, print_json, print_lines, run_display

if TYPE_CHECKING:
    from swarm.report.targets_page import TargetsResult

app = typer.Typer(cls=PlainFlags)


@app.command()
def targets(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG_OR_RUN_DIR",
            help="a YAML file: search for all targets; or the directory of a run or sweep: the best of its candidates",
        ),
    ],
    finalists: Annotated[
        int, typer.Option(help="candidates of each target that are scored again on the select split")
    ] = 5,
    run_dir: Annotated[
        Path | None, typer.Option("--run-dir", help="with a YAML file: a new directory; default: runs/CONFIG-TIME")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=V", help="override a value of the config; may be repeated")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """For every combination of levels over the domains, find the candidate that reaches it, from one archive."""
    if source.is_dir():
        _of_run(source, finalists, run_dir, overrides, as_json)
    else:
        _searched(source, finalists, run_dir, overrides or (), as_json)


def _of_run(folder: Path, finalists: int, run_dir: Path | None, overrides: list[str] | None, as_json: bool) -> None:
    announce(folder)
    from swarm.core.errors import ConfigError
    from swarm.run.targets import answer_targets

    for option, given in (("--run-dir", run_dir), ("--set", overrides)):
        if given:
            raise ConfigError(f"{option}: {folder} is a run, which keeps its own; leave {option} out, or give a config")
    with run_display(folder, quiet=as_json) as progress:
        found = answer_targets(folder, finalists, progress)
    show_targets(found, folder, as_json)


def _searched(
    config: Path, finalists: int, run_dir: Path | None, overrides: "list[str] | tuple[()]", as_json: bool
) -> None:
    announce(starts_run=True)
    from swarm.cli.zoos import build_zoos
    from swarm.config.references import resolve
    from swarm.run.directory import default_folder
    from swarm.run.requirements import load_runnable
    from swarm.run.target_search import start_targets

    loaded = load_runnable(config, overrides)
    build_zoos(loaded.models, console)
    resolved = resolve(loaded, config.resolve().parent)
    folder = run_dir or default_folder(config.with_stem(f"{config.stem}-targets"))
    with run_display(folder, quiet=as_json, is_new=run_dir is None) as progress:
        found = start_targets(resolved, folder, finalists, progress)
    show_targets(found, folder, as_json)


def resumed_targets(folder: Path, overrides: list[str] | None) -> None:
    """Continue a search for targets, and show the result."""
    from swarm.run.target_search import resume_targets

    with run_display(folder) as progress:
        found = resume_targets(folder, progress, overrides or ())
    show_targets(found, folder)


def show_targets(found: "TargetsResult", folder: Path, as_json: bool = False) -> None:
    """The result on the terminal, or as JSON."""
    from rich.table import Table
    from rich.text import Text

    from swarm.core.terminal_text import one_line
    from swarm.report.targets_page import FILES, headline, targets_content

    if as_json:
        print_json(targets_content(found))
        return
    table = Table(box=None, pad_edge=False)
    for name in (*found.domains, "candidate", "search", "select", "test", "rate on test"):
        table.add_column(one_line(name))
    for each in found.results:
        hits = ["hit" if each.hit(split) else "–" for split in ("search", "select", "test")]
        tested = each.reached["test"]
        rate = f"{100 * tested.score.mean:.1f} in {tested.worst}" if tested else "–"
        table.add_row(*(Text(one_line(cell)) for cell in (*each.target, each.id, *hits, rate)))
    console.print(table)
    print_lines([headline(found), *(str(folder / "targets" / name) for name in FILES)])

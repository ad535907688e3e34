"""The command line. Commands import what they need themselves, so that `swarm --help` answers at once."""

import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from swarm import __version__
from swarm.cli.flags import PlainFlags
from swarm.cli.screen import (
    announce,
    console,
    current,
    interruption,
    print_bug,
    print_error,
    print_json,
    print_lines,
    print_summary,
    run_display,
    unwritten,
)
from swarm.cli.streams import lenient_streams
from swarm.cli.sweeps import app as sweeps_app
from swarm.cli.targets import app as targets_app
from swarm.cli.targets import resumed_targets
from swarm.cli.weights import app as weights_app
from swarm.core.errors import StrandedError, SwarmError, UserError
from swarm.core.interrupts import CODE as INTERRUPTED
from swarm.core.interrupts import heed_interrupts, leave

FAILURE, MISTAKE = 1, 2
KEY_COLUMNS = 13  # of the first word of a line of `swarm check`
app = typer.Typer(
    cls=PlainFlags,
    help="Find the best weighting of language-model experts, without gradients.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
zoo_app = typer.Typer(cls=PlainFlags, help="Build demonstration bases with experts and data.", no_args_is_help=True)
app.add_typer(sweeps_app)
app.add_typer(targets_app)
app.add_typer(weights_app)
app.add_typer(zoo_app, name="zoo")

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="a YAML file")]
RunDir = Annotated[Path, typer.Argument(metavar="RUN_DIR", help="the directory of a run")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=V", help="override a value of the config; may be repeated")
]
NewRunDir = Annotated[
    Path | None, typer.Option("--run-dir", help="a new directory for the run; default: runs/CONFIG-TIME")
]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object")]


@app.command()
def search(
    config: ConfigPath,
    run_dir: NewRunDir = None,
    overrides: Overrides = None,
    continue_from: Annotated[
        Path | None, typer.Option(metavar="RUN_DIR", help="start with the scores of this run; they are not paid again")
    ] = None,
) -> None:
    """Run a search: search, select, test, export the best, write the report."""
    announce(starts_run=True)
    from swarm.cli.zoos import build_zoos
    from swarm.config.references import resolve
    from swarm.run.directory import default_folder
    from swarm.run.pipeline import start_run
    from swarm.run.requirements import load_runnable

    loaded = load_runnable(config, overrides or ())
    build_zoos(loaded, console)
    resolved = resolve(loaded, config.resolve().parent)
    folder = run_dir or default_folder(config)
    with run_display(folder, is_new=run_dir is None) as progress:
        summary = start_run(resolved, folder, progress, continue_from)
    print_summary(summary, folder)


@app.command()
def resume(run_dir: RunDir, overrides: Overrides = None) -> None:
    """Continue a run after a stop, a crash or a kill, to the same result as an uninterrupted run.

    Workers and budgets may be changed, for example with --set cluster.workers=4.
    """
    announce(run_dir)
    from swarm.run.directory import is_finished, is_sweep, is_targets
    from swarm.run.pipeline import resume_run

    if is_targets(run_dir):
        return resumed_targets(run_dir, overrides)
    if is_sweep(run_dir):
        from swarm.cli.sweep_table import resumed_sweep

        return resumed_sweep(run_dir, overrides or ())
    was_finished = is_finished(run_dir)
    with run_display(run_dir) as progress:
        summary = resume_run(run_dir, progress, overrides or ())
    if was_finished:
        print_lines(["this run was finished before: nothing was left to do"])
    print_summary(summary, run_dir, resumed=not was_finished)


@app.command()
def check(
    config: ConfigPath,
    run_dir: NewRunDir = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
    show: Annotated[
        int, typer.Option(metavar="N", help="load the base, and show the first N prompts with its answers")
    ] = 0,
) -> None:
    """Validate config, experts, data, machine and cluster, and print the plan. Nothing is started or written."""
    announce()
    from swarm.cli.checking import checked

    found = checked(config, run_dir, overrides or (), show, console)
    if as_json:
        print_json(found.content)
    else:
        print_lines([*found.lines], KEY_COLUMNS)


@app.command("test")
def show_test(run_dir: RunDir, as_json: AsJson = False) -> None:
    """Show the best and every baseline on the untouched test split. After a search, what is not scored yet is scored.

    A run whose search has not ended is refused: swarm resume finishes it.
    """
    announce(run_dir)
    from swarm.run.directory import check_searched
    from swarm.run.pipeline import resume_run

    check_searched(run_dir)
    with run_display(run_dir, quiet=as_json) as progress:
        summary = resume_run(run_dir, progress)
    print_summary(summary, run_dir, as_json)


@app.command()
def report(run_dir: RunDir, as_json: AsJson = False) -> None:
    """Rebuild report.html and report.md from the journal."""
    from swarm.run.directory import is_sweep, rebuild_report

    if is_sweep(run_dir):
        from swarm.cli.sweep_table import rebuilt_sweep

        return rebuilt_sweep(run_dir, as_json)
    summary = rebuild_report(run_dir)
    if as_json:
        print_json(summary.content() if summary else {})
    else:
        print_lines([str(run_dir / "report.html"), str(run_dir / "report.md")])


@app.command()
def schema() -> None:
    """Print the config's JSON schema, for editors."""
    from swarm.config.schema import json_schema

    print_json(json_schema())


@zoo_app.command("build")
def zoo_build(
    name: Annotated[str, typer.Argument(metavar="NAME", help="tiny, levels or smollm2")],
    directory: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="default: the cache, where zoo:NAME finds it")
    ] = None,
) -> None:
    """Build a demonstration base with its experts and data."""
    announce()
    from swarm.cli.zoos import build_zoo

    print_lines([str(build_zoo(name, directory, console))])


@zoo_app.command("levels")
def zoo_levels(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="the folder to write")],
    examples: Annotated[int, typer.Option(help="examples of each domain")] = 300,
    seed: Annotated[int, typer.Option(help="of everything that is drawn")] = 0,
) -> None:
    """Write questions of three domains with answers of three levels, training data for vectors, and a config."""
    announce()
    from swarm.zoo.level_files import write_levels

    print_lines([str(write_levels(directory, examples, seed))])


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="print the version")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def main() -> NoReturn:
    """The entry point. The user's mistakes and interruptions become exit codes; bugs keep their traceback."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    heed_interrupts()
    current.run, current.starts_run = None, False
    with lenient_streams() as lost:
        code = _run()
        if code == INTERRUPTED:
            leave()
        if reason := lost():
            print_error(unwritten(reason))
            code = MISTAKE
        sys.exit(code)


def _run() -> int:
    """The command's exit code, once its mistake, if there is one, has been shown."""
    try:
        code = app(standalone_mode=False, prog_name="swarm")  # typer turns an interruption into a code
    except SwarmError as error:
        mistake = MISTAKE if isinstance(error, UserError) else FAILURE
        return _refuse(str(error), INTERRUPTED if isinstance(error, StrandedError) else mistake)
    except typer.TyperException as error:
        if not str(error):  # no command was given, and the help has been shown
            return 0
        context = getattr(error, "ctx", None)
        return _refuse(f"{error}; see {context.command_path if context else 'swarm'} --help")
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception:
        sys.excepthook = print_bug
        raise
    if code == INTERRUPTED:
        print(interruption(), file=sys.stderr)
    return code or 0


def _refuse(problem: str, code: int = MISTAKE) -> int:
    """Show a mistake: as one line on stderr, or where --json was asked for, as one object on stdout."""
    if "--json" in sys.argv[1:]:
        print_json({"error": problem})
    else:
        print_error(problem)
    return code

"""The command line. Commands import what they need themselves, so that `swarm --help` answers at once."""

import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from swarm import __version__
from swarm.cli.building import app as building_app
from swarm.cli.choosing import app as choosing_app
from swarm.cli.curating import app as curating_app
from swarm.cli.generating import app as generating_app
from swarm.cli.looking import app as looking_app
from swarm.cli.options import (
    AsJson,
    BaseOption,
    By,
    Compare,
    ConfigPath,
    DataOption,
    ExpertsOption,
    Files,
    FromMergekit,
    Groups,
    NewRunDir,
    Overrides,
    RunDir,
    Select,
    TaskPath,
)
from swarm.cli.panels import Panels
from swarm.cli.preparing import app as preparing_app
from swarm.cli.routing import app as routing_app
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
from swarm.cli.zoo_commands import app as zoo_app
from swarm.core.errors import StrandedError, SwarmError, UserError
from swarm.core.interrupts import CODE as INTERRUPTED
from swarm.core.interrupts import heed_interrupts, leave

FAILURE, MISTAKE = 1, 2
KEY_COLUMNS = 13  # of the first word of a line of `swarm check`
app = typer.Typer(
    cls=Panels,
    help="Find the best weighting of language-model experts, without gradients.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(preparing_app)
app.add_typer(looking_app)
app.add_typer(curating_app)
app.add_typer(routing_app)
app.add_typer(building_app)
app.add_typer(sweeps_app)
app.add_typer(targets_app)
app.add_typer(weights_app)
app.add_typer(generating_app)
app.add_typer(choosing_app)
app.add_typer(zoo_app, name="zoo")


@app.command()
def search(
    config: ConfigPath = None,
    base: BaseOption = "",
    experts: ExpertsOption = None,
    data: DataOption = "",
    from_mergekit: FromMergekit = None,
    task_search_path: TaskPath = "",
    run_dir: NewRunDir = None,
    overrides: Overrides = None,
    continue_from: Annotated[
        Path | None, typer.Option(metavar="RUN_DIR", help="start with the scores of this run; they are not paid again")
    ] = None,
) -> None:
    """Run a search: search, select, test, export the best, write the report.

    Its config is a file, or is made from --base, --experts and --data or a configuration of mergekit-evolve, and shown.
    """
    announce(starts_run=True)
    from swarm.cli.configs import given
    from swarm.run.pipeline import start_run

    found = given(config, Files(base, experts or (), data, from_mergekit, task_search_path), overrides or (), console)
    folder = run_dir or found.run_dir
    print_lines(found.made_lines)
    with run_display(folder, is_new=run_dir is None) as progress:
        summary = start_run(found.config, folder, progress, continue_from)
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
def report(
    run_dir: RunDir,
    select: Select = "",
    compare: Compare = "",
    groups: Groups = "",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Rebuild report.html and report.md from the journal; with --select, as another choice from the front has it."""
    from swarm.run.directory import is_sweep, rebuild_report

    if select or compare or groups:
        from swarm.cli.choosing import Wish, show_chosen

        return show_chosen(Wish("", select, compare, groups, by=by), run_dir, as_json)
    if is_sweep(run_dir):
        from swarm.cli.sweep_table import rebuilt_sweep

        return rebuilt_sweep(run_dir, as_json)
    summary = rebuild_report(run_dir)
    if as_json:
        print_json(summary.content() if summary else {})
    else:
        print_lines([str(run_dir / "report.html"), str(run_dir / "report.md")])


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
    current.run, current.starts_run, current.again = None, False, ""
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
        quoted = "quote a pattern, as in --experts 'adapters/*', or " if "--experts" in sys.argv else ""
        return _refuse(f"{error}; {quoted}see {context.command_path if context else 'swarm'} --help")
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

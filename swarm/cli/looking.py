"""The commands that look at runs and change nothing: runs, candidates, compare, watch, study, ui."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swarm.cli.coefficients import of_experts, of_router
from swarm.cli.flags import PlainFlags
from swarm.cli.options import AsJson, RunDir
from swarm.cli.plain_table import Cell, Items, show_table
from swarm.cli.screen import announce, console, print_json, print_lines

if TYPE_CHECKING:
    from swarm.run.comparing import Comparison
    from swarm.run.listing import ListedCandidate, ListedRun
    from swarm.statistics.intervals import Difference, Score

app = typer.Typer(cls=PlainFlags)
SHOWN = 20  # candidates
UNKNOWN = "–"
PORT = 8790


@app.command()
def runs(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="a folder of runs, or one run")] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """List the runs of a folder: state, evaluations, the selected candidate and its test score."""
    announce()
    from swarm.run.listing import listed_runs

    found = listed_runs(folder)
    if as_json:
        print_json({"runs": [run.content() for run in found]})
    elif found:
        show_table(["run", "state", "optimizer", "evaluations", "best", "test"], [_run_row(run) for run in found])
    else:
        print_lines([f"no runs in {folder}; swarm search makes one"])


@app.command()
def candidates(
    run_dir: RunDir,
    top: Annotated[int, typer.Option(min=1, help="how many of the best on the search split")] = SHOWN,
    as_json: AsJson = False,
) -> None:
    """List the candidates of a run that can be exported: the best on the search split, and the selected one."""
    announce()
    from swarm.run.listing import listed_candidates

    found = listed_candidates(run_dir)
    shown = [each for i, each in enumerate(found) if i < top or each.selected]
    if as_json:
        print_json({"candidates": [each.content() for each in shown]})
        return
    show_table(*_candidates_table(shown))
    run = shlex.quote(str(run_dir))
    print_lines([f"{len(shown)} of {len(found)}; swarm export {run} DEST --candidate ID writes one"])


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="a finished run")],
    second: Annotated[Path, typer.Argument(metavar="OTHER_RUN_DIR", help="another one")],
    as_json: AsJson = False,
) -> None:
    """Compare two finished runs: config, coefficients, and test scores, paired where the test examples are the same."""
    announce()
    from swarm.run.comparing import compared

    found = compared(first, second)
    if as_json:
        print_json(found.content())
        return
    for title, rows in _sections(found):
        show_table([title, *map(str, found.folders)], rows)
        print_lines([""])
    print_lines(list(_differences(found)))


@app.command()
def watch(
    run_dir: RunDir,
    every: Annotated[float, typer.Option(min=0.1, max=3600, help="seconds between two looks")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="show it as it is now, and end")] = False,
) -> None:
    """Show a run that another process carries out, until it has finished; the run is read and not touched."""
    announce()
    from swarm.cli.watching import watch_run

    watch_run(run_dir, every, once)


@app.command()
def study(
    run_dir: RunDir,
    dest: Annotated[Path, typer.Argument(metavar="FILE", help="the SQLite file to write, such as study.db")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the file")] = False,
) -> None:
    """Write a run's evaluations as a study of Optuna, which optuna-dashboard shows."""
    announce()
    from swarm.run.study import shown_command, write_study

    count = write_study(run_dir, dest, overwrite)
    print_lines([f"{count} trials written to {dest}; {shown_command(dest)} shows them"])


@app.command()
def ui(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="[DIR]...", help="runs, or folders of runs; default: runs")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="of the address; 0: any that is free")] = PORT,
) -> None:
    """Show runs in the browser, those that go on too: a page on this machine alone, which reads and changes nothing."""
    announce()
    from swarm.core.errors import RunError
    from swarm.web.pages import Pages
    from swarm.web.server import open_server
    from swarm.web.watcher import Shelf

    shown = folders or [Path("runs")]
    for folder in shown:
        if not folder.is_dir():
            raise RunError(
                f"{folder} is not a folder; name the one that holds your runs, or start one with swarm search"
            )
    with open_server(Pages(Shelf(shown)), port) as server:
        console.print(f"{server.address}  (Ctrl-C ends it)", soft_wrap=True)  # with its token, which is no secret here
        server.serve_forever()


def _run_row(run: "ListedRun") -> list[Cell]:
    made = UNKNOWN if run.evaluations is None else str(run.evaluations)
    of = f"{made} of {run.budget}" if run.budget else made
    scores = run.test or {}
    test = [f"{name} {_score(score)}" if len(scores) > 1 else _score(score) for name, score in scores.items()]
    return [run.folder.resolve().name, run.state, run.optimizer, of, run.best, Items(test)]


def _candidates_table(found: Sequence["ListedCandidate"]) -> tuple[list[str], list[list[Cell]]]:
    """Headings and rows. With one objective, the utility is its search score."""
    objectives = list(found[0].scores["search"]) if found else []
    several = len(objectives) > 1
    columns = [(split, name) for name in objectives for split in ("search", "select", "test")]
    rows: list[list[Cell]] = []
    for each in found:
        scores = [each.scores.get(split, {}).get(name) for split, name in columns]
        numbers = [UNKNOWN if score is None else f"{score:.3f}" for score in scores]
        router = of_router(each.coefficients)
        coefficients = Items(of_experts(each.coefficients), [f"router: {router[0]}", *router[1:]] if router else [])
        utility = [f"{each.utility:.3f}"] if several else []
        rows.append([f"{each.id}{' (selected)' * each.selected}", *utility, *numbers, coefficients])
    headings = [f"{split} [{name}]" if several else split for split, name in columns]
    return ["candidate", *["utility"] * several, *headings, "coefficients"], rows


def _sections(found: "Comparison") -> Iterator[tuple[str, list[list[str]]]]:
    if found.config:
        yield "config", [[key, *(_value(value) for value in values)] for key, values in found.config.items()]
    for title, both in zip(("coefficients", "use of the router"), found.in_two, strict=True):
        if both:
            yield title, [[name, *(UNKNOWN if x is None else f"{x:z.2f}" for x in pair)] for name, pair in both.items()]
    tested = [[name, *(_score(s) if s else UNKNOWN for s in scores)] for name, scores in found.test.items()]
    yield "test score", [["selected", *found.best], *tested]


def _differences(found: "Comparison") -> Iterator[str]:
    for name in found.test:
        if name in found.differences:
            interval = _difference(found.differences[name])
            yield f"{name}: the second minus the first, on the same test examples: {interval}"
        else:
            yield f"{name}: {found.unpaired[name]}"


def _difference(found: "Difference") -> str:
    interval = f" (95 % interval {found.low:+.3f} to {found.high:+.3f})" if found.has_interval else ""
    return f"{found.difference:+.3f}{interval}"


def _score(score: "Score") -> str:
    return f"{score.mean:.3f} ({score.low:.3f} to {score.high:.3f})" if score.has_interval else f"{score.mean:.3f}"


def _value(value: object) -> str:
    return UNKNOWN if value is None else str(value)

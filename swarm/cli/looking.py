"""The commands that look at runs and change nothing: runs, candidates, compare."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from swarm.cli.flags import PlainFlags
from swarm.cli.options import AsJson, RunDir
from swarm.cli.screen import announce, console, print_json, print_lines
from swarm.core.terminal_text import one_line

if TYPE_CHECKING:
    from swarm.run.comparing import Comparison
    from swarm.run.listing import ListedCandidate, ListedRun
    from swarm.statistics.intervals import Score

app = typer.Typer(cls=PlainFlags)
SHOWN = 20  # candidates
UNKNOWN = "–"
PORT = 8790


@app.command()
def runs(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="a folder of run directories")] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """List the runs of a folder: state, evaluations, the selected candidate and its test score."""
    announce()
    from swarm.run.listing import listed_runs

    found = listed_runs(folder)
    if as_json:
        print_json({"runs": [run.content() for run in found]})
    elif found:
        console.print(_runs_table(found))
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
    console.print(_candidates_table(shown))
    print_lines([f"{len(shown)} of {len(found)}; swarm export {run_dir} DEST --candidate ID writes one"])


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
        console.print(_table([title, *map(str, found.folders)], rows))
        print_lines([""])
    print_lines(list(_differences(found)))


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
    from swarm.web.server import LOOPBACK, open_server
    from swarm.web.watcher import Shelf

    shown = folders or [Path("runs")]
    for folder in shown:
        if not folder.is_dir():
            raise RunError(
                f"{folder} is not a folder; name the one that holds your runs, or start one with swarm search"
            )
    with open_server(Pages(Shelf(shown)), port) as server:
        print_lines([f"http://{LOOPBACK}:{server.server_port}/  (Ctrl-C ends it)"])
        server.serve_forever()


def _runs_table(found: Sequence["ListedRun"]) -> Table:
    rows = []
    for run in found:
        (scores,) = [list((run.test or {}).values())]
        made = UNKNOWN if run.evaluations is None else str(run.evaluations)
        of = f"{made} of {run.budget}" if run.budget else made
        rows.append([run.folder.name, run.state, run.optimizer, of, run.best, ", ".join(map(_score, scores))])
    return _table(["run", "state", "optimizer", "evaluations", "best", "test"], rows)


def _candidates_table(found: Sequence["ListedCandidate"]) -> Table:
    objectives = list(found[0].scores["search"]) if found else []
    splits = ("search", "select", "test")
    columns = [(split, name) for name in objectives for split in splits]
    headings = [split if len(objectives) == 1 else f"{split} [{name}]" for split, name in columns]
    rows = []
    for each in found:
        scores = [each.scores.get(split, {}).get(name) for split, name in columns]
        coefficients = "  ".join(f"{name} {x:z.2f}" for name, x in each.coefficients.items())
        numbers = [UNKNOWN if score is None else f"{score:.3f}" for score in scores]
        rows.append([f"{each.id}{' (selected)' * each.selected}", *numbers, coefficients])
    return _table(["candidate", *headings, "coefficients"], rows)


def _sections(found: "Comparison") -> Iterator[tuple[str, list[list[str]]]]:
    if found.config:
        yield "config", [[key, *(_value(value) for value in values)] for key, values in found.config.items()]
    if found.coefficients:
        both = found.coefficients.items()
        yield (
            "coefficients",
            [[name, *(UNKNOWN if x is None else f"{x:z.2f}" for x in values)] for name, values in both],
        )
    tested = [[name, *(_score(s) if s else UNKNOWN for s in scores)] for name, scores in found.test.items()]
    yield "test score", [["selected", *found.best], *tested]


def _differences(found: "Comparison") -> Iterator[str]:
    for name in found.test:
        if name in found.differences:
            d = found.differences[name]
            yield (
                f"{name}: the second minus the first, on the same test examples: {d.difference:+.3f} (95 % interval "
                f"{d.low:+.3f} to {d.high:+.3f})"
            )
        else:
            yield f"{name}: the test examples are not the same, so the difference has no paired interval"


def _score(score: "Score") -> str:
    return f"{score.mean:.3f} ({score.low:.3f} to {score.high:.3f})"


def _value(value: object) -> str:
    return UNKNOWN if value is None else str(value)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Names of others cannot act on the terminal; what is too wide is folded."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(one_line(heading), overflow="fold", vertical="top")
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    return table

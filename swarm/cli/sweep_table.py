"""A sweep that is continued or shown on the terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from swarm.cli.screen import console, print_json, print_lines, run_display
from swarm.core.terminal_text import one_line
from swarm.report.sweep_page import headline, sweep_content
from swarm.report.words import unit_of
from swarm.run.sweep import check_swept, resume_sweep
from swarm.statistics.sweeps import Curve, Sweep

FILES = ("sweep.html", "sweep.csv", "sweep.json")


def resumed_sweep(folder: Path, overrides: Sequence[str] = ()) -> None:
    """Continue a sweep, and show it."""
    with run_display(folder) as progress:
        found = resume_sweep(folder, progress, overrides)
    show_sweep(found, folder)


def rebuilt_sweep(folder: Path, as_json: bool) -> None:
    """Write the files of a finished sweep again. Raises RunError where it is not finished."""
    check_swept(folder)
    with run_display(folder, quiet=True) as progress:
        found = resume_sweep(folder, progress)
    if as_json:
        print_json(sweep_content(found))
    else:
        print_lines([str(folder / name) for name in FILES])


def show_sweep(found: Sweep, folder: Path, as_json: bool = False) -> None:
    """The result on the terminal, or as JSON."""
    if as_json:
        print_json(sweep_content(found))
        return
    console.print(_table(found))
    print_lines([headline(found)])
    print_lines([str(folder / name) for name in FILES])


def _table(found: Sweep) -> Table:
    unit = unit_of(score for row in found.rows for scores in row.examples.values() for score in scores)
    table = Table(box=None, pad_edge=False)
    for name in ("expert", "objective"):
        table.add_column(name)
    for name in ("lowest", "at 0", "at 1", "highest", "rank correlation"):
        table.add_column(name, justify="right")
    for curve in found.curves:
        scores = {point.coefficient: unit.bare(point.score.mean) for point in curve.points}
        ends = [f"{unit.bare(p.score.mean)} ({p.coefficient:g})" for p in (curve.points[0], curve.points[-1])]
        cells = [ends[0], scores.get(0.0, "–"), scores.get(1.0, "–"), ends[1], _rank(curve)]
        table.add_row(*(Text(one_line(cell)) for cell in (curve.expert, curve.objective, *cells)))
    return table


def _rank(curve: Curve) -> str:
    return "–" if curve.monotonicity is None else f"{curve.monotonicity:+.2f}"

"""What commands print: lines, JSON, a run's display and its result. Texts of others cannot act on the terminal."""

import json
import os
import shlex
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console

from swarm.cli.wrapping import wrapped
from swarm.core.secrets import redacted
from swarm.core.terminal_text import escaped, one_line

if TYPE_CHECKING:
    from swarm.cli.progress import Progress
    from swarm.journal.summary import Summary

RESULT = ("best", "baselines", "paired", "verdict", "predicted", "optimism", "emergence", "continued")
STARTING = "starting: loading libraries"
PROGRAM = "swarm: "  # what an error begins with
PIPE_WIDTH = 120
# Names may look like rich's markup ("[red]") or its emoji (":heart:"): neither is ever interpreted.
console = Console(
    markup=False, emoji=False, highlight=False, width=None if sys.stdout and sys.stdout.isatty() else PIPE_WIDTH
)


CONFIG = "config.yaml"  # what makes a folder a run directory; swarm.run.directory would take a second to import


@dataclass
class Current:
    """The command that this process carries out.

    run: its run directory, once that is known; the run may be yet to begin.
    starts_run: whether it begins a run.
    again: the command that goes on where this one is stopped, where that is not the resume of a run.
    """

    run: Path | None = None
    starts_run: bool = False
    again: str = ""

    @property
    def kept(self) -> Path | None:
        """The run directory, once it can be resumed."""
        return self.run if self.run is not None and os.path.isfile(self.run / CONFIG) else None


current = Current()


def announce(run: Path | None = None, starts_run: bool = False) -> None:
    """Tell a terminal at once that something happens: the imports of a command take seconds."""
    current.run, current.starts_run, current.again = run, starts_run, ""
    if sys.stderr.isatty():
        print(STARTING, file=sys.stderr, flush=True)


def print_lines(lines: list[str], indent: int = 2) -> None:
    """indent: of what does not fit on a line of a terminal. What is piped stays one line each."""
    for line in map(one_line, lines):
        for part in wrapped(line, console.width, indent) if console.is_terminal else [line]:
            console.print(part, soft_wrap=True)


def print_error(line: str) -> None:
    """A line on stderr, broken between words where that is a terminal."""
    line = f"{PROGRAM}{one_line(line)}"
    terminal = sys.stderr.isatty()
    for part in wrapped(line, Console(file=sys.stderr).width, len(PROGRAM)) if terminal else [line]:
        print(part, file=sys.stderr)


def print_json(content: Mapping[str, object]) -> None:
    """Characters that could act on a terminal are written as JSON's escapes, which mean the same."""
    text = json.dumps(content, indent=2, ensure_ascii=False)
    print("\n".join(_escaped(line) for line in text.split("\n")))


def print_json_lines(rows: Iterable[Mapping[str, object]]) -> None:
    """One object a line, as they come; escaped as `print_json` does it."""
    for row in rows:
        print(_escaped(json.dumps(row, ensure_ascii=False)), flush=True)


def error_console() -> Console:
    """For what follows a command whose result on stdout others read."""
    return Console(file=sys.stderr, markup=False, emoji=False, highlight=False)


@contextmanager
def run_display(folder: Path, quiet: bool = False, is_new: bool = False) -> Iterator["Progress"]:
    """The display of a run.

    quiet: on stderr. is_new: the user does not know the folder's name, which the live display shows.
    """
    from swarm.cli.progress import Progress

    current.run = folder
    out = error_console() if quiet else console
    if is_new and not out.is_terminal:
        print_lines([f"run directory {folder}"])
    with Progress(out, folder) as progress:
        yield progress


def interruption() -> str:
    """What a command that the user interrupted leaves behind."""
    if current.again:
        return f"interrupted; continue with: {one_line(current.again)}"
    if current.kept:
        return f"interrupted; resume with: {resume_command(current.kept)}"
    return "interrupted before the run began; no run was created" if current.starts_run else "interrupted"


def resume_command(folder: Path) -> str:
    """As a shell takes it."""
    return f"swarm resume {one_line(shlex.quote(str(folder)))}"


def unwritten(reason: str) -> str:
    """That stdout cannot be written, and what is lost by that: never a run."""
    again = f"; the run itself is kept: {resume_command(current.kept)}" if current.kept else ""
    return f"stdout cannot be written ({reason}); free disk space, or send the output elsewhere{again}"


def print_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The traceback of a bug. The exception may be a user's, with any text."""
    lines = "".join(traceback.format_exception(kind, error, trace)).splitlines()
    print("\n".join(map(one_line, lines)), file=sys.stderr)


def print_summary(summary: "Summary", folder: Path, as_json: bool = False, resumed: bool = False) -> None:
    """resumed: an earlier session had begun the run.

    Raises ExportError, once all is shown, where best/ is not the model that was searched."""
    from swarm.cli.table import closing_lines, summary_table
    from swarm.run.verify_export import check_verified

    if as_json:
        print_json(summary.content(RESULT))
    else:
        console.print(summary_table(summary))
        print_lines(closing_lines(summary, folder, resumed))
    check_verified(summary)


def _escaped(line: str) -> str:
    """A line of JSON, whose strings alone may hold such characters."""
    line = redacted(line)
    if escaped(line, kept="") == line:
        return line
    return "".join(char if escaped(char, kept="") == char else json.dumps(char)[1:-1] for char in line)

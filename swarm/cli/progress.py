"""The progress of a run: a live display on a terminal, plain lines in a pipe."""

import time

from rich.console import Console
from rich.live import Live
from rich.table import Table

from swarm.core.candidates import Evaluation
from swarm.core.terminal_text import one_line
from swarm.search.status import Status

SECONDS_BETWEEN_LINES = 5.0
FACTS_PER_ROW = 5  # two rows, which fit a terminal of 80 columns


class Progress:
    """The listener of a run. A context manager, so that the terminal is restored at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phase = ""
        self._status: Status | None = None
        self._updated = self._last_line = -SECONDS_BETWEEN_LINES
        self._live = (
            Live(console=console, refresh_per_second=4, transient=True, get_renderable=self._frame)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> "Progress":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()
        if self._live:
            self._live.stop()

    def phase(self, text: str) -> None:
        if text == self._phase:
            return
        self._phase = text
        self._leave()
        self._console.print(f"[bold]{text}[/bold]" if self._live else text)

    def note(self, text: str) -> None:
        self._console.print(f"note: {one_line(text)}", markup=False, soft_wrap=True)

    def evaluated(self, evaluation: Evaluation, status: Status) -> None:
        if evaluation.status == "failed":
            self.note(f"candidate {evaluation.candidate.id} failed: {evaluation.error}")
        self._status, self._updated = status, time.monotonic()
        if self._live is None and self._updated - self._last_line >= SECONDS_BETWEEN_LINES:
            self._print_line(status)

    def _leave(self) -> None:
        """Leave the last status of a search on the screen."""
        status, self._status = self._status, None
        if status is not None and self._live:
            self._console.print(_table(status, 0.0))
        elif status is not None and self._updated != self._last_line:
            self._print_line(status)

    def _print_line(self, status: Status) -> None:
        self._last_line = self._updated
        self._console.print(_line(status), markup=False, soft_wrap=True)

    def _frame(self) -> Table:
        """What the live display shows now. The time left counts down between two evaluations."""
        status = self._status
        return Table.grid() if status is None else _table(status, time.monotonic() - self._updated)


def _table(status: Status, age: float) -> Table:
    facts = list(_facts(status, age).items())
    table = Table.grid(padding=(0, 2))
    for i in range(0, len(facts), FACTS_PER_ROW):
        row = facts[i : i + FACTS_PER_ROW]
        table.add_row(*(f"[dim]{key}[/dim]" for key, _ in row))
        table.add_row(*(value for _, value in row))
    return table


def _line(status: Status) -> str:
    return "  ".join(f"{key} {value}" for key, value in _facts(status).items())


def _facts(status: Status, age: float = 0.0) -> dict[str, str]:
    """What is shown, in order. age: seconds since this was the status."""
    left = status.seconds_left
    return {
        "best": "-" if status.best is None else f"{status.best:.3f} ({status.best_id})",
        "mean": _number(status.mean, ".3f"),
        "iteration": str(status.iteration),
        "evaluations": f"{status.evaluations} of {status.most}",
        "time left (at most)": "-" if left is None else _clock(max(0.0, left - age)),
        "evaluations / min": _rate(status.evaluations_per_minute),
        "tokens / s": _rate(status.tokens_per_second),
        "workers": str(status.workers),
        "utilisation": _number(status.busy, ".0%"),
        "failures": str(status.failures),
    }


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _rate(value: float | None) -> str:
    """Low ones with one more digit: an evaluation may take minutes."""
    return _number(value, ".1f" if value is not None and value < 10 else ".0f")


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"

"""How a run is shown while it goes on: a live display on a terminal, plain lines in a pipe."""

import time

from rich.console import Console
from rich.live import Live
from rich.table import Table

from swarm.core.candidates import Evaluation
from swarm.search.status import Status

SECONDS_BETWEEN_LINES = 5.0
FACTS_A_ROW = 5  # two rows: they fit a terminal of 80 columns


class Progress:
    """A run's listener. Use it as a context manager, so that the terminal is left in order."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phase = ""
        self._standing: Status | None = None
        self._told = self._last_line = -SECONDS_BETWEEN_LINES
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
        self._console.print(f"note: {text}", markup=False, soft_wrap=True)

    def evaluated(self, evaluation: Evaluation, standing: Status) -> None:
        if evaluation.status == "failed":
            self.note(f"candidate {evaluation.candidate.id} failed: {evaluation.error}")
        self._standing, self._told = standing, time.monotonic()
        if self._live is None and self._told - self._last_line >= SECONDS_BETWEEN_LINES:
            self._print_line(standing)

    def _leave(self) -> None:
        """What a search came to stays on the screen."""
        standing, self._standing = self._standing, None
        if standing is not None and self._live:
            self._console.print(_table(standing, 0.0))
        elif standing is not None and self._told != self._last_line:
            self._print_line(standing)

    def _print_line(self, standing: Status) -> None:
        self._last_line = self._told
        self._console.print(_line(standing), markup=False, soft_wrap=True)

    def _frame(self) -> Table:
        """What the live display shows now; the time left runs on between two evaluations."""
        standing = self._standing
        return Table.grid() if standing is None else _table(standing, time.monotonic() - self._told)


def _table(standing: Status, age: float) -> Table:
    facts = list(_facts(standing, age).items())
    table = Table.grid(padding=(0, 2))
    for i in range(0, len(facts), FACTS_A_ROW):
        row = facts[i : i + FACTS_A_ROW]
        table.add_row(*(f"[dim]{key}[/dim]" for key, _ in row))
        table.add_row(*(value for _, value in row))
    return table


def _line(standing: Status) -> str:
    return "  ".join(f"{key} {value}" for key, value in _facts(standing).items())


def _facts(standing: Status, age: float = 0.0) -> dict[str, str]:
    """What is shown, in its order. age: seconds since the search stood so."""
    left = standing.seconds_left
    return {
        "best": "-" if standing.best is None else f"{standing.best:.3f} ({standing.best_id})",
        "mean": _number(standing.mean, ".3f"),
        "iteration": str(standing.iteration),
        "evaluations": f"{standing.evaluations} of at most {standing.most}",
        "at most left": "-" if left is None else _clock(max(0.0, left - age)),
        "a minute": _pace(standing.evaluations_per_minute),
        "tokens/s": _pace(standing.tokens_per_second),
        "workers": str(standing.workers),
        "busy": _number(standing.busy, ".0%"),
        "failures": str(standing.failures),
    }


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _pace(value: float | None) -> str:
    """Slow ones with a digit more: an evaluation may take minutes."""
    return _number(value, ".1f" if value is not None and value < 10 else ".0f")


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"

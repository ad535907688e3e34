"""How a run is shown while it goes on: a live display on a terminal, plain lines in a pipe."""

import time

from rich.console import Console
from rich.live import Live
from rich.table import Table

from swarm.archive import Archive
from swarm.config import Config
from swarm.types import Evaluation
from swarm.utility import utility

SECONDS_BETWEEN_LINES = 5.0
SECONDS_BETWEEN_FRAMES = 0.25


class Progress:
    """A run's listener. Use it as a context manager, so that the terminal is left in order."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._phase = ""
        self._last_shown = 0.0
        self._began: tuple[float, int] | None = None
        self._config: Config | None = None

    def about(self, config: Config) -> None:
        """The config that runs: it says how long a search is and how objectives are weighed."""
        self._config = config

    def __enter__(self) -> "Progress":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def phase(self, text: str) -> None:
        if text == self._phase:
            return
        self._phase = text
        if self._live:
            self._live.update(Table.grid())
        self._console.print(f"[bold]{text}[/bold]" if self._live else text)

    def note(self, text: str) -> None:
        self._console.print(f"note: {text}", markup=False)

    def evaluated(self, evaluation: Evaluation, archive: Archive) -> None:
        now = time.monotonic()
        self._began = self._began or (now, archive.evaluations - 1)
        if evaluation.status == "failed":
            self.note(f"candidate {evaluation.candidate.id} failed: {evaluation.error}")
        pause = SECONDS_BETWEEN_FRAMES if self._live else SECONDS_BETWEEN_LINES
        if now - self._last_shown < pause:
            return
        self._last_shown = now
        if self._live:
            self._live.update(self._table(archive, now))
        else:
            self._console.print("  ".join(f"{k} {v}" for k, v in self._facts(archive, now).items()), markup=False)

    def _table(self, archive: Archive, now: float) -> Table:
        table = Table.grid(padding=(0, 3))
        facts = self._facts(archive, now)
        for key in facts:
            table.add_column(key)
        table.add_row(*(f"[dim]{key}[/dim]" for key in facts))
        table.add_row(*facts.values())
        return table

    def _facts(self, archive: Archive, now: float) -> dict[str, str]:
        """Best so far, population mean, evaluations, pace and time left."""
        assert self._config is not None
        assert self._began is not None
        weights = {objective.name: objective.weight for objective in self._config.objectives}
        scored = [e for e in archive.searched() if e.status != "failed"]
        best = max((e for e in scored if e.status == "ok"), key=lambda e: utility(e.scores, weights), default=None)
        latest = max((e.candidate.iteration or 0 for e in scored), default=0)
        population = [utility(e.scores, weights) for e in scored if e.candidate.iteration == latest]
        began, before = self._began
        pace = (archive.evaluations - before) / max(now - began, 1e-9)
        most = self._most()
        left = (most - archive.evaluations) / pace if pace else 0.0
        return {
            "best": "-" if best is None else f"{utility(best.scores, weights):.3f} ({best.candidate.id})",
            "mean": f"{sum(population) / len(population):.3f}" if population else "-",
            "iteration": str(latest),
            "evaluations": f"{archive.evaluations} of at most {most}",
            "a minute": f"{60 * pace:.0f}" if archive.evaluations - before > 1 else "-",
            "at most left": _clock(left) if archive.evaluations - before > 1 else "-",
        }

    def _most(self) -> int:
        assert self._config is not None
        optimizer = self._config.optimizer
        most = optimizer.iterations * int(getattr(optimizer, "particles", 1))
        return most if optimizer.evaluations is None else min(most, optimizer.evaluations)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"

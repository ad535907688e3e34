"""The progress of a run: a live display on a terminal, plain lines in a pipe."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from swarm.cli.phase_progress import PhaseProgress, span
from swarm.cli.shorten import shorten
from swarm.cli.wrapping import packed, wrapped
from swarm.core.candidates import Evaluation
from swarm.core.examples import Split
from swarm.core.interrupts import interrupted
from swarm.core.terminal_text import one_line
from swarm.run.listener import ScoresSoFar
from swarm.search.status import Status

LEAST_SECONDS, MOST_SECONDS = 5.0, 60.0  # between two plain lines
SHARE = 0.05  # of the time so far, which a plain line waits: a long run does not fill its log
KEY = 16  # columns of the names in the live display
ECHO = 2  # columns that a terminal's own ^C takes: without room for it, the line and all below it would move down
NOTE, COMMA = "note: ", ","


class Progress:
    """The listener of a run. A context manager, so that the terminal is restored at the end.

    A phase that has ended leaves one line on the screen, and nothing else of it stays.
    """

    def __init__(
        self,
        console: Console,
        folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        stopping: Callable[[], bool] = interrupted,
    ) -> None:
        """folder: the run directory, for the live display. stopping: whether the user has interrupted the run."""
        self._console = console
        self._folder = folder
        self._clock = clock
        self._stopping = stopping
        self._began = self._last_line = clock()
        self._pace: PhaseProgress | None = None
        self._status: Status | None = None
        self._standing: tuple[str, ScoresSoFar] = ("", {})
        is_live = console.is_terminal and not console.is_dumb_terminal
        self._live = (
            Live(console=console, refresh_per_second=4, transient=True, get_renderable=self._frame) if is_live else None
        )

    def __enter__(self) -> "Progress":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._leave(whole=kind is None)
        if self._live:
            self._live.stop()

    def phase(self, text: str) -> None:
        if self._pace and self._pace.text == text:
            return
        self._leave()
        self._pace = PhaseProgress(text, self._clock())
        if not self._live:
            self._print(text)

    def note(self, text: str) -> None:
        self._print(NOTE + text, len(NOTE))

    def steps(self, done: int, of: int) -> None:
        if self._pace:
            self._pace.step(self._clock(), done, of)
            self._print_at_intervals()

    def scores_so_far(self, split: Split, scores: ScoresSoFar) -> None:
        self._standing = (split, scores)

    def evaluated(self, evaluation: Evaluation, status: Status) -> None:
        if evaluation.status == "failed":
            self.note(f"candidate {evaluation.candidate.id} failed: {evaluation.error}")
        self._status = status
        if self._pace:
            self._pace.unit, self._pace.most = "evaluations", status.seconds_left
            self._pace.step(self._clock(), status.evaluations, status.most)
            self._print_at_intervals()

    def _leave(self, whole: bool = True) -> None:
        """Leave one line of the phase that ends: of a search, with the best of it. whole: it was not interrupted."""
        pace, self._pace = self._pace, None
        if pace is None:
            return
        line = pace.ended(self._clock(), whole)
        if pace.unit and self._status:
            line += f"; best on search {_best(self._status)}"
        if self._live:
            self._live.refresh()
        if self._live or line != pace.text:
            self._print(line)

    def _print_at_intervals(self) -> None:
        """In a pipe: one line, if the last one is long enough ago and there is more to come."""
        now, pace = self._clock(), self._pace
        if self._live or pace is None or pace.done >= pace.of:
            return
        if now - self._last_line >= min(MOST_SECONDS, max(LEAST_SECONDS, SHARE * (now - self._began))):
            self._print("; ".join([pace.now(now), *(f"{key} {', '.join(facts)}" for key, facts in self._facts())]))

    def _print(self, line: str, indent: int = 2) -> None:
        """indent: of the lines that a terminal gets where it is too narrow for one."""
        self._last_line = self._clock()
        for part in wrapped(one_line(line), self._console.width, indent) if self._live else [one_line(line)]:
            self._console.print(part, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def _frame(self) -> Group:
        """What the live display shows now; no line is longer than the terminal is wide."""
        now, width = self._clock(), max(1, self._console.width - ECHO)
        if self._pace is None:
            return Group()
        head = self._pace.stopping() if self._stopping() else self._pace.now(now)
        lines = [Text(shorten(one_line(head), width), style="bold")]
        for key, facts in self._rows(now, width - KEY):
            for i, line in enumerate(packed(facts, width - KEY)):
                lines.append(Text.assemble((f"{'' if i else key:<{KEY}}", "dim"), line))
        return Group(*lines)

    def _rows(self, now: float, columns: int) -> Iterator[tuple[str, Sequence[str]]]:
        if self._folder is not None:
            yield "run directory", [one_line(str(self._folder))]
        yield "time", [f"{span(now - self._began)} so far"]
        yield from self._facts(columns)

    def _facts(self, columns: int | None = None) -> Iterator[tuple[str, Sequence[str]]]:
        """What is known of the search, and of the baselines on the split that is scored.

        columns: a name is cut where it and its score would take more.
        """
        if status := self._status:
            yield "best on search", [one_line(_best(status))]
            if self._pace and self._pace.unit:
                yield from _search_facts(status)
        split, scores = self._standing
        if scores:
            yield f"on {split}", [_scored(one_line(name), score, columns) for name, score in scores.items()]


def _scored(name: str, score: float, columns: int | None) -> str:
    number = f" {score:.3f}"
    return (name if columns is None else shorten(name, columns - len(number) - len(COMMA))) + number


def _search_facts(status: Status) -> Iterator[tuple[str, Sequence[str]]]:
    yield "mean", [f"{_number(status.mean, '.3f')} of the particles, in iteration {status.iteration}"]
    per_minute, per_second = _rate(status.evaluations_per_minute), _rate(status.tokens_per_second)
    yield "speed", [f"{per_minute} evaluations / min", f"{per_second} tokens / s"]
    busy = [] if status.busy is None else [f"scoring {status.busy:.0%} of the time"]
    yield "workers", [str(status.workers), *busy]
    yield "failures", [str(status.failures)]


def _best(status: Status) -> str:
    return "-" if status.best is None else f"{status.best:.3f} ({status.best_id})"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _rate(value: float | None) -> str:
    """Low ones with one more digit: an evaluation may take minutes."""
    return _number(value, ".1f" if value is not None and value < 10 else ".0f")

"""`swarm watch`: a run that another process carries out, on a terminal as it goes on, elsewhere as plain lines."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from swarm.cli.coefficients import of_experts, of_router
from swarm.cli.phase_progress import span
from swarm.cli.screen import console, print_lines
from swarm.cli.shorten import shorten
from swarm.cli.wrapping import packed
from swarm.core.errors import RunError
from swarm.core.terminal_text import one_line
from swarm.run.watching import FINISHED, Watch, Watched

KEY = 16  # columns of the names
BARS = "▁▂▃▄▅▆▇█"
PLAIN = "_.-:=+*#"
SEVERAL = 5  # scores of a split that are shown
MOST_COLUMNS = 60  # of the curve


def watch_run(folder: Path, seconds: float, once: bool) -> None:
    """Show the run until it is finished or has stopped. once: as it is now, and no more. Raises RunError."""
    if not seconds > 0:
        raise RunError(f"--every: {seconds}; give a number of seconds above 0")
    watch = Watch(folder)
    found = watch.now()
    if once or not _goes_on(found):
        print_lines(plain_lines(found))
        return
    if not _is_live():
        while _goes_on(found):
            print_lines(["; ".join(plain_lines(found))])
            found = _next(watch, found, seconds)
    else:
        with Live(console=console, transient=True, auto_refresh=False) as live:
            while _goes_on(found):
                live.update(frame(found, folder, console), refresh=True)
                found = _next(watch, found, seconds)
    print_lines(plain_lines(found))


def plain_lines(found: Watched) -> list[str]:
    """The run in a few lines of text."""
    return [f"{key} {', '.join(facts)}" for key, facts in _facts(found)]


def frame(found: Watched, folder: Path, on: Console) -> Group:
    """What the display shows; no line is longer than the terminal is wide."""
    width = max(1, on.width - 1)
    rows = [("run directory", [one_line(str(folder))]), *_facts(found)]
    lines = []
    for key, facts in rows:
        for i, line in enumerate(packed([one_line(fact) for fact in facts], width - KEY)):
            lines.append(Text.assemble((f"{'' if i else key:<{KEY}}", "dim"), line))
    if len(found.curve) > 1:
        line = curve(found.curve, min(MOST_COLUMNS, width - KEY), PLAIN if on.encoding.lower() == "ascii" else BARS)
        lines.append(Text.assemble((f"{'best so far':<{KEY}}", "dim"), line))
    lines.append(Text(shorten("Ctrl-C ends the watching, not the run", width), style="dim"))
    return Group(*lines)


def curve(values: Sequence[float], columns: int, bars: str) -> str:
    """The values from left to right as bars of a height from the lowest to the highest; each column's last value."""
    count = max(1, min(columns, len(values)))
    shown = [values[(i + 1) * len(values) // count - 1] for i in range(count)]
    low, high = min(values), max(values)
    steps = len(bars) - 1
    return "".join(bars[round(steps * (value - low) / (high - low)) if high > low else steps] for value in shown)


def _is_live() -> bool:
    return console.is_terminal and not console.is_dumb_terminal


def _goes_on(found: Watched) -> bool:
    return found.state != FINISHED and not found.state.startswith("stopped")


def _next(watch: Watch, before: Watched, seconds: float) -> Watched:
    """The run once it has changed; a display is drawn again in any case, as the time goes on."""
    while True:
        time.sleep(seconds)
        found = watch.now()
        if replace(found, elapsed=0.0) != replace(before, elapsed=0.0) or _is_live():
            return found


def _facts(found: Watched) -> Iterator[tuple[str, Sequence[str]]]:
    made = f"{found.evaluations:,}" + (f" of {found.most:,}" if found.most else "")
    yield "state", [found.state, f"{made} evaluations by {found.optimizer}"]
    left = found.seconds_left
    yield "time", [f"{span(found.elapsed)} of work", *([] if left is None else [f"about {span(left)} of search left"])]
    if found.per_minute:
        yield "speed", [f"{found.per_minute:.1f} evaluations / min"]
    if found.best is not None:
        yield "best on search", [f"{found.best:.3f} ({found.best_id})"]
        yield "coefficients", of_experts(found.coefficients)
        if use := of_router(found.coefficients):
            yield "router", use
    if found.failures:
        yield "failures", [str(found.failures)]
    if found.scores:
        best = sorted(found.scores.items(), key=lambda item: -item[1])
        more = [f"and {len(best) - SEVERAL} more"] if len(best) > SEVERAL else []
        yield f"on {found.state}", [*(f"{name} {score:.3f}" for name, score in best[:SEVERAL]), *more]

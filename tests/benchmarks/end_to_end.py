"""A whole search against the bare forward passes over the same tokens, one worker.

Ours: the search phase of a run, from the first candidate to the last: ask, compose, tokenise what is not yet
tokenised, score, journal with fsync, tell. Loading and opening come before it and are reported apart.
Bare: the same inputs, recorded in a first run, are given to the base as transformers loads it, with nothing in between
(`replay.py`). Passes that hold several particles are replayed as plain ones: the cost of their per-row LoRA layers
counts as ours. The batches are those of the search, split at racing's rungs; the time without rungs is reported apart.
Both sides alternate in one process. Workers and their examples are opened anew for every search.
This does not measure Ray or several workers. The search is short: costs paid once per worker weigh less in a long one.
The shares of `summary.seconds` are of the whole run so far, including the opening of the worker (idle).
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from common import ROOT, Metric, by_turns, main, options, say, spread, zoo_path
from replay import ModelCall, PlainModel, recorded

from swarm.config.load import load_config
from swarm.config.references import resolve
from swarm.core.candidates import Evaluation
from swarm.engines.transformers.engine import DTYPES
from swarm.journal.archive import Archive
from swarm.run import summarise as summary
from swarm.run.pipeline import Run
from swarm.run.plan import Plan, make_plan
from swarm.run.workers import open_pool
from swarm.search.status import Status

LOCAL = ["cluster={type: local}", "optimizer.patience=null"]
UNRACED = ["racing={rungs: []}"]


@dataclass(frozen=True)
class Case:
    """A shipped config, shortened.

    zoo: the zoo that it needs.
    config: its file in configs/.
    overrides: what shortens it.
    target: for the time of its search over that of the bare forward passes.
    """

    zoo: str
    config: str
    overrides: Sequence[str]
    target: str


CASES = (
    Case("tiny", "quickstart.yaml", ["optimizer.particles=20", "optimizer.iterations=4"], "<= 1.25"),
    Case("smollm2", "smollm2.yaml", ["optimizer.particles=4", "optimizer.evaluations=4"], "<= 1.10"),
)


class SearchIsOver(Exception):  # noqa: N818
    """Raised by the listener, so that a run ends after its search."""


@dataclass
class Stopwatch:
    """A listener that measures the search phase and ends the run after it."""

    on_start: Callable[[], None] = lambda: None
    began: float = 0.0
    seconds: float = 0.0

    def phase(self, text: str) -> None:
        if text == "searching":
            self.on_start()
            self.began = time.perf_counter()
        elif text == "selecting":
            self.seconds = time.perf_counter() - self.began
            raise SearchIsOver

    def note(self, text: str) -> None:
        say(text)

    def evaluated(self, evaluation: Evaluation, status: Status) -> None:
        assert evaluation.status != "failed", evaluation.error


@dataclass
class Searches:
    """Searches of one plan.

    seconds, startup: of each search, the seconds of its search phase and those before it.
    parts: the seconds of the last search by what they were spent on, and their total.
    evaluations, tokens: of the last search.
    """

    plan: Plan
    seconds: list[float] = field(default_factory=list)
    startup: list[float] = field(default_factory=list)
    parts: dict[str, float] = field(default_factory=dict)
    evaluations: int = 0
    tokens: int = 0

    def search(self, on_start: Callable[[], None] = lambda: None) -> None:
        """Run one search in a directory of its own."""
        watch = Stopwatch(on_start)
        with tempfile.TemporaryDirectory() as folder:
            archive = Archive(Path(folder) / "journal.jsonl")
            start = time.perf_counter()
            with suppress(SearchIsOver):
                Run(self.plan, Path(folder), archive, watch, open_pool).carry_on()
            self.startup.append(watch.began - start)
            self.seconds.append(watch.seconds)
            self.parts = summary.seconds(archive).model_dump()
            self.evaluations, self.tokens = archive.evaluations, sum(e.tokens for e in archive.searched())


def measure(case: Case, arguments: argparse.Namespace) -> Iterator[Metric]:
    """The metrics of one zoo."""
    searches, calls, planning = prepared(case, arguments, [])
    _, unraced, _ = prepared(case, arguments, UNRACED)
    say(f"{case.zoo}: {searches.evaluations} evaluations, {searches.tokens} tokens, {len(calls)} model calls")
    config = searches.plan.config
    plain = PlainModel(Path(config.base), DTYPES[config.engine.dtype])
    plain.seconds(calls)
    searches.seconds.clear()
    bare: list[float] = []
    whole: list[float] = []
    sides = {
        "ours": searches.search,
        "bare": lambda: bare.append(plain.seconds(calls)),
        "whole": lambda: whole.append(plain.seconds(unraced)),
    }
    by_turns(sides, arguments.repetitions, warmups=0)
    ratios = [ours / theirs for ours, theirs in zip(searches.seconds, bare, strict=True)]

    def metric(name: str, value: float, unit: str, target: str | None = None) -> Metric:
        return Metric("end_to_end", f"{case.zoo}: {name}", value, unit, target)

    yield metric("evaluations", searches.evaluations, "candidates")
    yield metric("search phase", statistics.median(searches.seconds), "s")
    yield metric("bare forward passes", statistics.median(bare), "s")
    yield metric("search / bare", statistics.median(ratios), "x", case.target)
    yield from spread("end_to_end", f"{case.zoo}: search / bare", ratios)
    yield metric("bare forward passes without racing's rungs", statistics.median(whole), "s")
    yield metric("start-up: config to plan", planning, "s")
    yield metric("start-up: worker and examples", statistics.median(searches.startup), "s")
    yield from seconds_metrics(case.zoo, searches.parts)


def prepared(case: Case, arguments: argparse.Namespace, more: Sequence[str]) -> tuple[Searches, list[ModelCall], float]:
    """A plan whose search has run once, the model calls recorded in it, and the seconds that planning took."""
    zoo_path(case.zoo)
    overrides = [*LOCAL, *case.overrides, *more]
    if arguments.examples:
        overrides.append(f"splits.search={arguments.examples}")
    if arguments.evaluations:
        overrides.append(f"optimizer.evaluations={arguments.evaluations}")
    start = time.perf_counter()
    path = ROOT / "configs" / case.config
    searches = Searches(make_plan(resolve(load_config(path, overrides), path.parent)))
    planning = time.perf_counter() - start
    with recorded() as calls:
        searches.search(on_start=calls.clear)
    return searches, calls, planning


def seconds_metrics(zoo: str, parts: dict[str, float]) -> Iterator[Metric]:
    """The summary's breakdown of a search's seconds: shares of the total, and whether they add up to it."""
    shares = {name: value / parts["total"] for name, value in parts.items() if name != "total"}
    for name, share in shares.items():
        yield Metric("end_to_end", f"{zoo}: summary.seconds.{name} / total", share, "share")
    off = abs(sum(shares.values()) - 1) + sum(max(0.0, -share) for share in shares.values())
    yield Metric("end_to_end", f"{zoo}: summary.seconds, share that does not add up", off, "share", "<= 0.001")


def run(arguments: argparse.Namespace) -> Iterator[Metric]:
    for case in CASES:
        if arguments.zoo in ("all", case.zoo):
            yield from measure(case, arguments)


def parser() -> argparse.ArgumentParser:
    made = options(__doc__)
    made.add_argument("--zoo", choices=["all", *(case.zoo for case in CASES)], default="all")
    made.add_argument("--examples", type=int, default=0, help="search examples (default: the config's 200)")
    made.add_argument("--evaluations", type=int, default=0, help="candidates, at most (default: 80 and 4)")
    return made


if __name__ == "__main__":
    main(run, parser())

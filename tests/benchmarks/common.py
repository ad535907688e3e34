"""What the benchmarks share: metrics with targets, interleaved timing, the zoos, the command line.

A script ends with `main(run, options(__doc__))`; `run` gets the parsed arguments and returns its metrics. Where the
environment it needs is missing it raises `Skip` with the remedy. Scripts lie beside this file and import `common`.
"""

import argparse
import gc
import json
import operator
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Before torch is imported by whoever imports this.
os.environ |= {"HF_HUB_OFFLINE": "1", "RAY_USAGE_STATS_ENABLED": "0", "TOKENIZERS_PARALLELISM": "false"}

SKIPPED = 77  # exit status of a script that cannot run here
ROOT = Path(__file__).parents[2]
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {"<=": operator.le, ">=": operator.ge}


class Skip(Exception):  # noqa: N818
    """The script cannot run here; the message says what to install."""


@dataclass(frozen=True)
class Metric:
    """One measured number. `target` is a comparison with a number, such as "<= 1.10", or None where none is set."""

    benchmark: str
    metric: str
    value: float
    unit: str
    target: str | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.target is None:
            return None
        sign, bound = self.target.split()
        return COMPARISONS[sign](self.shown, float(bound))

    @property
    def shown(self) -> float:
        """The value to four figures: what is printed and what is compared."""
        return float(f"{self.value:.4g}") if abs(self.value) < 1000 else round(self.value)

    def content(self) -> dict[str, object]:
        """The JSON line's keys and values."""
        return {
            "benchmark": self.benchmark,
            "metric": self.metric,
            "value": self.shown,
            "unit": self.unit,
            "target": self.target,
            "holds": self.holds,
        }


@dataclass(frozen=True)
class Paired:
    """Seconds of two sides, measured by turns: the i-th of both lie next to each other in time."""

    ours: Sequence[float]
    theirs: Sequence[float]

    @property
    def ratios(self) -> list[float]:
        """Theirs over ours, sorted: above 1 we are faster."""
        return sorted(theirs / ours for ours, theirs in zip(self.ours, self.theirs, strict=True))

    @property
    def ratio(self) -> float:
        """The median of the ratios of neighbours."""
        return statistics.median(self.ratios)

    def metrics(self, benchmark: str, what: str, names: tuple[str, str], target: str | None) -> list[Metric]:
        """Both medians, the ratio against its target, and the smallest and largest ratio that was seen."""
        return [
            Metric(benchmark, f"{what}: {names[0]}", statistics.median(self.ours), "s"),
            Metric(benchmark, f"{what}: {names[1]}", statistics.median(self.theirs), "s"),
            Metric(benchmark, f"{what}: {names[1]} / {names[0]}", self.ratio, "x", target),
            *spread(benchmark, f"{what}: {names[1]} / {names[0]}", self.ratios),
        ]


def spread(benchmark: str, metric: str, values: Sequence[float], unit: str = "x") -> list[Metric]:
    """The smallest and the largest of the repetitions of a metric."""
    return [
        Metric(benchmark, f"{metric}, smallest of {len(values)}", min(values), unit),
        Metric(benchmark, f"{metric}, largest of {len(values)}", max(values), unit),
    ]


def by_turns(sides: Mapping[str, Callable[[], object]], repetitions: int, warmups: int = 1) -> dict[str, list[float]]:
    """Wall-clock seconds of every side, `repetitions` each; the order turns round each time, so that drift cancels.

    Each side is first called `warmups` times without a clock. Device work has to be awaited by the side itself.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for side in sides.values():
        for _ in range(warmups):
            side()
    for repetition in range(repetitions):
        for name in list(sides)[:: 1 if repetition % 2 == 0 else -1]:
            seconds[name].append(timed(sides[name]))
    return seconds


def paired(ours: Callable[[], object], theirs: Callable[[], object], repetitions: int, warmups: int = 1) -> Paired:
    """Time two sides by turns."""
    seconds = by_turns({"ours": ours, "theirs": theirs}, repetitions, warmups)
    return Paired(seconds["ours"], seconds["theirs"])


def timed(call: Callable[[], object]) -> float:
    """Wall-clock seconds of one call, with what others left behind collected before."""
    gc.collect()
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def zoo_path(name: str) -> Path:
    """The folder of a zoo in the cache; built first where it is missing (tiny: a minute, smollm2: 20). Or Skip."""
    from swarm import zoo
    from swarm.core.errors import UserError

    def tell(text: str, share: float) -> None:
        print(f"zoo {name}: {text} ({share:.0%})", file=sys.stderr)

    try:
        return zoo.build(name, zoo.cache_directory() / name, tell)
    except UserError as error:
        raise Skip(str(error)) from None


def kept_lines(file: Path) -> list[dict[str, Any]]:
    """The JSON objects that a file keeps, a line each. A last line that was cut is left out."""
    lines = file.read_text().split("\n")[:-1] if file.exists() else []
    return [json.loads(line) for line in lines]


def keep_line(file: Path, content: Mapping[str, Any]) -> None:
    """One more line."""
    with file.open("a") as handle:
        handle.write(json.dumps(content) + "\n")


def say(text: str) -> None:
    """Progress, where the table and the JSON lines are not."""
    print(text, file=sys.stderr, flush=True)


def options(doc: str) -> argparse.ArgumentParser:
    """The arguments that every script takes."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object a metric")
    parser.add_argument("--repetitions", type=int, default=5, help="of every side of a comparison (default 5)")
    parser.add_argument("--threads", type=int, default=0, help="torch threads (default: what torch takes)")
    return parser


def main(run: Callable[[argparse.Namespace], Iterable[Metric]], parser: argparse.ArgumentParser) -> None:
    """Run a script: parse, set threads, measure, print. Ends with status 77 where the environment is missing."""
    arguments = parser.parse_args()
    if arguments.threads:
        import torch

        torch.set_num_threads(arguments.threads)
    try:
        metrics = list(run(arguments))
    except Skip as reason:
        say(f"skipped: {reason}")
        sys.exit(SKIPPED)
    print("\n".join(json.dumps(metric.content()) for metric in metrics) if arguments.json else table(metrics))


def table(metrics: Sequence[Metric]) -> str:
    """The metrics for reading, one a line."""
    rows = [(f"{m.metric}", f"{number(m.value)} {m.unit}", m.target or "", verdict(m.holds)) for m in metrics]
    widths = [max(len(row[column]) for row in rows) for column in range(4)] if rows else []
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([metrics[0].benchmark, *lines] if metrics else ["nothing was measured"])


def number(value: float) -> str:
    """Four figures, and no exponent for the numbers that people read."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def verdict(holds: bool | None) -> str:
    """A word for `holds`."""
    return {True: "holds", False: "FAILS", None: ""}[holds]

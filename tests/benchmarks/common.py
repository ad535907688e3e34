"""Shared by the benchmarks: metrics with targets, interleaved timing, the zoos, the command line.

A script ends with `main(run, options(__doc__))`; `run` gets the parsed arguments and returns its metrics. Where the
environment that it needs is missing it raises `Skip`, which says what to install.
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

# Must be set before torch is imported, so this module is imported first.
os.environ |= {"HF_HUB_OFFLINE": "1", "RAY_USAGE_STATS_ENABLED": "0", "TOKENIZERS_PARALLELISM": "false"}

SKIPPED = 77  # exit status of a script that cannot run here
ROOT = Path(__file__).parents[2]
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {"<=": operator.le, ">=": operator.ge}


class Skip(Exception):  # noqa: N818
    """The script cannot run here; the message says what to install."""


@dataclass(frozen=True)
class Metric:
    """One measured number.

    benchmark: the script's name.
    metric: what was measured.
    value: the number, in `unit`.
    target: a comparison with a number, such as "<= 1.10"; None where there is none.
    """

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
    """Seconds of two sides, measured alternately: the i-th repetitions of both are adjacent in time."""

    ours: Sequence[float]
    theirs: Sequence[float]

    @property
    def ratios(self) -> list[float]:
        """Theirs over ours, sorted; above 1, ours is faster."""
        return sorted(theirs / ours for ours, theirs in zip(self.ours, self.theirs, strict=True))

    @property
    def ratio(self) -> float:
        """The median of the ratios of adjacent repetitions."""
        return statistics.median(self.ratios)

    def metrics(self, benchmark: str, what: str, names: tuple[str, str], target: str | None) -> list[Metric]:
        """Both medians, the ratio with its target, and the smallest and largest ratio."""
        return [
            Metric(benchmark, f"{what}: {names[0]}", statistics.median(self.ours), "s"),
            Metric(benchmark, f"{what}: {names[1]}", statistics.median(self.theirs), "s"),
            Metric(benchmark, f"{what}: {names[1]} / {names[0]}", self.ratio, "x", target),
            *spread(benchmark, f"{what}: {names[1]} / {names[0]}", self.ratios),
        ]


def spread(benchmark: str, metric: str, values: Sequence[float], unit: str = "x") -> list[Metric]:
    """The smallest and the largest value over the repetitions of a metric."""
    return [
        Metric(benchmark, f"{metric}, smallest of {len(values)}", min(values), unit),
        Metric(benchmark, f"{metric}, largest of {len(values)}", max(values), unit),
    ]


def by_turns(sides: Mapping[str, Callable[[], object]], repetitions: int, warmups: int = 1) -> dict[str, list[float]]:
    """Wall-clock seconds of every side, `repetitions` each; the order is reversed each time, so that drift cancels.

    Each side is first called `warmups` times untimed. A side must itself wait for its work on a device.
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
    """Time two sides alternately."""
    seconds = by_turns({"ours": ours, "theirs": theirs}, repetitions, warmups)
    return Paired(seconds["ours"], seconds["theirs"])


def timed(call: Callable[[], object]) -> float:
    """Wall-clock seconds of one call, after a garbage collection."""
    gc.collect()
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def zoo_path(name: str) -> Path:
    """The folder of a zoo in the cache; built if missing (tiny: 1 minute, smollm2: 20). Raises Skip if it cannot be."""
    from swarm import zoo
    from swarm.core.errors import UserError

    def report(text: str, share: float) -> None:
        print(f"zoo {name}: {text} ({share:.0%})", file=sys.stderr)

    try:
        return zoo.build(name, zoo.cache_directory() / name, report)
    except UserError as error:
        raise Skip(str(error)) from None


def kept_lines(file: Path) -> list[dict[str, Any]]:
    """The JSON objects of a file, one per line. An incomplete last line is left out."""
    lines = file.read_text().split("\n")[:-1] if file.exists() else []
    return [json.loads(line) for line in lines]


def keep_line(file: Path, content: Mapping[str, Any]) -> None:
    """Append one line."""
    with file.open("a") as handle:
        handle.write(json.dumps(content) + "\n")


def say(text: str) -> None:
    """Print progress to stderr; metrics go to stdout."""
    print(text, file=sys.stderr, flush=True)


def options(doc: str) -> argparse.ArgumentParser:
    """The arguments that every script takes."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object per metric")
    parser.add_argument(
        "--repetitions", type=int, default=5, help="repetitions of each side of a comparison (default 5)"
    )
    parser.add_argument("--threads", type=int, default=0, help="torch threads (default: torch's own)")
    return parser


def main(run: Callable[[argparse.Namespace], Iterable[Metric]], parser: argparse.ArgumentParser) -> None:
    """Run a script: parse, set threads, measure, print. Exits with status 77 where something is missing."""
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
    """The metrics as text, one per line."""
    rows = [(f"{m.metric}", f"{number(m.value)} {m.unit}", m.target or "", verdict(m.holds)) for m in metrics]
    widths = [max(len(row[column]) for row in rows) for column in range(4)] if rows else []
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([metrics[0].benchmark, *lines] if metrics else ["nothing was measured"])


def number(value: float) -> str:
    """Four significant figures; large numbers without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def verdict(holds: bool | None) -> str:
    """A word for `holds`."""
    return {True: "holds", False: "FAILS", None: ""}[holds]

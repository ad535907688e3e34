"""The times that `swarm check` predicts, and those of the search that follows, by phase.

    python tests/benchmarks/forecast.py configs/quickstart.yaml

The machine should be idle. The start counts from the command to the first evaluation; the search of baselines counts as
selection, as the display shows it. Phases of less than three seconds have no target.
"""

import json
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path

from common import ROOT, Metric, main, options

# The display's line with which a phase begins, and what `swarm check` calls it.
BEGINS = {
    "searching": "search",
    "selecting": "selection",
    "testing": "test",
    "exporting": "export",
    "verifying the export": "verification",
}
SWARM = [sys.executable, "-c", "from swarm.cli.main import main; main()"]
LEAST_SECONDS = 3.0


def run(asked: Namespace) -> Iterator[Metric]:
    overrides = [word for override in asked.set for word in ("--set", override)]
    start = time.perf_counter()
    predicted = checked(asked.config, overrides)
    yield Metric("forecast", "swarm check itself", time.perf_counter() - start, "s")
    with tempfile.TemporaryDirectory() as folder:
        measured = searched(asked.config, Path(folder) / "run", overrides)
    predicted["selection"] += predicted.pop("baselines")
    for phase, seconds in measured.items():
        yield Metric("forecast", f"{phase}: predicted", predicted[phase], "s")
        yield Metric("forecast", f"{phase}: measured", seconds, "s")
        if seconds >= LEAST_SECONDS:
            yield from within_two(phase, predicted[phase] / seconds)
    yield from within_two("in all", sum(predicted.values()) / sum(measured.values()))


def within_two(phase: str, ratio: float) -> Iterator[Metric]:
    yield Metric("forecast", f"{phase}: predicted / measured", ratio, "x", "<= 2" if ratio > 1 else ">= 0.5")


def checked(config: str, overrides: list[str]) -> dict[str, float]:
    """Seconds by phase, as `swarm check` predicts them."""
    done = subprocess.run([*SWARM, "check", config, "--json", *overrides], capture_output=True, text=True, cwd=ROOT)
    found: Mapping[str, dict[str, float]] = json.loads(done.stdout)
    return found["seconds"]


def searched(config: str, folder: Path, overrides: list[str]) -> dict[str, float]:
    """Seconds by phase, by when the search's display names each."""
    began, phase = time.perf_counter(), "start"
    seconds: dict[str, float] = {}
    command = [*SWARM, "search", config, "--run-dir", str(folder), *overrides]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        for line in process.stdout or ():
            if line.strip() in BEGINS:
                now = time.perf_counter()
                seconds[phase], began, phase = now - began, now, BEGINS[line.strip()]
    assert process.returncode == 0, "the search failed"
    return seconds | {phase: time.perf_counter() - began}


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("config", nargs="?", default="configs/quickstart.yaml", help="a config file")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=V", help="override a value of the config")
    main(run, parser)

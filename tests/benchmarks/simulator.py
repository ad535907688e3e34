"""The coordinator on a simulated cluster in virtual time: faults by the thousand, idle workers, its own cost.

A seed fixes every delay, crash, preemption, late answer and kill of the driver. Whatever comes, a search must score
every candidate once, keep its budget and resume to where it would have come undisturbed. `--seed N --trace` shows one.

Idle share: of the time that workers are ready, until the search's end, what they do not score in. Starting up is not
in it, waiting for the last ones at the end is. 32 workers, 64 particles, 4,000 evaluations of 10 to 40 s, 2 % of the
attempts fail, half of them with their worker; then workers of which the slowest takes four times as long.

Own cost: processor time of dispatch, search, optimizer and archive, the simulator's own taken out; PSO with as many
particles as workers, 16 coordinates, 200 examples an evaluation, five generations at the largest size. The journal's
file (JSON, write, fsync to memory) is apart.

Memory: what the process holds more (tracemalloc) for each byte that the journal grows. It grows no faster than the
journal where that is no more in the later half of a run than in the earlier half.
"""

import argparse
import sys
import tracemalloc
from collections.abc import Iterable, Iterator

from common import ROOT, Metric, main, options, say

sys.path.append(str(ROOT / "tests"))  # the simulator that the tests run
from support.simulation.check import check, temporary_folder
from support.simulation.scale import Measured, Schedule, Size, measure

NAME = "simulator"
SCHEDULES: tuple[Schedule, ...] = ("async", "sync")
OWN = ("dispatch", "search", "optimizer", "archive")


def seeds(arguments: argparse.Namespace) -> Iterator[Metric]:
    """How many seeds hold."""
    count = 0
    for seed in range(arguments.seeds):
        report = check(seed)
        count += report.holds
        if not report.holds:
            say(str(report))
        if seed % 100 == 99:
            say(f"{count} of {seed + 1} seeds hold")
    yield Metric(NAME, f"of {arguments.seeds} seeds hold", count, "seeds", f">= {arguments.seeds}")


def idle(arguments: argparse.Namespace) -> Iterator[Metric]:
    """The share of ready workers' time that nobody uses."""
    for even, what in ((True, "evaluations spread 4 to 1"), (False, "workers spread 4 to 1")):
        for schedule in SCHEDULES:
            with temporary_folder() as where:
                size = Size(schedule, 32, 64, arguments.evaluations, even=even)
                found = measure(size, where)
            target = "<= 0.05" if schedule == "async" else None
            yield Metric(NAME, f"idle workers, {what}: {schedule}", found.usage.idle, "share", target)


def cost(arguments: argparse.Namespace) -> Iterator[Metric]:
    """Milliseconds an evaluation, events a second."""
    for workers in arguments.sizes:
        for schedule in SCHEDULES:
            evaluations = max(5 * workers, min(arguments.evaluations, 4000))
            say(f"{workers} workers, {schedule}, {evaluations} evaluations")
            with temporary_folder() as where:
                found = measure(Size(schedule, workers, workers, evaluations), where)
            yield from _costs(f"{workers:,} workers, {schedule}", found, workers == max(arguments.sizes))


def _costs(what: str, found: Measured, largest: bool) -> Iterator[Metric]:
    own = found.milliseconds(*OWN)
    yield Metric(NAME, f"{what}: coordinator an evaluation", own, "ms", "<= 1" if largest else None)
    for part in OWN:
        yield Metric(NAME, f"{what}: of that {part}", found.milliseconds(part), "ms")
    yield Metric(NAME, f"{what}: journal's file an evaluation", found.milliseconds("journal"), "ms")
    yield Metric(NAME, f"{what}: events", found.events / (own / 1000.0 * found.evaluations), "1/s")


def memory(arguments: argparse.Namespace) -> Iterator[Metric]:
    """Bytes that the process grows by with each byte of the journal."""
    marks = {share * arguments.evaluations // 10: (0, 0) for share in (2, 6, 10)}
    with temporary_folder() as where:

        def on_line(lines: int) -> None:
            if lines in marks:
                marks[lines] = tracemalloc.get_traced_memory()[0], (where / "journal.jsonl").stat().st_size

        tracemalloc.start()
        try:
            measure(Size("async", 32, 64, arguments.evaluations, failures=0.0), where, on_line)
        finally:
            tracemalloc.stop()
    (early, early_file), (middle, middle_file), (late, late_file) = marks.values()
    first, second = (middle - early) / (middle_file - early_file), (late - middle) / (late_file - middle_file)
    yield Metric(NAME, "memory a byte of journal", second, "bytes")
    yield Metric(NAME, "memory a byte of journal: later half / earlier half", second / first, "x", "<= 1.05")


PARTS = {"seeds": seeds, "idle": idle, "cost": cost, "memory": memory}


def run(arguments: argparse.Namespace) -> Iterable[Metric]:
    for part in arguments.only or PARTS:
        yield from PARTS[part](arguments)


def show(seed: int, trace: bool) -> int:
    """One seed, for reading."""
    report = check(seed)
    print("\n".join([*(report.trace if trace else ()), str(report)]))
    return not report.holds


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--seed", type=int, default=None, help="look at one seed alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: print what happens")
    parser.add_argument("--seeds", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--evaluations", type=int, default=4000, help="of the longer searches (default 4000)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 512, 4096], help="workers (default 32 512 4096)")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), help="some of the parts")
    given = parser.parse_args()
    if given.seed is not None:
        sys.exit(show(given.seed, given.trace))
    main(run, parser)

"""The coordinator on a simulated cluster in virtual time: thousands of faults, idle workers, its own cost.

A seed determines every delay, crash, preemption, late answer and kill of the driver. Whatever happens, a search must
score every candidate exactly once, keep its budget, and on resume reach the same result as an undisturbed run.
`--seed N --trace` shows one.

Idle share: the share of the time that workers are ready, until the search ends, in which they score nothing. Starting
a worker does not count, waiting for the last evaluations does. 32 workers, 64 particles, 4,000 evaluations of 10 to
40 s; 2 % of the attempts fail, half of them together with their worker. In a second case the slowest worker takes four
times as long as the fastest.

Own cost: processor time of dispatch, search, optimizer and archive, without the simulator's own. PSO with as many
particles as workers, 16 dimensions, 200 examples per evaluation, five generations at the largest size. Writing the
journal's file (JSON, write, fsync to memory) is reported apart.

Memory: growth of the process (tracemalloc) per byte of journal. It is linear in the journal if it is no larger in the
later half of a run than in the earlier half.
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
    """The share of ready workers' time in which they score nothing."""
    for even, what in ((True, "evaluations spread 4 to 1"), (False, "workers spread 4 to 1")):
        for schedule in SCHEDULES:
            with temporary_folder() as where:
                size = Size(schedule, 32, 64, arguments.evaluations, even=even)
                found = measure(size, where)
            target = "<= 0.05" if schedule == "async" else None
            yield Metric(NAME, f"idle workers, {what}: {schedule}", found.usage.idle, "share", target)


def cost(arguments: argparse.Namespace) -> Iterator[Metric]:
    """Milliseconds per evaluation, events per second."""
    for workers in arguments.sizes:
        for schedule in SCHEDULES:
            evaluations = max(5 * workers, min(arguments.evaluations, 4000))
            say(f"{workers} workers, {schedule}, {evaluations} evaluations")
            with temporary_folder() as where:
                found = measure(Size(schedule, workers, workers, evaluations), where)
            yield from _costs(f"{workers:,} workers, {schedule}", found, workers == max(arguments.sizes))


def _costs(what: str, found: Measured, largest: bool) -> Iterator[Metric]:
    own = found.milliseconds(*OWN)
    yield Metric(NAME, f"{what}: coordinator time per evaluation", own, "ms", "<= 1" if largest else None)
    for part in OWN:
        yield Metric(NAME, f"{what}: of which {part}", found.milliseconds(part), "ms")
    yield Metric(NAME, f"{what}: journal file per evaluation", found.milliseconds("journal"), "ms")
    yield Metric(NAME, f"{what}: events", found.events / (own / 1000.0 * found.evaluations), "1/s")


def memory(arguments: argparse.Namespace) -> Iterator[Metric]:
    """Bytes that the process grows by per byte of the journal."""
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
    yield Metric(NAME, "memory per byte of journal", second, "bytes")
    yield Metric(NAME, "memory per byte of journal: later half / earlier half", second / first, "x", "<= 1.05")


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

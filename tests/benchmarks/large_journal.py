"""Large journals: what it takes to open one, to rebuild the report of its run, to list the run, and to show it.

open: what `Run.load(...).archive` and `swarm watch` read. report: `swarm report`. runs: the run in the list of
`swarm runs` and of `swarm ui`. page: the run in `swarm ui`.

A small run is made, and the evaluations of its search are replicated, each under an id and at a position of its own, so
that the run directory is consistent: 200 examples an evaluation, about 1.4 kB a line. Each measurement has a process of
its own. Seconds are of processor time, as the machine is shared. Memory is the peak of that process less what it held
once its modules were imported, per byte of the journal.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from common import ROOT, Metric, main, options, say

TASKS = ("open", "report", "runs", "page")
TARGETS = {10_000: (0.5, 1.0, 0.5, 1.0), 140_000: (5.0, 5.0, 1.0, 5.0)}  # lines -> seconds; 140,000 are 200 MB
SMALL_RUN = """
import sys, yaml
from pathlib import Path
from support.playground import examples, make_playground, run_cli, write_lines
folder = Path(sys.argv[1])
made = make_playground(folder)
write_lines(made.data, examples(500))
splits = {"search": 200, "select": 100, "test": "rest"}
made.config_file.write_text(yaml.safe_dump(made.config(splits=splits)))
done = run_cli("search", made.config_file, "--run-dir", folder / "run")
assert done.code == 0, done.err
"""
MEASURED = """
import json, resource, sys, time
from pathlib import Path
from swarm.journal.archive import Archive
from swarm.run.directory import rebuild_report
from swarm.run.listing import listed_run
from swarm.web.pages import Pages, Shelf
def peak():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
folder, imported, start = Path(sys.argv[2]), peak(), time.process_time()
tasks = {
    "open": lambda: Archive(folder / "journal.jsonl"),
    "report": lambda: rebuild_report(folder),
    "runs": lambda: listed_run(folder),
    "page": lambda: Pages(Shelf([folder])).run(folder.name),
}
kept = tasks[sys.argv[1]]()
print(json.dumps({"seconds": time.process_time() - start, "memory": peak() - imported, "peak": peak()}))
"""


def small_run(folder: Path) -> Path:
    """The directory of a real run whose search split has 200 examples."""
    say("large_journal: making a small run")
    in_a_process(SMALL_RUN, str(folder))
    return folder / "run"


def in_a_process(code: str, *arguments: str, checkout: Path = ROOT) -> str:
    """What a program prints, with the package of a checkout.

    This process stays small, as a child's peak of memory may begin with its parent's.
    """
    command = [sys.executable, "-c", code, *arguments]
    environment = {"PYTHONPATH": f"{checkout}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=checkout).stdout


def enlarged(small: Path, folder: Path, lines: int) -> Path:
    """A copy of a finished run with so many lines in its journal, the added ones at the end of its search."""
    shutil.copytree(small, folder)
    content = [json.loads(text) for text in (small / "journal.jsonl").read_text().splitlines()]
    searched = [line for line in content if line["kind"] == "evaluation"]
    first, last = content.index(searched[0]), content.index(searched[-1]) + 1
    added = lines - len(content)
    with (folder / "journal.jsonl").open("w") as journal:
        for line in (*content[:last], *replicated(searched, added), *later(content[last:], added)):
            journal.write(json.dumps(line) + "\n")
    summary = json.loads((folder / "summary.json").read_text())
    summary["counts"]["evaluations"] = added + last - first
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def replicated(searched: list[dict[str, Any]], count: int) -> Iterator[Mapping[str, Any]]:
    """Evaluations as a longer search would have made them: in turn, and further on."""
    searched = [{key: value for key, value in line.items() if key != "same_as"} for line in searched]
    particles = 1 + max(line["particle"] for line in searched)
    iterations = 1 + max(line["iteration"] for line in searched)
    for i in range(count):
        line, iteration, particle = searched[i % len(searched)], iterations + i // particles, i % particles
        yield line | {
            "id": f"{iteration}-{particle}",
            "iteration": iteration,
            "particle": particle,
            "position": [x + (i + 1) / 1e6 for x in line["position"]],
            "elapsed": round(searched[-1]["elapsed"] + (i + 1) / 1000, 3),
        }


def later(content: list[dict[str, Any]], added: int) -> Iterator[Mapping[str, Any]]:
    """The lines after the search, which took longer."""
    for line in content:
        yield line | {"elapsed": round(line["elapsed"] + added / 1000, 3)}


def run(arguments: argparse.Namespace) -> Iterator[Metric]:
    with tempfile.TemporaryDirectory() as place:
        small = small_run(Path(place) / "small")
        for lines in arguments.lines:
            folder = enlarged(small, Path(place) / str(lines), lines)
            yield from measured(folder, lines, arguments.against)
            shutil.rmtree(folder)


def measured(folder: Path, lines: int, against: Path | None) -> Iterator[Metric]:
    """Seconds and memory of each task. against: another checkout, which does the same task right before."""
    size = (folder / "journal.jsonl").stat().st_size
    what = f"{lines:,} lines"
    yield Metric("large_journal", f"{what}: size", size / 1e6, "MB")
    for task, seconds in zip(TASKS, TARGETS.get(lines, (None,) * len(TASKS)), strict=True):
        say(f"large_journal: {what}: {task}")
        before = json.loads(in_a_process(MEASURED, task, str(folder), checkout=against)) if against else None
        found = json.loads(in_a_process(MEASURED, task, str(folder)))
        target = None if seconds is None else f"<= {seconds}"
        yield Metric("large_journal", f"{what}: {task}", found["seconds"], "s", target)
        if before:
            share = found["seconds"] / before["seconds"]
            yield Metric("large_journal", f"{what}: {task}, before", before["seconds"], "s")
            yield Metric("large_journal", f"{what}: {task}, share of before", share, "times")
        most = "<= 2" if task == "open" else None
        yield Metric("large_journal", f"{what}: {task}, memory", found["memory"] / size, "bytes per byte", most)
        limit = "<= 1000" if task == "report" else None
        yield Metric("large_journal", f"{what}: {task}, peak of the process", found["peak"] / 1e6, "MB", limit)


if __name__ == "__main__":
    made = options(__doc__)
    made.add_argument("--lines", type=int, nargs="+", default=[10_000, 140_000], help="lines of the journals")
    made.add_argument("--against", type=Path, help="another checkout, to be measured beside this one")
    main(run, made)

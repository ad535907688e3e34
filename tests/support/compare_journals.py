"""Records the journals of searches of every kind, and compares two recordings line by line.

    python tests/support/compare_journals.py record FOLDER          # some minutes; needs the tiny zoo, which it builds
    python tests/support/compare_journals.py compare BEFORE AFTER

A change that claims to leave every result as it is runs this before and after. Times, worker names and what depends
on the order in which workers finished (the order of lines) are set aside; everything else must be equal bit for bit.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
TIMES = {"elapsed", "seconds", "compose_seconds", "forward_seconds", "worker", "workers", "time"}
RUNS: Mapping[str, Sequence[str]] = {
    "quickstart": ("quickstart",),
    "model_swarms": ("model_swarms",),
    "modules": ("quickstart", "composition={groups: modules}", "optimizer.evaluations=60", "cluster={type: local}"),
    "stacked": (
        "quickstart",
        "optimizer={type: pso, evaluations: 80}",
        "engine.method=stacked",
        "racing={rungs: [10, 25, 50, 100]}",
        "cluster={type: local}",
    ),
    "sequential": ("quickstart", "optimizer.evaluations=100", "racing={sequential: true}", "cluster={type: local}"),
    "sequential_pso": (
        "quickstart",
        "optimizer={type: pso, evaluations: 100}",
        "racing={sequential: true}",
        "cluster={type: local}",
    ),
    "async": ("quickstart", "optimizer={type: pso, evaluations: 100, schedule: async}", "cluster={type: local}"),
}

Line = dict[str, object]


def record(folder: Path) -> None:
    """Run every search, each in a directory of its own."""
    swarm = str(Path(sys.executable).with_name("swarm"))
    for name, (config, *overrides) in RUNS.items():
        if (folder / name / "summary.json").is_file():
            continue
        settings = [part for override in overrides for part in ("--set", override)]
        command = [swarm, "search", str(ROOT / f"configs/{config}.yaml"), "--run-dir", str(folder / name), *settings]
        subprocess.run(command, check=True, cwd=ROOT)


def journal(run_dir: Path) -> list[Line]:
    """A journal's lines without times and workers, in an order that does not depend on the workers."""
    lines = [json.loads(text) for text in (run_dir / "journal.jsonl").read_text().splitlines()]
    timeless = [{key: value for key, value in line.items() if key not in TIMES} for line in lines]
    return sorted(timeless, key=lambda line: [str(line.get(key, "")) for key in ("kind", "split", "id", "phase")])


def differences(before: Path, after: Path) -> list[str]:
    """What differs between two journals: the line and its keys."""
    old, new = journal(before), journal(after)
    found = [f"{len(old)} lines, then {len(new)}"] if len(old) != len(new) else []
    for one, other in zip(old, new, strict=False):
        keys = sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
        if keys:
            found.append(f"{one.get('kind')} {one.get('id', one.get('phase', ''))}: {', '.join(keys)}")
    return found


def compare(before: Path, after: Path) -> bool:
    """Print a line for each run; True where all are equal."""
    equal = True
    for name in RUNS:
        found = differences(before / name, after / name)
        equal &= not found
        count = len(journal(after / name))
        print(f"{name}: " + (f"equal ({count} lines)" if not found else f"{len(found)} of {count} lines differ"))
        for line in found[:5]:
            print(f"    {line}")
    return equal


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["record", folder]:
            record(Path(folder))
        case ["compare", before, after]:
            sys.exit(not compare(Path(before), Path(after)))
        case _:
            sys.exit(__doc__)

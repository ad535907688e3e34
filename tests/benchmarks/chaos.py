"""Searches on a real Ray cluster with injected faults, against undisturbed ones.

faults: two nodes with two workers each. While at least 100 candidates are scored, workers are killed (SIGKILL), one
candidate hangs, one ends every process that scores it, a node is removed, another joins, the driver is killed and the
run resumed. The journal's positions and scores must equal those of an undisturbed run in which the candidate that kills
its worker (the poison candidate) raises an error instead.
kills: the driver is killed (SIGKILL) at random moments of a search of at least 200 evaluations, and resumed each time.
workers: the same search with 1, 2 and 4 workers.

The models are tiny, so this does not measure speed. It takes about ten minutes on two cores.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from common import ROOT, Metric, main, options, say
from ray.cluster_utils import Cluster

sys.path.append(str(ROOT / "tests"))
from support.playground import LETTERS, command, make_playground

BENCHMARK = "chaos"
TIMES = ("elapsed", "seconds", "compose_seconds", "forward_seconds", "worker", "time")
WORKER_CPUS = 1


@dataclass(frozen=True)
class Ground:
    """A playground whose objective injects faults (chaos_trap.py), and the cluster that its searches run on."""

    folder: Path
    cluster: Cluster

    def config(self, particles: int, iterations: int, **cluster: object) -> Path:
        content = yaml.safe_load((self.folder / "config.yaml").read_text())
        words, mine = str(self.folder / "data.jsonl"), str(self.folder / "mine.jsonl")
        content |= {
            "objectives": [
                {"name": "words", "type": "multiple_choice", "metric": "probability", "data": words},
                {"name": "mine", "type": "function", "function": "chaos_trap:score", "data": mine,
                 "max_new_tokens": 8, "stop": []},
            ],
            "splits": {"search": 4, "select": 4, "test": "rest"},
            "optimizer": {"type": "pso", "particles": particles, "iterations": iterations, "patience": None},
            "cluster": {"type": "ray", "address": self.cluster.address, "cpus_per_worker": WORKER_CPUS, "respawns": 9,
                        "deadline_seconds": 6.0, "deadline": 4.0, **cluster},
            "modules": str(Path(__file__).parent),
            "export": {"format": "recipe"},
        }  # fmt: skip
        path = self.folder / "chaos.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    def mode(self, **content: object) -> None:
        """Set what the objective does from now on, and clear its records."""
        for name in ("calls", "hung"):
            (self.folder / name).unlink(missing_ok=True)
        for file in (self.folder / "pids").iterdir():
            file.unlink()
        (self.folder / "mode.json").write_text(json.dumps(content))

    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def kill_worker(self) -> bool:
        """SIGKILL the live process that scored most recently; False where there is none."""
        pids = sorted((self.folder / "pids").iterdir(), key=lambda file: file.stat().st_mtime, reverse=True)
        for file in pids:
            try:
                os.kill(int(file.name), signal.SIGKILL)
            except ProcessLookupError:
                continue
            return True
        return False


@contextmanager
def ground(nodes: int) -> Iterator[Ground]:
    """A cluster of a head without workers, and `nodes` nodes with cores for two workers each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= {"CHAOS_FOLDER": str(folder), "RAY_AUTH_MODE": "disabled", "OMP_NUM_THREADS": "1"}
        make_playground(folder)
        (folder / "pids").mkdir()
        rng = random.Random(7)
        prompts = ["".join(rng.choices(LETTERS, k=12)) for _ in range(12)]
        lines = [json.dumps({"id": f"m{i}", "prompt": prompt, "answer": "x"}) for i, prompt in enumerate(prompts)]
        (folder / "mine.jsonl").write_text("\n".join(lines))
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        try:
            for _ in range(nodes):
                cluster.add_node(num_cpus=2 * WORKER_CPUS)
            cluster.wait_for_nodes()
            yield Ground(folder, cluster)
        finally:
            cluster.shutdown()


def start(*words: object) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command(*words), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)


def finish(process: "subprocess.Popen[bytes]") -> None:
    _, err = process.communicate()
    if process.returncode:
        raise RuntimeError(f"swarm exited with status {process.returncode}: {err.decode()[-2000:]}")


def kill(process: "subprocess.Popen[bytes]") -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def lines(run: Path) -> list[dict[str, Any]]:
    path = run / "journal.jsonl"
    whole = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
    return [json.loads(line) for line in whole.splitlines()]


def scored(run: Path) -> dict[tuple[str, str, str], dict[str, Any]]:
    """(kind, split, id) -> the line with its scores, without times, workers and the text of an error."""
    kept = [line for line in lines(run) if line["kind"] in ("evaluation", "select", "test")]
    aside = {*TIMES, "error", "tokens"}
    return {(n["kind"], n["split"], n["id"]): {k: v for k, v in n.items() if k not in aside} for n in kept}


def ids(run: Path) -> Counter[str]:
    return Counter(line["id"] for line in lines(run) if line["kind"] == "evaluation")


def scorers(run: Path) -> set[str]:
    """The workers that have scored at least one candidate."""
    return {line["worker"] for line in lines(run) if line["kind"] == "evaluation"}


def summary(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "summary.json").read_text())
    counts = {key: value for key, value in content["counts"].items() if key not in ("failures", "tokens")}
    return {key: value for key, value in content.items() if key not in ("seconds", "export_check")} | {"counts": counts}


def faults(arguments: argparse.Namespace) -> Iterator[Metric]:
    """One search with all kinds of faults, and the same search without."""
    with ground(nodes=2) as here:
        config, calm, done = here.config(10, 13), here.folder / "calm", here.folder / "chaos"
        here.mode()
        finish(start("search", config, "--run-dir", here.folder / "scout"))
        once = [text for text, count in Counter(here.calls()).items() if count == 1]
        poison, hang = once[len(once) // 4], once[len(once) // 2]
        here.mode(error=[poison])
        finish(start("search", config, "--run-dir", calm))
        say(f"undisturbed: {len(ids(calm))} evaluations; poison {poison!r}, hanging {hang!r}")
        here.mode(sleep=0.15, poison=[poison], hang=[hang])
        injected, joined = disturbed(here, config, done, len(ids(calm)))
        injected["candidate hung"] += (here.folder / "hung").exists()
        failed = [line for line in lines(done) if line["kind"] == "evaluation" and line["status"] == "failed"]
        reported = bool(failed) and all("the worker died" in line["error"] for line in failed)
        injected["poison"] += reported
        say(f"faults: {dict(injected)}; failure lines: {sum(line['kind'] == 'failure' for line in lines(done))}")

        def count(what: str, value: float, unit: str, target: str) -> Metric:
            return Metric(BENCHMARK, f"faults: {what}", value, unit, target)

        yield count("evaluations", len(ids(done)), "candidates", ">= 100")
        yield count("injected", sum(injected.values()), "faults", ">= 5")
        yield count("kinds", sum(n > 0 for n in injected.values()), "kinds", ">= 4")
        yield count("workers on the node that joined", len(joined), "workers", ">= 1")
        yield count("evaluations lost", len(ids(calm).keys() - ids(done).keys()), "candidates", "<= 0")
        yield count("counted twice", sum(n > 1 for n in ids(done).values()), "candidates", "<= 0")
        yield count("lines that differ", differing(calm, done), "lines", "<= 0")
        yield count("poison reported as failed", reported, "of 1", ">= 1")


def disturbed(here: Ground, config: Path, done: Path, wanted: int) -> tuple[Counter[str], set[str]]:
    """Run the search, injecting faults at given shares of its evaluations: the faults, and the new node's workers."""
    removable = here.cluster.worker_nodes.copy()
    process, injected = start("search", config, "--run-dir", done), Counter[str]()
    moments: list[tuple[float, str, Callable[[], object]]] = [
        (0.15, "worker killed", here.kill_worker),
        (0.3, "worker killed", here.kill_worker),
        (0.4, "node removed", lambda: here.cluster.remove_node(removable.pop())),
        (0.5, "node added", lambda: here.cluster.add_node(num_cpus=2 * WORKER_CPUS)),
        (0.75, "driver killed", lambda: kill(process)),
        (0.85, "worker killed", here.kill_worker),
    ]
    known = joined = set[str]()
    for share, name, inject in moments:
        while len(ids(done)) < share * wanted and process.poll() is None:
            time.sleep(0.02)
        assert process.poll() is None, process.communicate()[1]
        before = scorers(done)
        inject()
        injected[name] += 1
        say(f"{len(ids(done))} evaluations: {name}")
        if name == "node added":
            known = before
        if name == "driver killed":
            joined = before - known
            process = start("resume", done)
    finish(process)
    return injected, joined


def differing(calm: Path, done: Path) -> int:
    """The number of lines whose position or scores differ."""
    one, other = scored(calm), scored(done)
    return sum(one.get(key) != other.get(key) for key in one.keys() | other.keys())


def kills(arguments: argparse.Namespace) -> Iterator[Metric]:
    """The driver is killed repeatedly, at random moments."""
    with ground(nodes=1) as here:
        config = here.config(particles=12, iterations=18)
        here.mode(sleep=0.02)
        straight, torn = here.folder / "straight", here.folder / "torn"
        finish(start("search", config, "--run-dir", straight))
        total, calls = len(lines(straight)), len(here.calls())
        here.mode(sleep=0.02)
        rng = random.Random(arguments.seed)
        resumed = 0
        words: tuple[object, ...] = ("search", config, "--run-dir", torn)
        for moment in sorted(rng.sample(range(2, total - 2), arguments.kills)):
            process = start(*words)
            while len(lines(torn)) < moment and process.poll() is None:
                time.sleep(0.005)
            time.sleep(rng.uniform(0.0, 0.3))
            if process.poll() is None:
                kill(process)
            else:
                finish(process)
            words = ("resume", torn)
            resumed += 1
            say(f"killed at {len(lines(torn))} of {total} lines")
        finish(start(*words))
        repeated = len(here.calls()) - calls
        yield Metric(BENCHMARK, "kills: evaluations", len(ids(torn)), "candidates", ">= 200")
        yield Metric(BENCHMARK, "kills: resumes that succeeded", resumed, "resumes", f">= {arguments.kills}")
        yield Metric(BENCHMARK, "kills: lines that differ", differing(straight, torn), "lines", "<= 0")
        yield Metric(BENCHMARK, "kills: the same summary", summary(straight) == summary(torn), "of 1", ">= 1")
        examples = sum(1 for _ in (here.folder / "mine.jsonl").open())
        yield Metric(
            BENCHMARK, "kills: texts scored again per kill, at most 2 workers' examples", repeated / arguments.kills,
            "texts", f"<= {2 * examples}",
        )  # fmt: skip


def workers(arguments: argparse.Namespace) -> Iterator[Metric]:
    """The same seed with 1, 2 and 4 workers."""
    with ground(nodes=2) as here:
        for count in (1, 2, 4):
            here.mode()
            finish(start("search", here.config(8, 8, workers=count), "--run-dir", here.folder / str(count)))
        for count in (2, 4):
            different = differing(here.folder / "1", here.folder / str(count))
            yield Metric(BENCHMARK, f"workers: lines that differ between 1 and {count}", different, "lines", "<= 0")


PARTS = {"faults": faults, "kills": kills, "workers": workers}


def run(arguments: argparse.Namespace) -> Iterator[Metric]:
    for part in arguments.parts:
        say(part)
        yield from PARTS[part](arguments)


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="default: all")
    parser.add_argument("--kills", type=int, default=20, help="times the driver is killed (default 20)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments of the kills")
    main(run, parser)

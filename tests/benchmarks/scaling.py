"""How busy the workers are in the search phase of the shipped config, with 1 to 32 of them.

Idle share: the share of the workers' time in which they score nothing, from a worker's first candidate to the end of
the search; start-up and selection are reported apart. Baselines that are scored ahead for the selection count as work.
The optimizer is that of configs/quickstart.yaml with overlapping generations and `particles: auto`, or one generation
after another, of ten particles.

On Ray with one and two workers: configs/quickstart.yaml, and configs/smollm2.yaml with `--smollm2`. Each worker has one
core. The machine should be idle.

Simulated, in virtual time, with up to 32 workers: the optimizer is the real one, and 200 evaluations take 20 to 40
seconds each (spread 2 to 1), or 20 to 80 (4 to 1), drawn anew for each of three simulations. The last of them are
included: with 32 workers 200 evaluations are six or seven for each. No worker fails.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import ROOT, Metric, Skip, main, options, say, zoo_path

from swarm.config.load import load_config
from swarm.journal.archive import Archive
from swarm.optimizers import Optimizer
from swarm.search import SCHEDULES
from swarm.search.loop import Loop
from swarm.workers.scheduling.coordinator import Coordinator
from swarm.workers.settings import RayCluster

sys.path.append(str(ROOT / "tests"))  # the simulator that the tests run
from support.optimizer_runs import space
from support.runs import START
from support.simulation.check import temporary_folder
from support.simulation.driver import unselected, workload_of
from support.simulation.faults import FaultBudget
from support.simulation.random_streams import RandomStreams
from support.simulation.scale import DIMENSIONS, EXAMPLES, SLOTS, landscape_scorer
from support.simulation.scenario import ClusterModel
from support.simulation.sim_backend import SimBackend

NAME = "scaling"
QUICKSTART = ROOT / "configs" / "quickstart.yaml"
GENERATIONS: dict[str, dict[str, Any]] = {
    "overlapping": {"overlap": True, "particles": "auto", "patience": None},
    "one by one": {"overlap": False, "particles": 10, "patience": None},
}
SECONDS = 20.0  # of the shortest evaluation
START_SECONDS = 10.0  # until a simulated worker is ready
SWARM = [sys.executable, "-c", "from swarm.cli.main import main; main()"]


@dataclass(frozen=True)
class Search:
    """The search phase of a run.

    startup: seconds until the first candidate. seconds: from there to the last evaluation. selection: from there on,
        until a candidate was selected.
    idle: the share of the workers' time.
    """

    startup: float
    seconds: float
    selection: float
    evaluations: int
    idle: float

    @classmethod
    def of(cls, archive: Archive) -> "Search":
        """Of a journal. A record's time is that of its end."""
        scored = [record for record in archive.scored if not record.repeated]
        searched = [record for record in scored if record.kind == "evaluation"]
        end, select = max(record.elapsed for record in searched), archive.ended("select")
        began: dict[str, float] = {}
        for record in searched:
            began[record.worker] = min(began.get(record.worker, end), record.elapsed - record.seconds)
        within = (record.seconds - max(0.0, record.elapsed - end) for record in scored)
        busy, time = sum(max(0.0, seconds) for seconds in within), sum(end - start for start in began.values())
        first = min(began.values())
        return cls(first, end - first, (select.elapsed if select else end) - end, len(searched), 1.0 - busy / time)


def on_ray(config: Path, overrides: Sequence[str], what: str, target: str | None) -> Iterator[Metric]:
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder) / "run"
        words = [word for override in overrides for word in ("--set", override)]
        command = [*SWARM, "search", str(config), "--run-dir", str(run_dir), *words]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        if done.returncode:
            raise Skip(done.stderr.strip().splitlines()[-1])
        search = Search.of(Archive(run_dir / "journal.jsonl"))
    yield Metric(NAME, f"{what}: idle", search.idle, "share", target)
    yield Metric(NAME, f"{what}: evaluations", 60 * search.evaluations / search.seconds, "1/min")
    yield Metric(NAME, f"{what}: start-up", search.startup, "s")
    yield Metric(NAME, f"{what}: search", search.seconds, "s")
    yield Metric(NAME, f"{what}: selection", search.selection, "s")


def real(arguments: argparse.Namespace) -> Iterator[Metric]:
    configs = {"tiny": QUICKSTART} | ({"smollm2": QUICKSTART.with_name("smollm2.yaml")} if arguments.smollm2 else {})
    for zoo, config in configs.items():
        zoo_path(zoo)
        for workers in (1, 2):
            cluster = {"cluster.workers": workers, "cluster.cpus_per_worker": 1}
            for name, changed in GENERATIONS.items():
                what = f"{config.stem} on {workers} worker{'s' * (workers > 1)}, {name}"
                say(what)
                values = changed | {"evaluations": _most(arguments, zoo)}
                overrides = cluster | {f"optimizer.{key}": value for key, value in values.items()}
                target = "<= 0.15" if (name, workers) == ("overlapping", 2) else None
                yield from on_ray(config, [f"{key}={json.dumps(overrides[key])}" for key in overrides], what, target)


def _most(arguments: argparse.Namespace, zoo: str) -> int:
    """Evaluations of a search: SmolLM2 takes ten seconds for each."""
    most: int = arguments.evaluations if zoo == "tiny" else min(24, arguments.evaluations)
    return most


def simulated(arguments: argparse.Namespace) -> Iterator[Metric]:
    shipped = load_config(QUICKSTART).optimizer
    budget = {"evaluations": arguments.evaluations, "iterations": arguments.evaluations}
    for spread in (2, 4):
        for workers in arguments.sizes:
            for name, changed in GENERATIONS.items():
                optimizer = shipped.model_copy(update=budget | changed).on(workers)
                what = f"simulated, spread {spread} to 1, {workers} workers, {name}"
                say(what)
                found = [simulate(optimizer, workers, spread, draw) for draw in range(arguments.draws)]
                idle, per_minute = (sum(values) / len(found) for values in zip(*found, strict=True))
                target = "<= 0.1" if spread == 2 and name == "overlapping" and workers >= 8 else None
                yield Metric(NAME, f"{what}: idle", idle, "share", target)
                yield Metric(NAME, f"{what}: idle, at most", max(idle for idle, _ in found), "share", target)
                yield Metric(NAME, f"{what}: evaluations", per_minute, "1/min")


def simulate(optimizer: Optimizer[Any], workers: int, spread: float, draw: int) -> tuple[float, float]:
    """The idle share of the time since workers were ready, and evaluations a minute. draw: of the durations."""
    model = ClusterModel(
        nodes=-(-workers // SLOTS),
        slots=SLOTS,
        seconds=(SECONDS, spread * SECONDS),
        spread=1.0,
        start=(START_SECONDS, START_SECONDS),
    )
    cluster = RayCluster(workers=workers)
    faults = FaultBudget(cluster.attempts, lambda name: None)
    backend = SimBackend(model, RandomStreams(f"{NAME}-{draw}"), landscape_scorer(), faults, cluster.prefetch + 1)
    with temporary_folder() as folder:
        archive = Archive(folder / "journal.jsonl")
        archive.append(START)
        coordinator = Coordinator(backend, cluster)
        for split in ("search", "select"):
            coordinator.load(split, workload_of(EXAMPLES))
        loop = Loop(
            optimizer=optimizer,
            space=space(DIMENSIONS),
            seed=0,
            weights={"right": 1.0},
            archive=archive,
            evaluate=coordinator.run,
            on_evaluation=lambda evaluation: None,
            finalists=8,
            afterwards=lambda: unselected(archive, background=True, dimensions=DIMENSIONS),
        )
        SCHEDULES[optimizer.schedule](loop).run()
        seconds, evaluations = backend.now() - START_SECONDS, archive.evaluations
        backend.close()
        archive.journal.close()
    return backend.usage.idle, 60 * evaluations / seconds


PARTS = {"real": real, "simulated": simulated}


def run(arguments: argparse.Namespace) -> Iterator[Metric]:
    for part in arguments.only or PARTS:
        yield from PARTS[part](arguments)


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), help="one of the parts")
    parser.add_argument("--smollm2", action="store_true", help="SmolLM2 on Ray, too; takes half an hour")
    parser.add_argument("--evaluations", type=int, default=200, help="of each search (default 200)")
    parser.add_argument("--draws", type=int, default=3, help="simulations of each case (default 3)")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32], help="simulated workers (default 1 2 4 8 16 32)"
    )
    main(run, parser)

"""A search of thousands of evaluations in virtual time: idle workers, and the coordinator's own cost.

Shape suffixes: D dimensions, P examples.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from support.optimizer_runs import space
from support.runs import START
from support.simulation.driver import workload_of
from support.simulation.faults import FaultBudget
from support.simulation.machines import Usage
from support.simulation.random_streams import RandomStreams
from support.simulation.scenario import ClusterModel
from support.simulation.sim_backend import SimBackend
from swarm.core.candidates import Evaluation, Task
from swarm.core.examples import Split
from swarm.core.outcomes import Outcome
from swarm.journal.archive import Archive
from swarm.journal.file import JournalFile
from swarm.journal.records import JournalRecord, Kind
from swarm.optimizers import Observation, Optimizer, Proposal
from swarm.optimizers.pso import PSO
from swarm.search import SCHEDULES
from swarm.search.loop import Loop
from swarm.workers.scheduling.coordinator import Coordinator
from swarm.workers.scheduling.events import Event
from swarm.workers.settings import RayCluster

EXAMPLES = 200
DIMENSIONS = 16
SLOTS = 8  # workers per node
Schedule = Literal["sync", "async"]


@dataclass
class Meter:
    """Processor seconds per part of the program. A part inside another one is not counted there."""

    seconds: dict[str, float] = field(default_factory=dict)
    _stack: list[str] = field(default_factory=lambda: ["search"])
    _since: float = field(default_factory=time.process_time)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        self._book()
        self._stack.append(name)
        try:
            yield
        finally:
            self._book()
            self._stack.pop()

    def _book(self) -> None:
        now = time.process_time()
        self.seconds[self._stack[-1]] = self.seconds.get(self._stack[-1], 0.0) + now - self._since
        self._since = now


class MeteredBackend(SimBackend):
    """Its time counts as the simulator's."""

    def __init__(self, meter: Meter, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._meter = meter
        self.events = 0

    def send(self, worker: str, attempt_id: int, tasks: Sequence[Task]) -> None:
        with self._meter.part("simulator"):
            super().send(worker, attempt_id, tasks)

    def drop(self, worker: str, attempt_id: int) -> None:
        with self._meter.part("simulator"):
            super().drop(worker, attempt_id)

    def spawn(self, worker: str) -> None:
        with self._meter.part("simulator"):
            super().spawn(worker)

    def wait(self, seconds: float) -> Sequence[Event]:
        with self._meter.part("simulator"):
            events = super().wait(seconds)
        self.events += len(events)
        return events


class MeteredJournal(JournalFile):
    """Its time counts as the journal's: the line as JSON, written and synced to disk."""

    def __init__(self, path: Path, meter: Meter, on_line: Callable[[int], None]) -> None:
        super().__init__(path)
        self._meter, self._on_line = meter, on_line
        self.lines = 0

    def append(self, record: JournalRecord) -> None:
        with self._meter.part("journal"):
            super().append(record)
        self.lines += 1
        self._on_line(self.lines)


class MeteredArchive(Archive):
    """Its time counts as the archive's, except for the journal's."""

    def __init__(self, path: Path, meter: Meter, on_line: Callable[[int], None]) -> None:
        super().__init__(path)
        self._meter = meter
        self.journal = MeteredJournal(path, meter, on_line)

    def append_evaluation(self, kind: Kind, evaluation: Evaluation, split: Split = "search", same_as: str = "") -> None:
        with self._meter.part("archive"):
            super().append_evaluation(kind, evaluation, split, same_as)


class MeteredOptimizer:
    """An optimizer as the search sees it."""

    def __init__(self, optimizer: Optimizer[Any], meter: Meter) -> None:
        self._optimizer, self._meter = optimizer, meter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._optimizer, name)

    def ask(self, state: Any) -> list[Proposal]:
        with self._meter.part("optimizer"):
            return self._optimizer.ask(state)

    def tell(self, state: Any, results: Sequence[Observation]) -> Any:
        with self._meter.part("optimizer"):
            return self._optimizer.tell(state, results)

    def step(self, state: Any, result: Observation) -> tuple[Any, list[Proposal]]:
        with self._meter.part("optimizer"):
            return self._optimizer.step(state, result)


@dataclass(frozen=True)
class Size:
    """The size of a search.

    failures: the share of attempts that fail, half of them with their worker.
    even: workers are equally fast and evaluations differ by four to one; if False, the other way round.
    """

    schedule: Schedule
    workers: int
    particles: int
    evaluations: int
    failures: float = 0.02
    even: bool = True


@dataclass(frozen=True)
class Measured:
    """The cost of a search.

    events: events from the backend.
    seconds: processor seconds per part of the program.
    virtual_seconds: how long the search took on the simulated cluster.
    """

    usage: Usage
    evaluations: int
    events: int
    seconds: dict[str, float]
    virtual_seconds: float

    def milliseconds(self, *parts: str) -> float:
        """Processor milliseconds per evaluation in these parts."""
        return 1000.0 * sum(self.seconds.get(part, 0.0) for part in parts) / self.evaluations


def measure(size: Size, folder: Path, on_line: Callable[[int], None] = lambda lines: None) -> Measured:
    """Run a search to its end. on_line: called after every line of the journal, with the number of lines."""
    meter = Meter()
    cluster = RayCluster(workers=size.workers, respawns=100)
    backend = MeteredBackend(
        meter,
        _model(size),
        RandomStreams("scale"),
        landscape_scorer(),
        FaultBudget(cluster.attempts, lambda name: None),
        2,
    )
    archive = MeteredArchive(folder / "journal.jsonl", meter, on_line)
    archive.append(START)
    coordinator = Coordinator(backend, cluster)
    coordinator.load("search", workload_of(EXAMPLES))
    iterations = 50 + size.evaluations // size.particles
    limits = {"evaluations": size.evaluations, "iterations": iterations, "patience": None}
    optimizer = PSO(schedule=size.schedule, particles=size.particles, **limits)  # type: ignore[arg-type]
    loop = Loop(
        optimizer=optimizer,
        space=space(DIMENSIONS),
        seed=0,
        weights={"right": 1.0},
        archive=archive,
        evaluate=lambda feed: _metered(coordinator.run(feed), meter),
        on_evaluation=lambda evaluation: None,
        finalists=8,
    )
    meter.seconds.clear()
    SCHEDULES[size.schedule](replace(loop, optimizer=MeteredOptimizer(optimizer, meter))).run()  # type: ignore[arg-type]
    backend.close()
    archive.journal.close()
    return Measured(backend.usage, archive.evaluations, backend.events, meter.seconds, backend.now())


def _model(size: Size) -> ClusterModel:
    share = size.failures / 2
    seconds, spread = ((10.0, 40.0), 1.0) if size.even else ((20.0, 20.0), 4.0)
    nodes = -(-size.workers // SLOTS)
    return ClusterModel(nodes, SLOTS, seconds, spread, start=(10.0, 60.0), crash=share, broken=share)


def landscape_scorer() -> Callable[[Task, str], Evaluation]:
    """Scores of 0 and 1: a position near the uniform average has more right answers."""
    difficulty_P = np.random.default_rng(0).normal(0.0, 0.5, EXAMPLES)

    def score(task: Task, worker: str) -> Evaluation:
        x_D = np.array(task.candidate.position)
        right = tuple((difficulty_P < 0.5 - float(np.square(x_D - 1 / DIMENSIONS).sum())).astype(float).tolist())
        scores = {"right": sum(right) / EXAMPLES}
        return Evaluation(
            task.candidate, "ok", scores, {"right": right}, tokens=9000, seconds=20.0, worker=worker, split=task.split
        )

    return score


def _metered(outcomes: Iterator[Outcome], meter: Meter) -> Iterator[Outcome]:
    try:
        while True:
            with meter.part("dispatch"):
                outcome = next(outcomes, None)
            if outcome is None:
                return
            yield outcome
    finally:
        outcomes.close()  # type: ignore[attr-defined]

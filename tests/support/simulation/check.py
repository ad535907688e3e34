"""check(seed): run the scenario of a seed, check the invariants, report."""

import os
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.simulation.driver import FinishedSearch, run
from support.simulation.invariants import check_all
from support.simulation.scenario import scenario

IN_MEMORY = Path("/dev/shm")  # an fsync costs nothing there


@dataclass(frozen=True)
class Report:
    """The result of a seed. problem: what does not hold; "" if everything holds."""

    seed: int
    problem: str
    trace: tuple[str, ...]
    sessions: int = 0
    kills: int = 0
    deaths: int = 0
    evaluations: int = 0

    @property
    def holds(self) -> bool:
        return not self.problem

    def __str__(self) -> str:
        if self.holds:
            return f"seed {self.seed} holds"
        again = f"python tests/benchmarks/simulator.py --seed {self.seed} --trace"
        return f"seed {self.seed}: {self.problem}\nto repeat it: {again}"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A temporary folder for journals, in memory if the machine has a place for it."""
    place = IN_MEMORY if IN_MEMORY.is_dir() and os.access(IN_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as name:
        yield Path(name)


def check(seed: int) -> Report:
    """Run a seed. Every exception, including an error of our own, becomes the report's problem."""
    trace: list[str] = []
    with temporary_folder() as where:
        try:
            search = run(scenario(seed), where, trace.append)
            check_all(search)
        except Exception as error:
            return Report(seed, f"{type(error).__name__}: {error} ({_place(error)})", tuple(trace))
    return _report(seed, search, trace)


def _report(seed: int, search: FinishedSearch, trace: list[str]) -> Report:
    return Report(
        seed=seed,
        problem="",
        trace=tuple(trace),
        sessions=len(search.sessions),
        kills=sum(session.end == "killed" for session in search.sessions),
        deaths=sum(session.usage.deaths for session in search.sessions),
        evaluations=sum(line.startswith("line evaluation") for line in trace),
    )


def _place(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"

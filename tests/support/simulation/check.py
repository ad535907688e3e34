"""check(seed): run a seed's scenario, look whether everything holds, report."""

import os
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.simulation.driver import Ran, run
from support.simulation.invariants import check_all
from support.simulation.scenario import scenario

QUICK = Path("/dev/shm")  # a folder in memory: a journal's fsync costs nothing there


@dataclass(frozen=True)
class Report:
    """What came of a seed. problem: "" where everything holds."""

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
        return f"seed {self.seed}: {self.problem}\nto see it again: {again}"


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for journals, in memory where the machine has such a place."""
    quick = QUICK if QUICK.is_dir() and os.access(QUICK, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=quick) as name:
        yield Path(name)


def check(seed: int) -> Report:
    """Whatever goes wrong is the report's problem: also an error of ours."""
    trace: list[str] = []
    with folder() as where:
        try:
            ran = run(scenario(seed), where, trace.append)
            check_all(ran)
        except Exception as error:
            return Report(seed, f"{type(error).__name__}: {error} ({_place(error)})", tuple(trace))
    return _report(seed, ran, trace)


def _report(seed: int, ran: Ran, trace: list[str]) -> Report:
    return Report(
        seed=seed,
        problem="",
        trace=tuple(trace),
        sessions=len(ran.sessions),
        kills=sum(session.end == "killed" for session in ran.sessions),
        deaths=sum(session.usage.deaths for session in ran.sessions),
        evaluations=sum(line.startswith("line evaluation") for line in trace),
    )


def _place(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"

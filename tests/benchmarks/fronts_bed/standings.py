"""Statistics of the trials: shares of the best known hypervolume, differences pair by pair, optimism and seconds.

Shape suffixes: S seeds, M members, K objectives.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.stats import t

from fronts_bed.contenders import CONTENDERS
from fronts_bed.delivery import hypervolume
from swarm.core.space import Array

Row = Mapping[str, Any]
Value = Callable[[Row], float]


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds, and half the width of its 95 % interval (Student's t); nan for a single seed."""

    mean: float
    half: float

    @classmethod
    def of(cls, values_S: Array) -> "Estimate":
        n = len(values_S)
        half = t.ppf(0.975, n - 1) * values_S.std(ddof=1) / np.sqrt(n) if n > 1 else float("nan")
        return cls(float(values_S.mean()), float(half))

    @property
    def verdict(self) -> str:
        """Of a difference: whether its interval excludes zero, and on which side."""
        if self.mean - self.half > 0.0:
            return "win"
        return "loss" if self.mean + self.half < 0.0 else "tie"


@dataclass(frozen=True)
class Standings:
    """The trials of one budget.

    trials: their lines.
    known: problem -> the line of its best known front.
    order: the names of all problems, as they are shown.
    """

    trials: Sequence[Row]
    known: Mapping[str, Row]
    order: Sequence[str]

    @cached_property
    def problems(self) -> list[str]:
        """Those with trials."""
        found = {trial["problem"] for trial in self.trials}
        return [name for name in self.order if name in found]

    def noisy(self) -> list[str]:
        return [name for name in self.problems if self.known[name]["noisy"]]

    def constrained(self) -> list[str]:
        return [name for name in self.problems if not self.known[name]["noisy"]]

    def contenders(self, problem: str) -> list[str]:
        return [name for name in CONTENDERS if self.rows(problem, name)]

    def rows(self, problem: str, contender: str) -> dict[int, Row]:
        """Seed -> trial."""
        return self._rows.get((problem, contender), {})

    @cached_property
    def _rows(self) -> dict[tuple[str, str], dict[int, Row]]:
        found: dict[tuple[str, str], dict[int, Row]] = {}
        for trial in self.trials:
            found.setdefault((trial["problem"], trial["contender"]), {})[trial["seed"]] = trial
        return found

    @cached_property
    def best(self) -> dict[str, float]:
        """Problem -> the hypervolume of the best known front: of the long search and of all that was delivered."""
        best = {}
        for name in self.problems:
            delivered = [trial["delivered"] for trial in self.trials if trial["problem"] == name and trial["delivered"]]
            values_MK = np.vstack([self.known[name]["front"], *delivered])
            best[name] = hypervolume(values_MK, np.array(self.known[name]["reference"]))
        return best

    def share(self, front: str) -> Value:
        """The share of the best known hypervolume that a front of a trial has. front: observed or posterior."""
        return lambda row: float(row[front]) / self.best[row["problem"]]

    def estimate(self, problem: str, contender: str, value: Value) -> Estimate:
        return Estimate.of(np.array([value(row) for row in self.rows(problem, contender).values()]))

    def median(self, problem: str, contender: str, value: Value) -> float:
        return float(np.median([value(row) for row in self.rows(problem, contender).values()]))

    def difference(self, problem: str, ours: str, theirs: str) -> Estimate | None:
        """Ours less theirs, in shares of the posterior front, seed by seed; None where they share no two seeds."""
        a, b, share = self.rows(problem, ours), self.rows(problem, theirs), self.share("posterior")
        seeds = sorted(a.keys() & b.keys())
        return Estimate.of(np.array([share(a[s]) - share(b[s]) for s in seeds])) if len(seeds) > 1 else None

    def seconds_over(self, problem: str, theirs: str, ours: str) -> float | None:
        """The ratio of the median seconds of proposing; None where one of them has no trials."""
        if not self.rows(problem, theirs) or not self.rows(problem, ours):
            return None
        ours_seconds = self.median(problem, ours, seconds)
        return self.median(problem, theirs, seconds) / max(ours_seconds, 1e-6)


def optimism(row: Row) -> float:
    """What the observed front claims over what it truly has, less one; nan where it has nothing."""
    return float(row["claimed"]) / float(row["observed"]) - 1.0 if row["observed"] else float("nan")


def seconds(row: Row) -> float:
    return float(row["proposing"])

"""Statistics of the trials: regret, headroom, coverage and pairwise wins, with intervals over seeds.

Shape suffixes: R problems, S seeds, B resamples.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bed import CONFIRMATION, DEVELOPMENT
from bed.contenders import BUDGET, EVERY
from swarm.core.space import Array

OURS, HARD, PLAIN, THEIRS = "guided_pso", "guided_pso, hard", "bayesian", "model_swarms"
HALVES = {
    "development": [problem.name for problem in DEVELOPMENT],
    "confirmation": [problem.name for problem in CONFIRMATION],
}
RESAMPLES = 2_000
TIE = 0.01  # a point: less than a test split of a thousand examples can resolve

Row = Mapping[str, Any]
Value = Callable[[Row], float]


@dataclass(frozen=True)
class Estimate:
    """A statistic over problems and seeds, with its 95 % interval by resampling seeds within problems."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Table:
    """The trials of the comparison, and each problem's reference scores."""

    trials: Sequence[Row]
    references: Mapping[str, Mapping[str, float]]

    def rows(self, contender: str, evaluations: int = BUDGET) -> dict[tuple[str, int], Row]:
        """(problem, seed) -> trial, where every compared method has one."""
        return {pair: row for pair, row in self._all(contender, evaluations).items() if pair in self._pairs}

    def _all(self, contender: str, evaluations: int) -> dict[tuple[str, int], Row]:
        chosen = [t for t in self.trials if t["contender"] == contender and t["evaluations"] == evaluations]
        return {(t["problem"], t["seed"]): t for t in chosen}

    @cached_property
    def _pairs(self) -> set[tuple[str, int]]:
        return set.intersection(*(set(self._all(name, BUDGET)) for name in self.contenders))

    @property
    def problems(self) -> list[str]:
        """The problems on which every compared method has run, in the test bed's order."""
        seen = {problem for problem, _ in self._pairs}
        return [name for names in HALVES.values() for name in names if name in seen]

    @cached_property
    def contenders(self) -> list[str]:
        """The compared methods that have trials."""
        return [name for name in EVERY if self._all(name, BUDGET)]

    def shorter(self, contender: str) -> list[int]:
        """The smaller budgets that the method has also run with."""
        return sorted({t["evaluations"] for t in self.trials if t["contender"] == contender} - {BUDGET}, reverse=True)

    def known(self, problem: str) -> float:
        """The best known true score: of the search on the true score, or of any delivered weighting."""
        return self._known[problem]

    @cached_property
    def _known(self) -> dict[str, float]:
        best = {name: known["best"] for name, known in self.references.items()}
        for trial in self.trials:
            best[trial["problem"]] = max(best[trial["problem"]], trial["delivered"])
        return best

    def regret(self, row: Row) -> float:
        return self.known(row["problem"]) - float(row["delivered"])

    def has_headroom(self, problem: str) -> bool:
        """Whether the best known is at least two points above the best single expert and the base."""
        known = self.references[problem]
        return self.known(problem) - max(known["expert"], known["base"]) >= 2 * TIE

    def headroom(self, row: Row) -> float:
        """(Delivered - single) / (best known - single), where single is the better of best expert and base."""
        known = self.references[row["problem"]]
        single = max(known["expert"], known["base"])
        return (float(row["delivered"]) - single) / (self.known(row["problem"]) - single)

    def estimate(self, contender: str, value: Value, problems: Sequence[str], evaluations: int = BUDGET) -> Estimate:
        """The median over problems and seeds."""
        rows = self.rows(contender, evaluations)
        return resampled([[value(r) for (p, _), r in rows.items() if p == name] for name in problems], np.median)

    def mean(self, contender: str, value: Value, problems: Sequence[str], evaluations: int = BUDGET) -> Estimate:
        rows = self.rows(contender, evaluations)
        return resampled([[value(r) for (p, _), r in rows.items() if p == name] for name in problems], np.mean)

    def differences(
        self, contender: str, problems: Sequence[str], evaluations: int = BUDGET, ours: str = OURS
    ) -> list[Array]:
        """Ours (after `evaluations`) minus theirs at the full budget, in true score, per problem. Shapes S."""
        rows, theirs = self.rows(ours, evaluations), self.rows(contender)
        pairs = [key for key in theirs if key in rows]
        return [
            np.array([rows[key]["delivered"] - theirs[key]["delivered"] for key in pairs if key[0] == name])
            for name in problems
        ]

    def wins(self, contender: str, problems: Sequence[str], tie: float = 0.0) -> float:
        """The share of problem-seed pairs where ours is above theirs; with `tie`, at most that much below."""
        ours = np.concatenate(self.differences(contender, problems))
        return float((ours >= -tie).mean() if tie else (ours > 0).mean())

    def covered(self, contender: str, problems: Sequence[str]) -> float:
        """The share of trials whose predicted interval contains the true score of the delivered weighting."""
        rows = [row for (problem, _), row in self.rows(contender).items() if problem in problems]
        return float(np.mean([row["low"] <= row["delivered"] <= row["high"] for row in rows]))

    def evaluations_to(self, contender: str, problem: str) -> float:
        """Evaluations until the mean true score of its best reaches the final one of Model Swarms; or inf."""
        target = np.mean([max_count(row["course"]) for (p, _), row in self.rows(THEIRS).items() if p == problem])
        courses = [row["course"] for (p, _), row in self.rows(contender).items() if p == problem and row["course"]]
        for count in sorted({int(c) for course in courses for c in course}):
            if np.mean([at(course, count) for course in courses]) >= target:
                return count
        return float("inf")

    def below_baselines(self, contender: str) -> list[str]:
        """Problems where the better of best expert and uniform average lies above the method's interval."""
        worse = []
        for name in self.problems:
            known = self.references[name]
            found = self.mean(contender, lambda row: float(row["delivered"]), [name])
            if found.high < max(known["expert"], known["uniform"]):
                worse.append(name)
        return worse


def at(course: Mapping[str, float], count: int) -> float:
    """The value after `count` evaluations, or the last one before."""
    known = [int(c) for c in course if int(c) <= count] or [min(map(int, course))]
    return course[str(max(known))]


def max_count(course: Mapping[str, float]) -> float:
    return course[max(course, key=int)]


def resampled(values_RS: Sequence[Sequence[float]], statistic: Callable[[Array], Any]) -> Estimate:
    """A statistic of values per problem and seed."""
    values = [np.array(each) for each in values_RS if len(each)]
    if not values:
        return Estimate(float("nan"), float("nan"), float("nan"))
    rng = np.random.default_rng(0)
    drawn = [each[rng.integers(len(each), size=(RESAMPLES, len(each)))] for each in values]
    resampled_B = [float(statistic(np.concatenate([d[b] for d in drawn]))) for b in range(RESAMPLES)]
    low, high = np.quantile(resampled_B, [0.025, 0.975])
    return Estimate(float(statistic(np.concatenate(values))), float(low), float(high))

"""The candidates that were scored on the select split, with all that a choice among them rests on.

A function of the journal: so a choice can be made again, by another rule, without an evaluation.

Shape suffixes: M members, K objectives with a weight, F floors, P examples of an objective, B bootstrap draws.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from swarm.core.candidates import Candidate, Evaluation
from swarm.core.dominance import Mask
from swarm.core.space import Array
from swarm.preferences import Members, Rule
from swarm.preferences.front import significantly_dominated
from swarm.preferences.goals import Goals
from swarm.statistics.intervals import ANY, Score, mean_interval
from swarm.statistics.lower_bounds import lower_bound, paired_lower_bound

CONFIDENCE = 0.95  # that what is delivered keeps its floors, whoever it is
IN_ORDER = 0.04  # the error of tests in order, from the safest on; the rest of it is for members out of this order
UNSAID = (0.0, math.inf)  # the range of scores of which none is given
DRAWS = 200  # of the bootstrap that says how much a choice flatters

Examples = Mapping[str, Array]  # objective -> scores of all members on the same examples, MP


@dataclass(frozen=True, eq=False)
class Front:
    """What is known of the members.

    candidates: the members.
    goals: weights, objectives held apart, floors.
    select: their scores on the select split, for every objective.
    search: their scores on the search split; None where they do not count.
    base: objective -> the base's scores on the select split, P; empty where it has none.
    reference_K: where gains count from.
    labels: objective -> the group of each select example; empty where the data name none.
    safest: the rows in the order in which floors are tested, by the search split alone.
    cautious: members are compared by lower bounds instead of means.
    """

    candidates: tuple[Candidate, ...]
    goals: Goals
    select: Examples
    search: Examples | None
    base: Mapping[str, Array]
    reference_K: Array
    labels: Mapping[str, Sequence[str]]
    safest: tuple[int, ...]
    cautious: bool = False

    @property
    def objectives(self) -> tuple[str, ...]:
        """Those that have a weight."""
        return tuple(name for name, weight in self.goals.weights.items() if weight > 0)

    def members(self, gains: bool = False) -> Members:
        """What rules of choice compare. gains: whether the rule reads improvements example by example."""
        return Members(
            ids=tuple(candidate.id for candidate in self.candidates),
            objectives=self.objectives,
            scores_MK=np.stack([self._scores(name) for name in self.objectives], axis=1),
            reference_K=self.reference_K,
            weights_K=np.array([self.goals.weights[name] for name in self.objectives]),
            groups=self._groups(),
            gains={name: self.select[name] - self.base[name] for name in self.objectives} if gains else {},
        )

    def dominated(self) -> NDArray[np.intp]:
        """For each member the row of one that dominates it with significance on the select split, or -1. Shape M.

        Where floors are kept by some, only these dominate: who breaks a floor takes nobody's place.
        """
        kept_M = self.keeps_floors()
        rows = np.flatnonzero(kept_M) if kept_M.any() else np.arange(len(kept_M))
        by = significantly_dominated({name: self.select[name][rows] for name in self.objectives})
        found_M = np.full(len(kept_M), -1)
        found_M[rows] = np.where(by >= 0, rows[by], -1)
        return found_M

    def slack_bounds(self, confidence: float = 1.0 - IN_ORDER) -> Array:
        """The lower bound of what each member has over each floor, on the select split; negative: not held. MF."""
        columns = []
        for name, floor in self.goals.floors.items():
            rows, (lowest, _) = self.select[name], self.goals.ranges.get(name, UNSAID)
            if floor.from_base:
                bounds = [paired_lower_bound(list(row), list(self.base[name]), confidence) for row in rows]
                bounds = [0.0 if c.id == "base" else bound for c, bound in zip(self.candidates, bounds, strict=True)]
            else:
                bounds = [lower_bound(list(row), confidence, lowest) for row in rows]
            columns.append(np.array(bounds) - floor.value)
        return np.stack(columns, axis=1) if columns else np.full((len(self.candidates), 1), math.inf)

    def keeps_floors(self) -> Mask:
        """Who keeps every floor for certain. Shape M.

        Tested in a fixed order, the safest member by the search split first, until a lower bound is below a floor
        (Maurer, Hothorn & Lehmacher 1995); and, as that order may be wrong, each by itself with what is left of the
        error, divided by the number of members (Bonferroni). So with CONFIDENCE no one among all that pass breaks a
        floor, whoever of them is chosen.
        """
        kept_M = np.asarray(self.sure_bounds().min(axis=1) >= 0.0, dtype=np.bool_)
        above_M = self.slack_bounds().min(axis=1) >= 0.0
        for row in self.safest:
            if not above_M[row]:
                break
            kept_M[row] = True
        return kept_M

    def sure_bounds(self) -> Array:
        """As `slack_bounds`, such that all members' bounds hold together. Shape MF."""
        return self.slack_bounds(1.0 - (1.0 - CONFIDENCE - IN_ORDER) / len(self.candidates))

    def nearest(self) -> int:
        """The row of the member whose worst lower bound is nearest to its floor."""
        return int(self.sure_bounds().min(axis=1).argmax())

    def eligible(self) -> NDArray[np.intp]:
        """The rows of those that no member dominates with significance and that keep the floors."""
        return np.flatnonzero((self.dominated() < 0) & self.keeps_floors())

    def ranked(self, rule: Rule, rows: NDArray[np.intp]) -> list[int]:
        """These rows, the rule's best first."""
        members = self.members(rule.needs_examples).only(rows)
        return [int(rows[place]) for place in rule.ranked(members)]

    def predicted(self, rule: Rule, rows: NDArray[np.intp], winner: int) -> dict[str, Score]:
        """Objective -> the winner's predicted score on fresh examples: its select score less what the choice flatters.

        By how much is estimated by the bootstrap: the select examples are drawn anew, the rule chooses among the rows
        again, and what it chose scores higher on the drawn examples than on all of them (Efron & Tibshirani 1993,
        ch. 10).
        """
        rng = np.random.default_rng(0)
        bias = dict.fromkeys(self.select, 0.0)
        for _ in range(DRAWS if len(rows) > 1 else 0):
            drawn = self._drawn(rng)
            row = drawn.ranked(rule, rows)[0]
            for name, scores_MP in self.select.items():
                bias[name] += float(drawn.select[name][row].mean() - scores_MP[row].mean()) / DRAWS
        ranges = self.goals.ranges
        found = {name: mean_interval(list(x_MP[winner]), ranges.get(name, ANY)) for name, x_MP in self.select.items()}
        return {n: Score(s.mean - bias[n], s.low - bias[n], s.high - bias[n], s.n) for n, s in found.items()}

    def _drawn(self, rng: np.random.Generator) -> "Front":
        """With as many select examples drawn from them, the same for all members."""
        size = {name: scores_MP.shape[1] for name, scores_MP in self.select.items()}
        rows = {name: rng.integers(n, size=n) for name, n in size.items()}
        return replace(
            self,
            select={name: scores_MP[:, rows[name]] for name, scores_MP in self.select.items()},
            base={name: scores_P[rows[name]] for name, scores_P in self.base.items()},
            labels={name: [labels[row] for row in rows[name]] for name, labels in self.labels.items()},
        )

    def _scores(self, name: str) -> Array:
        """What members are compared by on an objective: means over both splits or one, or lower bounds. Shape M."""
        if self.cautious:
            lowest, _ = self.goals.ranges.get(name, UNSAID)
            return np.array([lower_bound(list(row), CONFIDENCE, lowest) for row in self.select[name]])
        rows = self.select[name] if self.search is None else np.hstack([self.select[name], self.search[name]])
        return np.asarray(rows.mean(axis=1))

    def _groups(self) -> dict[str, Array]:
        """Group -> the utility of each member in it, over the objectives that have such examples. Shape M."""
        found: dict[str, Array] = {}
        for label in dict.fromkeys(label for labels in self.labels.values() for label in labels if label):
            total, weight = np.zeros(len(self.candidates)), 0.0
            for name in self.objectives:
                inside_P = np.array([each == label for each in self.labels.get(name, ())], dtype=bool)
                if inside_P.any():
                    total += self.goals.weights[name] * self.select[name][:, inside_P].mean(axis=1)
                    weight += self.goals.weights[name]
            if weight:
                found[label] = total / weight
        return found


def stacked(evaluations: Sequence[Evaluation]) -> dict[str, Array]:
    """Objective -> the scores of all of them, MP."""
    names = evaluations[0].examples
    return {name: np.array([e.examples[name] for e in evaluations], dtype=np.float64) for name in names}

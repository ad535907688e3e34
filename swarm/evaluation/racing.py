"""Racing: a candidate is stopped once going on cannot matter or, where the user asks for it, is unlikely to.

Its examples are scored in rungs, in the search split's order, of which every prefix is a fair share of every task.
After a rung there are two reasons to stop:

- The exact bound, always on. What is still to be scored is taken at its highest and at its lowest; if no utility
  between changes anything (`PruningBounds`), the rest is not scored. The search goes as if it had been.
- The sequential test, with `sequential: true`. The candidate's examples are compared with those of the particle's
  personal best and of the global best; where it is below both, beyond chance, the rest is not scored. Chance is
  Student's one-sided bound at `error` divided by the number of looks, so that over all looks together at most that
  share of new personal bests (where particles have none, of new bests) is lost. Only the spread within a task counts,
  as every prefix has its share of each, and it shrinks with the examples left, since the whole split is what is asked
  for.

The test uses guides, smooth values beside the scores (log-likelihoods), for they tell candidates apart with fewer
examples. Guides and scores may disagree, so the scores must speak against a candidate too, if less loudly (`DOUBT`).
Several objectives' guides have no common scale, so there the test uses the scores.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pydantic import Field, field_validator, model_validator
from scipy import stats

from swarm.core.candidates import Incumbent, PruningBounds
from swarm.core.settings import Settings
from swarm.data.stratified import in_turn
from swarm.evaluation.sequential_test import spread_of
from swarm.preferences.weighted_sum import utility

WORTHWHILE = 4  # a stop spares at least a quarter of what was scored before it


DOUBT = 0.2  # chance, at a look and by scores alone, that what is stopped is the best of all


PAIRS_AT_LEAST = 10  # of an objective, before a test: a variance of fewer is too uncertain


Values = Mapping[str, Sequence[float]]


class Racing(Settings):
    """When candidates are looked at, and whether they may be stopped by a test."""

    rungs: tuple[int, ...] = Field(
        (25, 50, 75, 100, 150, 200, 300, 400),
        description="numbers of examples after which a candidate may be stopped; []: never",
    )
    sequential: bool = Field(
        False, description="stop candidates that are significantly worse too, not only those that cannot matter"
    )
    error: float = Field(
        0.1, gt=0, lt=0.5, description="share of new personal bests (bayesian: of new bests) that the test may lose"
    )

    @model_validator(mode="after")
    def _somewhere(self) -> "Racing":
        if self.sequential and not self.rungs:
            raise ValueError("sequential: true stops nobody without rungs; write for example rungs: [25, 50, 100]")
        return self

    @field_validator("rungs")
    @classmethod
    def _rising(cls, rungs: tuple[int, ...]) -> tuple[int, ...]:
        if any(after <= before for before, after in zip((0, *rungs), rungs, strict=False)):
            raise ValueError("the rungs are no rising numbers of at least 1; write for example [25, 50, 100]")
        return rungs


def rung_sizes(k: int, sizes: Mapping[str, int]) -> dict[str, int]:
    """How many of each objective's examples are among the first k of all: in proportion, never fewer for a larger k."""
    taken = Counter(in_turn(sizes)[:k])
    return {name: taken[name] for name in sizes}


@dataclass(frozen=True)
class Race:
    """The race of one candidate: at which rungs a stop is possible, and whether it is called for.

    sizes, ranges, weights: by objective, in the order of the evaluation's scores: the number of its examples, its
    lowest and highest possible score, its weight in the utility. strata: the task of each of its examples.
    """

    settings: Racing
    pruning: PruningBounds
    sizes: Mapping[str, int]
    ranges: Mapping[str, tuple[float, float]]
    weights: Mapping[str, float]
    strata: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def rungs(self) -> tuple[int, ...]:
        """Numbers of examples after which a stop is possible; the last is all of them."""
        return self._rungs

    def next_rung(self, scores: Values) -> int:
        """The number of examples after which to look next, given the scores so far; in the end all of them.

        A look costs a pass of its own, so for the exact bound alone only those are taken at which a stop would come
        if the rest scored as the first did (at the start: as the last generation did) and would spare enough.
        """
        at, total = sum(map(len, scores.values())), sum(self.sizes.values())
        return next(k for k in self.rungs() if k > at and (k == total or self._tested or self._promising(k, scores)))

    def over(self, scores: Values, guides: Values) -> bool:
        """Whether to stop, given the first examples' scores and guides of every objective."""
        if all(len(scores[name]) == size for name, size in self.sizes.items()):
            return False
        return self._immaterial(scores) or self._outclassed(scores, guides)

    @cached_property
    def _rungs(self) -> tuple[int, ...]:
        return (*(k for k in self._looks() if self._possible(rung_sizes(k, self.sizes))), sum(self.sizes.values()))

    def _looks(self) -> list[int]:
        total = sum(self.sizes.values())
        return [k for k in self.settings.rungs if k < total]

    @property
    def _tested(self) -> bool:
        return self.settings.sequential and self.pruning.best is not None

    # The exact bound

    def _immaterial(self, scores: Values) -> bool:
        low, high = self._attainable(scores)
        return self.pruning.low <= low and high <= self.pruning.high

    def _attainable(self, scores: Values) -> tuple[float, float]:
        """The lowest and the highest utility that the rest can lead to.

        Sums are rounded once, and utility rises with them, so the full utility never lies outside by rounding.
        """
        ends = [
            {name: _filled(scores[name], size, self.ranges[name][end]) for name, size in self.sizes.items()}
            for end in (0, 1)
        ]
        return utility(ends[0], self.weights), utility(ends[1], self.weights)

    def _possible(self, prefix: Mapping[str, int]) -> bool:
        """Whether any scores of this prefix could end the race."""
        low, high = self.pruning.low, self.pruning.high
        if not all(prefix.values()) or (low > high and not self._tested):
            return False
        lowest = self._attainable({name: [self.ranges[name][0]] * count for name, count in prefix.items()})
        highest = self._attainable({name: [self.ranges[name][1]] * count for name, count in prefix.items()})
        fits = highest[1] - highest[0] <= high - low  # what is open spans as much whatever came before
        return self._tested or (lowest[1] <= high and low <= highest[0] and fits)

    def _promising(self, k: int, scores: Values) -> bool:
        if WORTHWHILE * (sum(self.sizes.values()) - k) < k:
            return False
        means = {name: sum(own) / len(own) for name, own in scores.items() if own} or self.pruning.expected
        if len(means) < len(self.sizes):
            return True
        prefix = rung_sizes(k, self.sizes)
        return self._immaterial({name: _filled_up(scores[name], prefix[name], mean) for name, mean in means.items()})

    # The sequential test

    def _outclassed(self, scores: Values, guides: Values) -> bool:
        """Below the personal and the global best, beyond chance, and above the worst where that matters."""
        if not self._tested or min(len(scores[name]) for name in self.sizes) < PAIRS_AT_LEAST:
            return False
        personal, best, worst = self.pruning.personal, self.pruning.best, self.pruning.worst
        assert best is not None, "tested"
        return (
            self._above(worst, scores)
            and self._upper(_minus(scores, best.scores), DOUBT) < 0
            and self._below(best, scores, guides)
            and (personal is None or (self._below(personal, scores, guides) and self._no_better(personal, scores)))
        )

    def _above(self, worst: float | None, scores: Values) -> bool:
        if worst is None:
            return True
        return -self._upper({name: [-x for x in own] for name, own in scores.items()}, self.settings.error) > worst

    def _below(self, incumbent: Incumbent, scores: Values, guides: Values) -> bool:
        """Whether the mean of the paired differences is below 0: the test that keeps to the error over all looks."""
        differences = _minus(guides, incumbent.guides) if len(self.sizes) == 1 else _minus(scores, incumbent.scores)
        return self._upper(differences, self.settings.error / len(self._looks())) < 0

    def _no_better(self, incumbent: Incumbent, scores: Values) -> bool:
        """A guard where guide and score disagree: who has scored more so far is not stopped."""
        return all(math.fsum(values) <= 0 for values in _minus(scores, incumbent.scores).values())

    def _upper(self, values: Values, level: float) -> float:
        """One-sided upper confidence bound of the weighted mean over the whole split, from the first values."""
        total = sum(self.weights[name] for name in self.sizes)
        mean = variance = 0.0
        freedom = sum(self.sizes.values())
        for name, n in self.sizes.items():
            k, share = len(values[name]), self.weights[name] / total
            spread = spread_of(values[name], self.strata.get(name, ()))
            mean += share * math.fsum(values[name]) / k
            variance += share**2 * spread.variance / k * (1 - k / n)  # sampled without replacement
            freedom = min(freedom, spread.freedom)
        return mean + float(stats.t.ppf(1 - level, freedom)) * math.sqrt(variance)


def _filled_up(scores: Sequence[float], size: int, mean: float) -> list[float]:
    return [*scores, *[mean] * (size - len(scores))]


def _filled(scores: Sequence[float], size: int, bound: float) -> float:
    """The mean of `size` scores, of which those that are not known are at the bound."""
    left = size - len(scores)
    return bound if left and math.isinf(bound) else math.fsum([*scores, *[bound] * left]) / size


def _minus(values: Values, incumbent: Values) -> dict[str, list[float]]:
    """Example by example; the rival's has all of them, of which the first are compared."""
    return {name: [x - y for x, y in zip(own, incumbent[name], strict=False)] for name, own in values.items()}

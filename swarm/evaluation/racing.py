"""Racing: a candidate is stopped once the rest of its examples cannot matter or, on request, is unlikely to.

Its examples are scored in rungs, in the search split's order, of which every prefix is a fair share of every task.
After a rung there are two reasons to stop:

- The exact bound, always on. The scores still to come are taken at their highest and at their lowest; if no utility
  between the two changes anything (`PruningBounds`), the rest is not scored. The search goes on exactly as if it had
  been.
- The sequential test (`sequential_test.py`), with `sequential: true`.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pydantic import Field, field_validator, model_validator

from swarm.core.candidates import PruningBounds
from swarm.core.settings import Settings
from swarm.data.stratified import in_turn
from swarm.evaluation.sequential_test import SequentialTest, Values
from swarm.preferences.weighted_sum import utility

# Of the examples scored by then, a stop has to spare at least this share: a look costs a pass of its own.
MIN_SPARED = 0.25


class Racing(Settings):
    """After how many examples a candidate may be stopped, and whether by a test, too."""

    rungs: tuple[int, ...] = Field(
        (25, 50, 75, 100, 150, 200, 300, 400),
        description="numbers of examples after which a candidate may be stopped; []: never",
    )
    sequential: bool = Field(
        False, description="stop candidates that are significantly worse too, not only those that cannot matter"
    )
    error: float = Field(
        0.1,
        gt=0,
        lt=0.5,
        description="share of new personal bests (guided_pso, bayesian: of new bests) that the test may lose",
    )

    @model_validator(mode="after")
    def _rungs_to_test_at(self) -> "Racing":
        if self.sequential and not self.rungs:
            raise ValueError("sequential: true needs rungs after which to test; write for example rungs: [25, 50, 100]")
        return self

    @field_validator("rungs")
    @classmethod
    def _rising(cls, rungs: tuple[int, ...]) -> tuple[int, ...]:
        if any(after <= before for before, after in zip((0, *rungs), rungs, strict=False)):
            raise ValueError("the rungs must be rising numbers of at least 1; write for example [25, 50, 100]")
        return rungs


def rung_sizes(k: int, sizes: Mapping[str, int]) -> dict[str, int]:
    """How many of each objective's examples are among the first k of all: in proportion, never fewer for a larger k."""
    taken = Counter(in_turn(sizes)[:k])
    return {name: taken[name] for name in sizes}


@dataclass(frozen=True)
class Race:
    """The race of one candidate: at which rungs a stop is possible, and whether to stop.

    Mappings are by objective, in the order of the evaluation's scores.

    settings: the rungs, and whether a sequential test is made.
    pruning: which utilities change nothing, and the incumbents of a sequential test.
    sizes: the number of examples.
    ranges: the lowest and the highest possible score.
    weights: the weight in the utility.
    strata: the task of each example.
    """

    settings: Racing
    pruning: PruningBounds
    sizes: Mapping[str, int]
    ranges: Mapping[str, tuple[float, float]]
    weights: Mapping[str, float]
    strata: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @cached_property
    def rungs(self) -> tuple[int, ...]:
        """Numbers of examples after which a stop is possible; the last is all of them."""
        return (*(k for k in self._looks if self._possible(rung_sizes(k, self.sizes))), self._total)

    def next_rung(self, scores: Values) -> int:
        """The number of examples after which to look next, given the scores so far; in the end all of them.

        A look costs a pass of its own. So for the exact bound alone, only those looks are taken at which a stop would
        come if the rest scored as the first did (at the start: as the last generation did) and would spare enough.
        """
        k_scored = sum(map(len, scores.values()))
        return next(
            k for k in self.rungs if k > k_scored and (k == self._total or self._test or self._promising(k, scores))
        )

    def over(self, scores: Values, surrogates: Values) -> bool:
        """Whether to stop, given the scores and the surrogate scores of every objective's first examples."""
        if all(len(scores[name]) == size for name, size in self.sizes.items()):
            return False
        return self._immaterial(scores) or (self._test is not None and self._test.stops(scores, surrogates))

    @property
    def _total(self) -> int:
        return sum(self.sizes.values())

    @property
    def _looks(self) -> list[int]:
        return [k for k in self.settings.rungs if k < self._total]

    @cached_property
    def _test(self) -> SequentialTest | None:
        if not self.settings.sequential or self.pruning.best is None:
            return None
        return SequentialTest(
            self.pruning, self.settings.error, len(self._looks), self.sizes, self.weights, self.strata
        )

    # The exact bound

    def _immaterial(self, scores: Values) -> bool:
        """Whether every utility that is still possible changes nothing."""
        low, high = self._attainable(scores)
        return self.pruning.low <= low and high <= self.pruning.high

    def _attainable(self, scores: Values) -> tuple[float, float]:
        """The lowest and the highest utility that the rest can lead to.

        Sums are rounded once, and utility rises with them, so rounding never puts the full utility outside.
        """
        ends = [
            {name: _mean_at_bound(scores[name], size, self.ranges[name][end]) for name, size in self.sizes.items()}
            for end in (0, 1)
        ]
        return utility(ends[0], self.weights), utility(ends[1], self.weights)

    def _possible(self, prefix: Mapping[str, int]) -> bool:
        """Whether any scores of this prefix could end the race."""
        low, high = self.pruning.low, self.pruning.high
        tested = self._test is not None
        if not all(prefix.values()) or (low > high and not tested):
            return False
        lowest = self._attainable({name: [self.ranges[name][0]] * count for name, count in prefix.items()})
        highest = self._attainable({name: [self.ranges[name][1]] * count for name, count in prefix.items()})
        fits = highest[1] - highest[0] <= high - low  # the attainable interval is as wide whatever came before
        return tested or (lowest[1] <= high and low <= highest[0] and fits)

    def _promising(self, k: int, scores: Values) -> bool:
        """Whether the exact bound would stop the race at k, and spare enough, if scores went on as they are."""
        if self._total - k < MIN_SPARED * k:
            return False
        means = {name: sum(own) / len(own) for name, own in scores.items() if own} or self.pruning.expected
        if len(means) < len(self.sizes):
            return True
        prefix = rung_sizes(k, self.sizes)
        return self._immaterial({name: _extended(scores[name], prefix[name], mean) for name, mean in means.items()})


def _extended(scores: Sequence[float], size: int, mean: float) -> list[float]:
    """Scores up to `size`, those that are not known at the mean."""
    return [*scores, *[mean] * (size - len(scores))]


def _mean_at_bound(scores: Sequence[float], size: int, bound: float) -> float:
    """The mean of `size` scores, those that are not known at the bound."""
    left = size - len(scores)
    return bound if left and math.isinf(bound) else math.fsum([*scores, *[bound] * left]) / size

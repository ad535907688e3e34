"""Statistics over seeds: means with Student's 95 % interval, paired differences, ranks, ancestors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from study.record import Record
from swarm.optimizers.randomness import Stream, draw
from swarm.statistics.intervals import CONFIDENCE


@dataclass(frozen=True)
class Mean:
    """A mean over `n` seeds with its 95 % t interval; NaN bounds for a single seed."""

    mean: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Mean":
        mean, n = float(np.mean(values)), len(values)
        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * stats.sem(values)) if n > 1 else float("nan")
        return cls(mean, mean - half, mean + half, n)


@dataclass(frozen=True)
class Row:
    """A variant over the seeds that it and the reference share; differences are variant minus reference, by seed.

    variant: its name.
    test, difference: test score of the delivered candidate.
    finalist, finalist_difference: test score of the best finalist, which is delivered if baselines take no part.
    baselines: number of seeds in which a baseline is delivered.
    share: of the reference's example evaluations.
    """

    variant: str
    test: Mean
    difference: Mean | None
    finalist: Mean
    finalist_difference: Mean | None
    baselines: int
    share: Mean


BySeed = Mapping[int, Record]


def row(variant: str, ours: BySeed, reference: BySeed) -> Row:
    seeds = sorted(set(ours) & set(reference))
    pairs = [(ours[seed], reference[seed]) for seed in seeds]
    same = ours is reference
    return Row(
        variant,
        test=Mean.of([one.test for one, _ in pairs]),
        difference=None if same else Mean.of([one.test - other.test for one, other in pairs]),
        finalist=Mean.of([one.finalist for one, _ in pairs]),
        finalist_difference=None if same else Mean.of([one.finalist - other.finalist for one, other in pairs]),
        baselines=sum(one.source != "search" for one, _ in pairs),
        share=Mean.of([one.examples / other.examples for one, other in pairs]),
    )


def rank(values: Sequence[float], i: int) -> int:
    """The rank of value i, 1 for the highest; equal values share the better rank."""
    return 1 + sum(value > values[i] for value in values)


def rank_correlation(record: Record) -> float:
    """Spearman's correlation of the particles' initial scores with their personal bests."""
    return float(stats.spearmanr(record.starts, record.bests).statistic)


def ancestors(experts: int, particles: int, seed: int) -> list[frozenset[int]]:
    """The experts that each particle of Model Swarms' first generation descends from, by the same random draws."""
    found = [frozenset([i]) for i in range(experts)]
    for i in range(experts, particles):
        one, other = draw(seed, 0, i, Stream.START).choice(i, size=2, replace=False)
        found.append(found[one] | found[other])
    return found


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The 95 % Wilson interval of a share."""
    interval = stats.binomtest(hits, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)

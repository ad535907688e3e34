"""What a sweep shows: scores against coefficients, how monotonic they are, where they cross, what spills over.

Shape suffixes: K coefficients, P examples, B resamples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy import stats

from swarm.core.space import Array
from swarm.statistics.intervals import (
    ANY,
    CONFIDENCE,
    Difference,
    Range,
    Score,
    mean_interval,
    paired_bootstrap,
    t_interval,
)

CROSSING_RESAMPLES = 500
LEAST_SHARE = 0.5  # of the resamples that must cross, too, for an interval: else it says little of where


@dataclass(frozen=True)
class Row:
    """One candidate of a sweep.

    id: of the candidate.
    coefficients: expert -> its coefficient; 0 where it takes no part.
    examples: objective -> one score per example.
    margins: objective -> one margin per example; objectives without are left out.
    ranges: objective -> the lowest and the highest score that an example can have, where they are known.
    """

    id: str
    coefficients: Mapping[str, float]
    examples: Mapping[str, Sequence[float]]
    margins: Mapping[str, Sequence[float]] = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)

    @cached_property
    def scored(self) -> Mapping[str, tuple[Score, Score | None]]:
        """Objective -> mean score and mean margin, with their intervals."""
        return {
            name: (
                mean_interval(scores, self.ranges.get(name, ANY)),
                t_interval(self.margins[name]) if name in self.margins else None,
            )
            for name, scores in self.examples.items()
        }


@dataclass(frozen=True)
class Point:
    """Score and margin at one coefficient. margin: in nats a token, bytes or logits; None where there is none."""

    coefficient: float
    score: Score
    margin: Score | None


@dataclass(frozen=True)
class Curve:
    """One objective against one expert's coefficient, all others at 0.

    monotonicity: Spearman's rank correlation of coefficient and margin, or score where there is no margin: 1 rises
        throughout, -1 falls. None where nothing changes.
    """

    expert: str
    objective: str
    points: tuple[Point, ...]
    monotonicity: float | None


@dataclass(frozen=True)
class Crossing:
    """Where the scores of two objectives are equal, between two coefficients by a straight line.

    below, above: the objective that leads below, and the one above.
    low, high: 95 % interval by a bootstrap over the examples; None where half of the resamples do not cross.
    """

    expert: str
    below: str
    above: str
    at: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Sweep:
    """All that a sweep found.

    rows: every candidate.
    curves: of each expert and objective.
    spillover: expert -> objective -> change of the score from coefficient 0 to 1.
    cosines: expert -> expert -> cosine of the angle between their updates.
    norms: expert -> the Frobenius norm of its update.
    facts: what was swept: base, split and the like, for JSON and the page.
    """

    rows: tuple[Row, ...]
    curves: tuple[Curve, ...]
    crossings: tuple[Crossing, ...]
    spillover: Mapping[str, Mapping[str, Difference]]
    cosines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    norms: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)


def swept(rows: Sequence[Row], experts: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Sweep:
    """pairs: the objectives whose curves are compared. Both of a pair have the same examples."""
    along = {name: _along(rows, name) for name in experts}
    curves = [_curve(name, objective, line) for name, line in along.items() for objective in line[0].examples]
    crossings = [each for name, line in along.items() for pair in pairs for each in _crossings(name, line, pair)]
    spill = {name: found for name, line in along.items() if (found := _spillover(line, name))}
    return Sweep(tuple(rows), tuple(curves), tuple(crossings), spill)


def _along(rows: Sequence[Row], expert: str) -> list[Row]:
    """The rows in which this expert alone takes part, by its coefficient."""
    alone = [row for row in rows if not any(c for name, c in row.coefficients.items() if name != expert)]
    return sorted(alone, key=lambda row: row.coefficients[expert])


def _curve(expert: str, objective: str, line: Sequence[Row]) -> Curve:
    points = tuple(Point(row.coefficients[expert], *row.scored[objective]) for row in line)
    values_K = [(point.margin or point.score).mean for point in points]
    return Curve(expert, objective, points, monotonicity([point.coefficient for point in points], values_K))


def monotonicity(x_K: Sequence[float], y_K: Sequence[float]) -> float | None:
    """Spearman's rank correlation; None where one of them does not vary."""
    if len(x_K) < 2 or np.ptp(x_K) == 0 or np.ptp(y_K) == 0:
        return None
    return float(stats.spearmanr(x_K, y_K).statistic)


def _spillover(line: Sequence[Row], expert: str) -> dict[str, Difference]:
    at = {row.coefficients[expert]: row for row in line}
    if 0.0 not in at or 1.0 not in at:  # one of them failed
        return {}
    return {name: paired_bootstrap(scores, at[0.0].examples[name]) for name, scores in at[1.0].examples.items()}


def _crossings(expert: str, line: Sequence[Row], pair: tuple[str, str]) -> list[Crossing]:
    x_K = np.array([row.coefficients[expert] for row in line])
    d_PK = np.array([np.subtract(row.examples[pair[1]], row.examples[pair[0]]) for row in line]).T
    mean_K = d_PK.mean(axis=0)
    found_J = crossings(x_K, mean_K)
    if not len(found_J):
        return []
    rng = np.random.default_rng(0)
    counts_BP = rng.multinomial(len(d_PK), np.full(len(d_PK), 1 / len(d_PK)), CROSSING_RESAMPLES)
    resampled = [crossings(x_K, mean_K) for mean_K in counts_BP @ d_PK / len(d_PK)]
    made = []
    for at, rises in zip(found_J, _rises(x_K, mean_K), strict=True):
        nearest = [each[np.abs(each - at).argmin()] for each in resampled if len(each)]
        known = len(nearest) >= LEAST_SHARE * CROSSING_RESAMPLES
        ends = np.quantile(nearest, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]) if known else (None, None)
        low, high = (None if end is None else float(end) for end in ends)
        made.append(Crossing(expert, *(pair if rises else pair[::-1]), float(at), low, high))
    return made


def crossings(x_K: Array, d_K: Array) -> Array:
    """Where the straight lines between the points are 0. Where they are 0 for long, its middle counts."""
    return np.array([at for at, _ in _changes(x_K, d_K)])


def _rises(x_K: Array, d_K: Array) -> list[bool]:
    """Of each crossing, whether the difference rises through 0."""
    return [rises for _, rises in _changes(x_K, d_K)]


def _changes(x_K: Array, d_K: Array) -> list[tuple[float, bool]]:
    signed = [(float(x), float(d)) for x, d in zip(x_K, d_K, strict=True) if abs(d) > 1e-12]
    found = []
    for (x0, d0), (x1, d1) in pairwise(signed):
        if d0 * d1 < 0:
            between = [float(x) for x in x_K if x0 < x < x1]  # where both are equal
            at = (between[0] + between[-1]) / 2 if between else x0 + (x1 - x0) * d0 / (d0 - d1)
            found.append((at, d1 > 0))
    return found

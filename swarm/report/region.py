"""The good region: candidates whose search score is within one standard error of the highest, and their coefficients.

Shape suffixes: N candidates, P examples.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from swarm.core.space import Array
from swarm.journal.packed import PackedScores, unpack_rows
from swarm.journal.records import ScoredRecord
from swarm.preferences.weighted_sum import utility
from swarm.report.coefficients import columns_of
from swarm.report.read_journal import Journal
from swarm.report.weights import acting

ROWS = 1_000  # candidates compared at a time, which bounds the memory
ROUNDING = 1e-9  # of floats: one example of difference is as large as its standard error, and is within it
LEAST = 5  # candidates: with fewer, percentiles are little more than the extremes


@dataclass(frozen=True)
class Range:
    """The 10th and the 90th percentile of a coefficient over the region."""

    low: float
    high: float


@dataclass(frozen=True)
class Region:
    """The good candidates and the ranges of their coefficients.

    ids: the candidates, the highest first.
    alike: how many of them, from the first on, are within one standard error of the highest.
    compared: how many candidates they were chosen from.
    objectives: how many there are.
    ranges: expert -> group -> range, as in `Coefficients`.
    """

    ids: tuple[str, ...]
    alike: int
    compared: int
    objectives: int
    ranges: Mapping[str, Mapping[str, Range]]


def good_region(journal: Journal, weights: Mapping[str, float]) -> Region | None:
    """The candidates within one standard error, of the paired difference, of the highest weighted mean of objectives.

    Where these are fewer than LEAST, the next highest are added. None where the search has fewer full evaluations.
    """
    lines = _whole(journal)
    if len(lines) < LEAST:
        return None
    gap_N, error_N = _behind(lines, weights)
    order_N = np.argsort(gap_N, kind="stable")
    alike_N = gap_N <= error_N * (1 + ROUNDING)
    alike = [lines[i] for i in order_N if alike_N[i]]
    others = [lines[i] for i in order_N if not alike_N[i]]
    good = alike + others[: max(0, LEAST - len(alike))]
    return Region(
        tuple(line.id for line in good), len(alike), len(lines), len(lines[0].examples), _ranges(good, journal)
    )


def _whole(journal: Journal) -> list[ScoredRecord]:
    """The full evaluations, each position once: a stopped or failed one cannot be compared."""
    scored = [line for line in journal.searched if line.status == "ok" and not line.repeated and line.examples]
    most = max((line.n_examples for line in scored), default=0)
    return [line for line in scored if line.n_examples == most]


def _behind(lines: list[ScoredRecord], weights: Mapping[str, float]) -> tuple[Array, Array]:
    """The difference of each from the highest, and its standard error: two arrays (N,)."""
    whole_N = np.array([utility(line.scores, weights) for line in lines])
    total = sum(weights[name] for name in lines[0].examples)
    gap_N, variance_N = np.zeros(len(lines)), np.zeros(len(lines))
    for name in lines[0].examples:
        scores = [line.examples for line in lines]
        share, highest_P = weights[name] / total, scores[whole_N.argmax()].array(name)
        for at in range(0, len(lines), ROWS):
            rows = slice(at, at + ROWS)
            behind_NP = highest_P - PackedScores.table(scores[rows], name)
            gap_N[rows] += share * behind_NP.mean(axis=1)
            variance_N[rows] += share**2 * behind_NP.var(axis=1) / max(1, behind_NP.shape[1] - 1)
    return gap_N, np.sqrt(variance_N)


def _ranges(good: list[ScoredRecord], journal: Journal) -> Mapping[str, Mapping[str, Range]]:
    if not journal.start.coordinates:
        return {}
    units_D = [journal.scales.get(name, 1.0) for name in journal.start.coordinates]
    x_ND = unpack_rows([line.packed_position for line in good]) * np.array(units_D)
    values_DN = [
        [acting(name, x) for x in x_N] for name, x_N in zip(journal.start.coordinates, x_ND.T.tolist(), strict=False)
    ]
    ranges = [Range(*np.percentile(values_N, [10, 90]).tolist()) for values_N in values_DN]
    return {e: {group: ranges[at] for group, at in groups.items()} for e, groups in columns_of(journal).items()}

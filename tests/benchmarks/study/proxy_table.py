"""What ways of answering score in the study of proxy-tuning: figures with intervals, and their tables.

Shape suffixes: P examples, D draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from study.tables import markdown
from swarm.statistics.lower_bounds import paired_lower_bound

BASE, DIRECT = "large", "large-tuned"
DRAWS = 10_000  # of the bootstrap

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """What one way of answering scores, in shares of 1. Intervals are 95 %.

    c: the coefficient of proxy-tuning; None for a model alone.
    task: on the test split. closed: how much of the gap between the large model and its direct tuning.
    facts: of all facts. change: of the facts, from the large model.
    lost: how many facts that the large model has right are wrong now.
    """

    name: str
    c: float | None
    task: float
    closed: tuple[float, float, float]
    facts: float
    change: tuple[float, float, float]
    lost: int


def closed(ours_P: Array, base_P: Array, direct_P: Array) -> tuple[float, float, float]:
    """(ours - base) / (direct - base), with the percentile bootstrap's interval over the P examples."""
    draws_DP = np.random.default_rng(0).integers(len(ours_P), size=(DRAWS, len(ours_P)))
    gains_D, gaps_D = (one_P[draws_DP].mean(axis=1) for one_P in (ours_P - base_P, direct_P - base_P))
    low, high = np.percentile(gains_D / gaps_D, [2.5, 97.5])
    return float((ours_P - base_P).mean() / (direct_P - base_P).mean()), float(low), float(high)


def change(ours_P: Array, base_P: Array) -> tuple[float, float, float]:
    """Ours minus the base's on the same examples, with Tango's score interval for right and wrong answers."""
    low = paired_lower_bound(ours_P, base_P, 0.975)
    return float((ours_P - base_P).mean()), low, -paired_lower_bound(base_P, ours_P, 0.975)


def table(rows: Sequence[Row], task: str) -> str:
    """In per cent and percentage points."""
    head = ["", "c", f"{task}, test", "share of the gap closed", "facts", "change of the facts", "known facts lost"]
    lines = [
        [
            row.name,
            "" if row.c is None else f"{row.c:.2f}",
            f"{100 * row.task:.1f}",
            "" if row.name in (BASE, DIRECT) else _interval(row.closed, ""),
            f"{100 * row.facts:.1f}",
            "" if row.name == BASE else _interval(row.change, "+"),
            "" if row.name == BASE else str(row.lost),
        ]
        for row in rows
    ]
    return markdown(head, lines)


def by_seed(seeds: Sequence[Sequence[Row]]) -> str:
    """What the searches of all seeds delivered: the mean, and from the least to the most."""
    names = ("c = 1", "searched")
    found = {name: [row for rows in seeds for row in rows if row.name == name] for name in names}
    head = [f"{len(seeds)} seeds", "c", "share of the gap closed", "facts"]
    lines = [
        [
            name,
            _range([row.c or 0.0 for row in rows], 1, 2),
            _range([row.closed[0] for row in rows], 100, 1),
            _range([row.facts for row in rows], 100, 1),
        ]
        for name, rows in found.items()
    ]
    return markdown(head, lines)


def _interval(found: tuple[float, float, float], sign: str) -> str:
    value, low, high = (f"{100 * each:{sign}.1f}" for each in found)
    return f"{value} ({low} to {high})"


def _range(values: Sequence[float], scale: float, digits: int) -> str:
    mean, low, high = (f"{scale * v:.{digits}f}" for v in (np.mean(values), min(values), max(values)))
    return mean if low == high else f"{mean} ({low} to {high})"

"""The hypervolume of the observed front over the evaluations of a search.

Shape suffixes: N candidates, K objectives.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from swarm.core.dominance import non_dominated
from swarm.core.space import Array
from swarm.preferences.front import hypervolume
from swarm.report.front import search_scores
from swarm.report.read_journal import Journal

MOST = 400  # places at which it is computed; between them the line is straight


@dataclass(frozen=True)
class FrontCurve:
    """The hypervolume of all that was scored by then, on the search split.

    total: evaluations, without repeats; the first `known` of them another run had made before this one continued it.
    points: (evaluations, hypervolume), from the first evaluation to the last.
    """

    total: int
    known: int
    points: tuple[tuple[int, float], ...]


def front_curve(journal: Journal, reference: Mapping[str, float]) -> FrontCurve | None:
    """In the journal's order. reference: objective -> where gains count from. None where nothing was scored."""
    scores_NK = search_scores(journal, tuple(reference))
    total, reference_K = len(scores_NK), np.array(list(reference.values()))
    if not np.isfinite(scores_NK).all(axis=1).any():
        return None
    places = sorted({round(at) for at in np.linspace(1, total, min(total, MOST))})
    points, front_MK, before = [], scores_NK[:0], 0
    for at in places:
        front_MK = _front(np.vstack([front_MK, scores_NK[before:at]]))
        before = at
        points.append((at, hypervolume(front_MK, reference_K) if len(front_MK) else 0.0))
    known = sum(not line.repeated for line in journal.known)
    return FrontCurve(total, known, tuple(points))


def _front(scores_MK: Array) -> Array:
    kept_MK: Array = scores_MK[non_dominated(scores_MK)]
    return kept_MK

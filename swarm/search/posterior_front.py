"""The finalists of a search in which several things count: by the posterior means of what was measured.

Posterior means average over neighbours, so a lucky score alone makes no member. Where there are floors, half of the
finalists are of those that keep them even if the process is wrong by CAUTION deviations: the search split favours those
that only seem to.

Shape suffixes: N observations, W directions.
"""

from collections.abc import Sequence
from itertools import chain, zip_longest

import numpy as np

from swarm.core.candidates import Candidate, Evaluation
from swarm.core.space import Array, Space
from swarm.optimizers.front_acquisition import directions, scalarised
from swarm.optimizers.front_model import FrontModel
from swarm.optimizers.positions import to_unit_cube
from swarm.optimizers.thread_limits import one_blas_thread
from swarm.preferences.goals import Goals

CAUTION = 1.64
DIRECTIONS = 256


def posterior_finalists(space: Space, evaluations: Sequence[Evaluation], goals: Goals, count: int) -> list[Candidate]:
    """The best by the posterior means, at most `count`. evaluations: scored in full, each position once."""
    pairs = [(e, measured) for e in evaluations if (measured := goals.measured(e)) is not None]
    candidates = [evaluation.candidate for evaluation, _ in pairs]
    if len(candidates) <= 1:
        return candidates
    positions_ND = to_unit_cube(space, np.array([candidate.position for candidate in candidates]))
    with one_blas_thread():
        model = FrontModel.fitted(space, positions_ND, [measured for _, measured in pairs])
        w_WK = directions(DIRECTIONS, len(model.objectives), np.random.default_rng(0))
        values_NW = scalarised(model.expected(model.x_ND) - model.reference_K, w_WK)
        lists = [_ordered(values_NW, model.kept(model.x_ND, optimism)) for optimism in (0.0, -CAUTION)]
    rows = lists[0] if not model.floors else [row for row in chain(*zip_longest(*lists)) if row is not None]
    return [candidates[row] for row in dict.fromkeys(rows)][:count]


def _ordered(values_NW: Array, slack_N: Array) -> list[int]:
    """Those that keep the floors, each adding most to those before it; then those that come nearest to them."""
    kept = np.flatnonzero(slack_N >= 0.0)
    order, best_W = list[int](), np.zeros(values_NW.shape[1])
    left = list(kept)
    while left:
        gain = [float(np.maximum(values_NW[row] - best_W, 0.0).mean()) for row in left]
        row = left.pop(int(np.argmax(gain)))
        if max(gain) <= 0.0:
            left.append(row)
            break
        order.append(int(row))
        best_W = np.maximum(best_W, values_NW[row])
    rest = sorted(left, key=lambda row: -float(values_NW[row].mean()))
    broken = sorted(np.flatnonzero(slack_N < 0.0), key=lambda row: -slack_N[row])
    return [*order, *map(int, rest), *map(int, broken)]

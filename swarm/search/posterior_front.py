"""The finalists of a search in which several things count: by the posterior means of what was measured.

Posterior means average over neighbours, so a lucky score alone makes no member. Where there are floors, finalists range
from bold to safe: how much of its slack the select split will confirm is not known beforehand.

Shape suffixes: N observations, W directions.
"""

from collections.abc import Collection, Sequence
from itertools import chain, zip_longest

import numpy as np

from swarm.core.candidates import Candidate, Evaluation
from swarm.core.dominance import non_dominated
from swarm.core.space import Array, Space
from swarm.optimizers.front_acquisition import directions, scalarised
from swarm.optimizers.front_model import FrontModel
from swarm.optimizers.gaussian_process import DIGITS
from swarm.optimizers.positions import to_unit_cube
from swarm.optimizers.thread_limits import one_blas_thread
from swarm.preferences.goals import Goals, standard_error

# What a finalist is to keep beyond what the select split is expected to ask for, in standard errors of a slack.
LEVELS = (0.0, 1.0, -0.7, 0.5, 2.0)
DIRECTIONS = 256


def posterior_finalists(
    space: Space,
    evaluations: Sequence[Evaluation],
    goals: Goals,
    count: int,
    apart: Collection[tuple[float, ...]] = (),
) -> list[Candidate]:
    """The best by the posterior means, at most `count`.

    evaluations: scored in full, each position once. apart: positions that the processes learn from, as from all, but
    that make no finalists.
    """
    others = [row for row, each in enumerate(evaluations) if each.candidate.position not in apart]
    if len(evaluations) <= 1:
        return [evaluations[row].candidate for row in others]
    with one_blas_thread():
        model = _model(space, evaluations, goals)
        w_WK = directions(DIRECTIONS, len(model.objectives), np.random.default_rng(0))
        values_NW = scalarised(model.expected(model.x_ND) - model.reference_K, w_WK)
        slack_N = model.kept(model.x_ND)
    levels = LEVELS if model.floors else (0.0,)
    error = _error(evaluations, goals)
    lists = [_ordered(values_NW[others], slack_N[others] - level * error) for level in levels]
    rows = [others[row] for row in chain(*zip_longest(*lists)) if row is not None]
    return [evaluations[row].candidate for row in dict.fromkeys(rows)][:count]


def safest_first(
    space: Space, evaluations: Sequence[Evaluation], goals: Goals, members: Sequence[Evaluation]
) -> tuple[int, ...]:
    """The rows of the members, those first that keep the floors by most, by the posterior means on the search split.

    Members that are no better in anything than a safer one come after all others: nobody would deliver them, and a
    test of one that fails ends all tests.
    """
    if not goals.floors or len(evaluations) <= 1:
        return tuple(range(len(members)))
    with one_blas_thread():
        model = _model(space, evaluations, goals)
        x_MD = to_unit_cube(space, np.array([member.candidate.position for member in members]))
        slack_M, expected_MK = np.round(model.kept(x_MD), DIGITS), np.round(model.expected(x_MD), DIGITS)
    wanted_M = non_dominated(np.column_stack([expected_MK, slack_M]))
    return tuple(int(row) for row in np.lexsort((-slack_M, ~wanted_M)))


def _model(space: Space, evaluations: Sequence[Evaluation], goals: Goals) -> FrontModel:
    positions_ND = to_unit_cube(space, np.array([evaluation.candidate.position for evaluation in evaluations]))
    return FrontModel.fitted(space, positions_ND, [found for e in evaluations if (found := goals.measured(e))])


def _error(evaluations: Sequence[Evaluation], goals: Goals) -> float:
    """The largest standard error of a floor's score on the select split, of a typical candidate."""
    typical = [
        goals.error_ratio.get(name, 1.0) * float(np.median([standard_error(e.examples[name]) for e in evaluations]))
        for name in goals.floors
    ]
    return max(typical, default=0.0)


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

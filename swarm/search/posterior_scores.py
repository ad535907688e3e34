"""Scores on the search split, smoothed over neighbouring positions by a Gaussian process.

A plain score of few examples is partly luck: neighbours that are hardly better or worse differ by an answer or two. The
process that guides `guided_pso` and `bayesian` averages over them, and its mean is what the search split says of a
position. For that it takes more for noise than it does where it guides a search, and no utility is raised to a
quantile: both made a choice by its mean better (docs/results/discovery.md).

Shape suffixes: N evaluations, M positions that are asked about.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from swarm.core.candidates import Evaluation
from swarm.core.space import Array, Space
from swarm.optimizers.gaussian_process import GaussianProcess, Kernel, likeliest_kernel
from swarm.optimizers.positions import to_unit_cube
from swarm.optimizers.surrogate import BEST_SHARE, MAX_OBSERVATIONS
from swarm.optimizers.thread_limits import one_blas_thread
from swarm.preferences.weighted_sum import Weights, utility

Position = tuple[float, ...]
NOISE = 0.3  # variance, relative to the function's. Fitted to a search's scores it is mostly a tenth of that, or less


def posterior_scores(
    space: Space, evaluations: Sequence[Evaluation], weights: Weights, positions: Sequence[Position]
) -> list[dict[str, float]] | None:
    """The posterior means at positions: objective -> its mean score. None where all utilities are equal.

    evaluations: scored in full, each position once; those of another search in its order, the others in any.

    All objectives are smoothed with the kernel that is likeliest for the utility. So the utility of these means is the
    posterior mean of the utility.
    """
    known = _kept(sorted(evaluations, key=lambda e: e.candidate.age), weights)
    utilities_N = np.array([utility(each.scores, weights) for each in known])
    if len(known) < 2 or np.ptp(utilities_N) == 0.0:
        return None
    x_ND = to_unit_cube(space, np.array([each.candidate.position for each in known]))
    x_MD = to_unit_cube(space, np.array(positions))
    with one_blas_thread():
        kernel = _kernel(x_ND.tobytes(), utilities_N.tobytes(), x_ND.shape[1])
        scores_M = {
            name: _smoothed(x_ND, np.array([each.scores[name] for each in known]), kernel, x_MD)
            for name in known[0].scores
        }
    return [{name: float(values_M[row]) for name, values_M in scores_M.items()} for row in range(len(positions))]


def _kept(evaluations: Sequence[Evaluation], weights: Weights) -> Sequence[Evaluation]:
    """At most MAX_OBSERVATIONS: the first ones, which are spread out and hold the baselines, and the best others."""
    if len(evaluations) <= MAX_OBSERVATIONS:
        return evaluations
    first = MAX_OBSERVATIONS - int(BEST_SHARE * MAX_OBSERVATIONS)
    others = sorted(range(first, len(evaluations)), key=lambda row: -utility(evaluations[row].scores, weights))
    return [evaluations[row] for row in (*range(first), *sorted(others[: MAX_OBSERVATIONS - first]))]


@lru_cache(maxsize=1)  # the choice and its prediction ask for the same one
def _kernel(positions: bytes, utilities: bytes, dimensions: int) -> Kernel:
    """The likeliest with that noise. positions: in the unit cube; both float64."""
    x_ND, y_N = np.frombuffer(positions).reshape(-1, dimensions), np.frombuffer(utilities)
    return likeliest_kernel(x_ND, (y_N - y_N.mean()) / y_N.std(), noises=(NOISE,))


def _smoothed(x_ND: Array, y_N: Array, kernel: Kernel, x_MD: Array) -> Array:
    """The posterior mean of one objective. Shape M."""
    if np.ptp(y_N) == 0.0:
        return np.full(len(x_MD), y_N[0])
    return GaussianProcess.fitted(x_ND, y_N, kernel).expected(x_MD)

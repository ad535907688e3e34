"""What a search for a front delivers: the observed front, and that of posterior means by one process for all methods.

Shape suffixes: N observations, K objectives, D coordinates.
"""

from itertools import product

import moocore
import numpy as np
from scipy.linalg import cho_factor, cho_solve

from fronts_bed.problem import Scores
from swarm.core.space import Array, Space
from swarm.optimizers.gaussian_process import matern
from swarm.optimizers.positions import to_unit_cube

LENGTHS = (0.1, 0.15, 0.22, 0.33, 0.5, 0.75, 1.1, 1.7, 2.5)  # times the root of D
SCALES = (0.1, 0.3, 1.0, 3.0, 10.0)  # variances of the function, relative to the observations'


def hypervolume(values_NK: Array, reference_K: Array) -> float:
    """The volume that some point dominates and the reference point does not exceed (Zitzler & Thiele 1998)."""
    return float(moocore.hypervolume(values_NK, ref=reference_K, maximise=True)) if len(values_NK) else 0.0


def front_of(values_NK: Array, feasible_N: np.ndarray) -> np.ndarray:
    """The rows of the feasible points that no other feasible point dominates; of equal ones the first."""
    rows: np.ndarray = np.flatnonzero(feasible_N)
    return rows[moocore.is_nondominated(values_NK[rows], maximise=True)] if len(rows) else rows


def posterior_means(space: Space, x_ND: Array, scores: Scores) -> Array:
    """The expected value of every objective at the observed positions. Shape NK."""
    unit_ND = to_unit_cube(space, x_ND)
    columns = zip(scores.values_NK.T, scores.errors_NK.T, strict=True)
    return np.stack([posterior_mean(unit_ND, y_N, error_N) for y_N, error_N in columns], axis=1)


def posterior_mean(unit_ND: Array, y_N: Array, error_N: Array) -> Array:
    """Of the likeliest process with Matérn's kernel and this noise (Rasmussen & Williams 2006, eq. 2.25). Shape N."""
    variance = float(y_N.var())
    if variance == 0.0:
        return y_N
    noise_NN = np.diag(np.square(error_N))
    fits = []
    for length, scale in product(LENGTHS, SCALES):
        kernel_NN = scale * variance * matern(unit_ND, unit_ND, length * np.sqrt(unit_ND.shape[1]))
        factor = cho_factor(kernel_NN + noise_NN, lower=True)
        solved_N1, solved_N = cho_solve(factor, np.ones(len(y_N))), cho_solve(factor, y_N)
        constant = solved_N.sum() / solved_N1.sum()
        weights_N = solved_N - constant * solved_N1
        likelihood = -0.5 * (y_N - constant) @ weights_N - np.log(np.diag(factor[0])).sum()  # eq. 2.30
        fits.append((likelihood, constant + kernel_NN @ weights_N))
    mean_N: Array = max(fits, key=lambda fit: float(fit[0]))[1]
    return mean_N

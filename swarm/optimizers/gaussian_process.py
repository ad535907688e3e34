"""A Gaussian process over utilities: what is to be expected anywhere, and how sure that is (Rasmussen & Williams 2006).

Utilities are a constant plus a smooth function plus noise. The kernel is Matérn's with nu 5/2, the same in all
directions; its length and the share of noise are those of a grid that make what was seen most likely.

What decides is rounded to far fewer digits than linear algebra gets wrong: a resumed search chooses as it did before,
also where another number of threads sums up in another order.

Shape suffixes: N points seen, M points asked, D coordinates.
"""

from dataclasses import dataclass

import numpy as np

from swarm.core.space import Array

LENGTHS = (0.1, 0.15, 0.22, 0.33, 0.5, 0.75, 1.1, 1.7, 2.5)  # times the root of D
NOISES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # variances, of the function's
DIGITS = 7  # of what is compared, where the utilities' standard deviation is 1


def matern(a_ND: Array, b_MD: Array, length: float) -> Array:
    """Matérn's kernel with nu 5/2 (eq. 4.17). Shape NM."""
    squares_NM = np.square(a_ND).sum(1)[:, None] + np.square(b_MD).sum(1) - 2.0 * a_ND @ b_MD.T
    r_NM = np.sqrt(5.0 * np.maximum(squares_NM, 0.0)) / length
    kernel_NM: Array = (1.0 + r_NM + np.square(r_NM) / 3.0) * np.exp(-r_NM)
    return kernel_NM


@dataclass(frozen=True)
class GaussianProcess:
    """A fitted process, of utilities less `centre`, over `unit` (their mean and standard deviation).

    mean: the constant. scale: standard deviation of the function. noise: variance of the noise, over scale^2.
    """

    x_ND: Array
    centre: float
    unit: float
    length: float
    noise: float
    mean: float
    scale: float
    root_NN: Array
    weights_N: Array

    @classmethod
    def fitted(cls, x_ND: Array, y_N: Array) -> "GaussianProcess":
        """The process that makes y_N most likely at x_ND: at least two points, not all of one utility."""
        centre, unit = float(y_N.mean()), float(y_N.std())
        y_N = (y_N - centre) / unit
        fits = [_fit(x_ND, y_N, length * np.sqrt(x_ND.shape[1])) for length in LENGTHS]
        _, length, noise, mean, scale = max(fits)
        kernel_NN = matern(x_ND, x_ND, length) + noise * np.eye(len(y_N))
        root_NN: Array = np.asarray(np.linalg.cholesky(kernel_NN), dtype=np.float64)
        weights_N = np.linalg.solve(root_NN.T, np.linalg.solve(root_NN, y_N - mean))
        return cls(x_ND, centre, unit, length, noise, mean, scale, root_NN, weights_N)

    def expected(self, x_MD: Array) -> Array:
        """The posterior mean (eq. 2.25), in utility. Shape M."""
        expected_M: Array = self.centre + self.unit * self._standard(matern(x_MD, self.x_ND, self.length))
        return expected_M

    def _standard(self, kernel_MN: Array) -> Array:
        standard_M: Array = np.round(kernel_MN @ self.weights_N + self.mean, DIGITS)
        return standard_M

    def chosen(self, x_MD: Array, kappas: Array, pending_KD: Array) -> list[int]:
        """For each kappa another row, of greatest mean + kappa x standard deviation, one after the other.

        The deviations are those that the outcomes of what is pending, and of what was chosen before, will leave,
        whatever they are: so choices keep apart (GP-BUCB; Desautels et al. 2014, eq. 7).
        """
        pending, x_MD = len(pending_KD), np.vstack([pending_KD, x_MD])
        kernel_NM = matern(self.x_ND, x_MD, self.length)
        mean_M, known_NM = self._standard(kernel_NM.T), np.linalg.solve(self.root_NN, kernel_NM)
        variance_M = np.maximum(1.0 - np.square(known_NM).sum(0), 0.0)
        rows, learnt = list[int](), np.empty((0, len(x_MD)))
        for turn in range(pending + len(kappas)):
            row = turn
            if turn >= pending:
                sd_M = self.scale * np.sqrt(np.round(variance_M, DIGITS))
                hopes_M = mean_M + kappas[turn - pending] * sd_M
                hopes_M[rows] = -np.inf  # nobody is asked twice
                row = int(hopes_M.argmax())
            rows.append(row)
            shared_M = matern(x_MD, x_MD[row : row + 1], self.length)[:, 0] - known_NM.T @ known_NM[:, row]
            shared_M -= learnt.T @ learnt[:, row]
            gained_M = shared_M / np.sqrt(max(shared_M[row], 0.0) + self.noise)
            learnt = np.vstack([learnt, gained_M])
            variance_M = np.maximum(variance_M - np.square(gained_M), 0.0)
        return [row - pending for row in rows[pending:]]


def _fit(x_ND: Array, y_N: Array, length: float) -> tuple[float, float, float, float, float]:
    """Log marginal likelihood (eq. 2.30, scale and constant at their best), length, noise, constant, scale."""
    values_N, vectors_NN = np.linalg.eigh(matern(x_ND, x_ND, length))
    y_N, ones_N = vectors_NN.T @ y_N, vectors_NN.sum(axis=0)
    fits = []
    for noise in NOISES:
        variance_N = np.maximum(values_N, 0.0) + noise
        mean = (ones_N * y_N / variance_N).sum() / (np.square(ones_N) / variance_N).sum()
        scale = np.sqrt((np.square(y_N - mean * ones_N) / variance_N).mean())
        likelihood = -len(y_N) * np.log(scale) - 0.5 * np.log(variance_N).sum()
        fits.append((round(float(likelihood), DIGITS), float(length), noise, float(mean), round(float(scale), DIGITS)))
    return max(fits)

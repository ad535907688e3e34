"""Gaussian process regression: the expected utility anywhere, and its uncertainty (Rasmussen & Williams 2006).

Utilities are a constant plus a smooth function plus noise. The kernel is Matérn's with nu 5/2, the same in all
directions; its length and the variance of the noise are those of a grid that make the observations most likely.

Values that decide something are rounded to far fewer digits than linear algebra gets wrong. So a resumed search
chooses as it did before, even where another number of threads sums in another order.

Shape suffixes: N observations, M points that are asked about, D coordinates.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from swarm.core.space import Array

LENGTHS = (0.1, 0.15, 0.22, 0.33, 0.5, 0.75, 1.1, 1.7, 2.5)  # times the root of D, as distances in a cube grow with it
NOISES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # variances, relative to the function's: from hardly any to half of all
DIGITS = 7  # of values that are compared, in units of the utilities' standard deviation; see above


def matern(a_ND: Array, b_MD: Array, length: float) -> Array:
    """Matérn's kernel with nu 5/2 (eq. 4.17). Shape NM."""
    squares_NM = np.square(a_ND).sum(1)[:, None] + np.square(b_MD).sum(1) - 2.0 * a_ND @ b_MD.T
    r_NM = np.sqrt(5.0 * np.maximum(squares_NM, 0.0)) / length
    kernel_NM: Array = (1.0 + r_NM + np.square(r_NM) / 3.0) * np.exp(-r_NM)
    return kernel_NM


class Fit(NamedTuple):
    """Hyperparameters, and how likely they make the observations. The greatest is the likeliest.

    likelihood: log marginal likelihood, up to a constant.
    length: of the kernel.
    noise: variance of the noise, over scale^2.
    constant: mean of the function.
    scale: standard deviation of the function.
    """

    likelihood: float
    length: float
    noise: float
    constant: float
    scale: float


@dataclass(frozen=True)
class GaussianProcess:
    """A process fitted to standardised utilities: less `y_mean`, over `y_std`.

    x_ND: the observed positions.
    cholesky_NN: lower factor of the observations' covariance, over scale^2.
    weights_N: that covariance's inverse times the observations less the constant.
    """

    x_ND: Array
    y_mean: float
    y_std: float
    fit: Fit
    cholesky_NN: Array
    weights_N: Array

    @classmethod
    def fitted(cls, x_ND: Array, y_N: Array) -> "GaussianProcess":
        """The process that makes y_N most likely at x_ND: at least two observations, not all of one utility."""
        y_mean, y_std = float(y_N.mean()), float(y_N.std())
        y_N = (y_N - y_mean) / y_std
        fit = max(likeliest(x_ND, y_N, length * np.sqrt(x_ND.shape[1])) for length in LENGTHS)
        kernel_NN = matern(x_ND, x_ND, fit.length) + fit.noise * np.eye(len(y_N))
        cholesky_NN: Array = np.asarray(np.linalg.cholesky(kernel_NN), dtype=np.float64)
        weights_N = np.linalg.solve(cholesky_NN.T, np.linalg.solve(cholesky_NN, y_N - fit.constant))
        return cls(x_ND, y_mean, y_std, fit, cholesky_NN, weights_N)

    def expected(self, x_MD: Array) -> Array:
        """The posterior mean (eq. 2.25), in utility. Shape M."""
        expected_M: Array = self.y_mean + self.y_std * self.standard_mean(self.kernel(x_MD, self.x_ND))
        return expected_M

    def kernel(self, a_ND: Array, b_MD: Array) -> Array:
        """The fitted kernel between positions. Shape NM."""
        return matern(a_ND, b_MD, self.fit.length)

    def standard_mean(self, kernel_MN: Array) -> Array:
        """The posterior mean in standardised utility, from the points' kernel with the observations. Shape M."""
        mean_M: Array = np.round(kernel_MN @ self.weights_N + self.fit.constant, DIGITS)
        return mean_M

    def standard_deviation(self, variance_M: Array) -> Array:
        """In standardised utility, from variances over scale^2. Shape M."""
        deviation_M: Array = self.fit.scale * np.sqrt(np.round(variance_M, DIGITS))
        return deviation_M


def likeliest(x_ND: Array, y_N: Array, length: float) -> Fit:
    """The likeliest fit of one kernel length: over all NOISES, with scale and constant at their best (eq. 2.30)."""
    values_N, vectors_NN = np.linalg.eigh(matern(x_ND, x_ND, length))
    y_N, ones_N = vectors_NN.T @ y_N, vectors_NN.sum(axis=0)
    fits = []
    for noise in NOISES:
        variance_N = np.maximum(values_N, 0.0) + noise
        mean = (ones_N * y_N / variance_N).sum() / (np.square(ones_N) / variance_N).sum()
        scale = np.sqrt((np.square(y_N - mean * ones_N) / variance_N).mean())
        likelihood = -len(y_N) * np.log(scale) - 0.5 * np.log(variance_N).sum()
        fits.append(
            Fit(round(float(likelihood), DIGITS), float(length), noise, float(mean), round(float(scale), DIGITS))
        )
    return max(fits)

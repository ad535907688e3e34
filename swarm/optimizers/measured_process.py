"""A Gaussian process over one measured score, whose noise is known: each observation comes with its standard error.

The kernel is Matérn's with nu 5/2, as in gaussian_process.py. Known errors tell noise from shape, which few
observations cannot. They are an upper limit: candidates are scored on common examples, whose difficulty shifts all of
them alike, so less of the error than all may count. The share is fitted, too.

Shape suffixes: N observations, M points that are asked about, S samples, D coordinates.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from swarm.core.space import Array
from swarm.optimizers.gaussian_process import DIGITS, LENGTHS, matern, solved

SIGNALS = (0.4, 1.0, 2.5, 6.0, 15.0)  # variances of the function, over that of the observations
NOISE_SHARES = (0.25, 1.0)  # of the known variance of the errors
LEAST_ERROR = 0.3  # of the median error: a score of 0 or 1 on every example is not exact
EXACT = 1e-4  # least variance of an error, over that of the observations: for the arithmetic
JITTER = 1e-6  # on the diagonal of a joint covariance, over the function's variance


@dataclass(frozen=True)
class Shape:
    """What decides the shape of a process.

    length: of the kernel, in all directions.
    signal: variance of the function, over that of the observations.
    noise_share: of the known variance of the errors.
    """

    length: float
    signal: float
    noise_share: float


@dataclass(frozen=True)
class MeasuredProcess:
    """A process over standardised scores: less `y_mean`, over `y_std`.

    x_ND: the observed positions.
    constant: mean of the function.
    cholesky_NN: lower factor of the observations' covariance.
    weights_N: that covariance's inverse times the observations less the constant.
    """

    x_ND: Array
    y_mean: float
    y_std: float
    shape: Shape
    constant: float
    cholesky_NN: Array
    weights_N: Array

    @classmethod
    def fitted(cls, x_ND: Array, y_N: Array, error_N: Array) -> "MeasuredProcess":
        """The process that makes y_N most likely at x_ND, given the standard errors; at least two observations."""
        y_mean, y_std = float(y_N.mean()), float(y_N.std()) or 1.0
        standard_N = (y_N - y_mean) / y_std
        variance_N = np.square(np.maximum(error_N, LEAST_ERROR * np.median(error_N)) / y_std)
        variance_N = np.maximum(variance_N, EXACT)
        shape = likeliest_shape(x_ND, standard_N, variance_N)
        kernel_NN = shape.signal * matern(x_ND, x_ND, shape.length)
        fit = _Fit.of(kernel_NN, standard_N, shape.noise_share * variance_N)
        residual_N1 = (fit.white_N - fit.constant * fit.ones_N)[::-1, None]
        weights_N = solved(fit.cholesky_NN.T[::-1, ::-1], residual_N1)[::-1, 0]
        return cls(x_ND, y_mean, y_std, shape, fit.constant, fit.cholesky_NN, weights_N)

    def expected(self, x_MD: Array) -> Array:
        """The posterior mean (Rasmussen & Williams 2006, eq. 2.25), in the unit of the scores. Shape M."""
        mean_M: Array = self.y_mean + self.y_std * (self.constant + self._kernel(x_MD, self.x_ND) @ self.weights_N)
        return mean_M

    def deviation(self, x_MD: Array) -> Array:
        """The posterior standard deviation of the function, in the unit of the scores. Shape M."""
        whitened_NM = solved(self.cholesky_NN, self._kernel(self.x_ND, x_MD))
        variance_M = np.maximum(self.shape.signal - np.square(whitened_NM).sum(0), 0.0)
        deviation_M: Array = self.y_std * np.sqrt(variance_M)
        return deviation_M

    def sampled(self, x_MD: Array, normal_SM: Array) -> Array:
        """Joint samples of the function (eq. 2.26), in the unit of the scores. Shape SM.

        normal_SM: independent standard normal numbers.
        """
        whitened_NM = solved(self.cholesky_NN, self._kernel(self.x_ND, x_MD))
        covariance_MM = self._kernel(x_MD, x_MD) - whitened_NM.T @ whitened_NM
        covariance_MM[np.diag_indices(len(x_MD))] += JITTER * self.shape.signal
        lower_MM = np.linalg.cholesky(covariance_MM)
        sampled_SM: Array = self.expected(x_MD) + self.y_std * (normal_SM @ lower_MM.T)
        return sampled_SM

    def _kernel(self, a_ND: Array, b_MD: Array) -> Array:
        kernel_NM: Array = self.shape.signal * matern(a_ND, b_MD, self.shape.length)
        return kernel_NM


@dataclass(frozen=True)
class _Fit:
    """The constant that is likeliest under a covariance, and how likely that makes the observations."""

    likelihood: float
    constant: float
    cholesky_NN: Array
    ones_N: Array
    white_N: Array

    @classmethod
    def of(cls, kernel_NN: Array, y_N: Array, variance_N: Array) -> "_Fit":
        """kernel_NN: of the function. The likelihood is eq. 2.30, up to a constant."""
        cholesky_NN = np.asarray(np.linalg.cholesky(kernel_NN + np.diag(variance_N)), dtype=np.float64)
        ones_N, white_N = solved(cholesky_NN, np.stack([np.ones_like(y_N), y_N], axis=1)).T
        constant = float(ones_N @ white_N / (ones_N @ ones_N))
        rest = float(np.square(white_N - constant * ones_N).sum())
        likelihood = -0.5 * rest - float(np.log(np.diag(cholesky_NN)).sum())
        return cls(likelihood, constant, cholesky_NN, ones_N, white_N)


def likeliest_shape(x_ND: Array, y_N: Array, variance_N: Array) -> Shape:
    """Length, signal and share of the noise, of a grid."""
    best, found = -np.inf, Shape(LENGTHS[-1], SIGNALS[0], NOISE_SHARES[-1])
    for length in np.array(LENGTHS) * np.sqrt(x_ND.shape[1]):
        kernel_NN = matern(x_ND, x_ND, length)
        for signal, share in product(SIGNALS, NOISE_SHARES):
            likelihood = round(_Fit.of(signal * kernel_NN, y_N, share * variance_N).likelihood, DIGITS)
            if likelihood > best:
                best, found = likelihood, Shape(float(length), signal, share)
    return found

"""Gaussian process regression: the expected utility anywhere, and its uncertainty (Rasmussen & Williams 2006).

Utilities are a constant plus a smooth function plus noise. The kernel is Matérn's with nu 5/2, the same in all
directions; its length and the variance of the noise are those of a grid that make the observations most likely. With
groups of parameters so is rho: distances then count each expert's deviations from its mean rho times.

Values that decide something are rounded to far fewer digits than linear algebra gets wrong. So a resumed search
chooses as it did before, even where another number of threads sums in another order.

Shape suffixes: N observations, M points that are asked about, D coordinates, R right-hand sides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from swarm.core.expert_groups import ExpertGroups
from swarm.core.space import Array

LENGTHS = (0.1, 0.15, 0.22, 0.33, 0.5, 0.75, 1.1, 1.7, 2.5)  # times the root of D, as distances in a cube grow with it
NOISES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # variances, relative to the function's: from hardly any to half of all
# With groups of parameters also shorter, and less: positions lie closer then, for many coordinates.
GROUPED_LENGTHS = (0.02, 0.03, 0.045, 0.067, *LENGTHS)
GROUPED_NOISES = (0.0003, 0.001, *NOISES)
RHOS = (1.0, 0.7, 0.5, 0.35, 0.25, 0.15)  # of equally likely ones the first
ROUNDS = 2  # of fitting length and noise, then rho
DIGITS = 7  # of values that are compared, in units of the utilities' standard deviation; see above
CACHED = 2**15  # elements that are worked on at a time: few enough to stay in a core's cache
BLOCK = 64  # rows of a triangular system that are solved at a time


def matern(a_ND: Array, b_MD: Array, length: float) -> Array:
    """Matérn's kernel with nu 5/2 (eq. 4.17). Shape NM."""
    a_ND, b_MD = np.sqrt(5.0) / length * a_ND, np.sqrt(5.0) / length * b_MD
    kernel_NM: Array = -2.0 * a_ND @ b_MD.T
    a_N1, b_M = np.square(a_ND).sum(1)[:, None], np.square(b_MD).sum(1)
    rows = max(1, CACHED // max(1, len(b_M)))
    for start in range(0, len(a_ND), rows):
        part = kernel_NM[start : start + rows]
        part += a_N1[start : start + rows] + b_M
        r = np.sqrt(np.maximum(part, 0.0, out=part))
        np.exp(-r, out=part)
        part *= 1.0 + r * (1.0 + r / 3.0)
    return kernel_NM


def solved(lower_NN: Array, b_NR: Array) -> Array:
    """The solution of a lower triangular system, block by block: numpy's own solver takes it for a full one."""
    x_NR = np.array(b_NR)
    for start in range(0, len(x_NR), BLOCK):
        block = slice(start, start + BLOCK)
        x_NR[block] -= lower_NN[block, :start] @ x_NR[:start]
        x_NR[block] = np.linalg.inv(lower_NN[block, block]) @ x_NR[block]
    return x_NR


class Kernel(NamedTuple):
    """What decides the shape of a process.

    length: of the kernel.
    noise: variance of the noise, over scale^2.
    rho: the factor on each expert's deviations from its mean; 1 without groups of parameters.
    """

    length: float
    noise: float
    rho: float = 1.0


class Fit(NamedTuple):
    """Hyperparameters, and how likely they make the observations. The greatest is the likeliest.

    likelihood: log marginal likelihood, up to a constant.
    length: of the kernel.
    noise: variance of the noise, over scale^2.
    constant: mean of the function.
    scale: standard deviation of the function.
    rho: of the kernel.
    """

    likelihood: float
    length: float
    noise: float
    constant: float
    scale: float
    rho: float = 1.0

    @classmethod
    def of(cls, factor: Array, kernel: Kernel) -> "Fit":
        """With scale and constant at their best (eq. 2.30). factor: see `factored`."""
        n = len(factor) - 2
        ones_N, white_N = factor[n:, :n]
        mean = float(ones_N @ white_N / (ones_N @ ones_N))
        scale = float(np.sqrt(np.square(white_N - mean * ones_N).mean()))
        likelihood = float(-n * np.log(scale) - np.log(np.diag(factor)[:n]).sum())
        likelihood, scale = round(likelihood, DIGITS), round(scale, DIGITS)
        return cls(likelihood, float(kernel.length), kernel.noise, mean, scale, kernel.rho)

    @property
    def kernel(self) -> Kernel:
        return Kernel(self.length, self.noise, self.rho)


@dataclass(frozen=True)
class GaussianProcess:
    """A process fitted to standardised utilities: less `y_mean`, over `y_std`.

    x_ND: the observed positions.
    cholesky_NN: lower factor of the observations' covariance, over scale^2.
    weights_N: that covariance's inverse times the observations less the constant.
    groups: which coordinates are one expert's; None where each expert has one.
    """

    x_ND: Array
    y_mean: float
    y_std: float
    fit: Fit
    cholesky_NN: Array
    weights_N: Array
    groups: ExpertGroups | None = None

    @classmethod
    def fitted(
        cls, x_ND: Array, y_N: Array, kernel: Kernel | None = None, groups: ExpertGroups | None = None
    ) -> "GaussianProcess":
        """The process that makes y_N most likely at x_ND: at least two observations, not all of one utility.

        kernel: where it is known; then only the constant and the scale are fitted.
        """
        y_mean, y_std = float(y_N.mean()), float(y_N.std())
        y_N = (y_N - y_mean) / y_std
        if kernel is None:
            kernel = likeliest_kernel(x_ND, y_N) if groups is None else likeliest_grouped(x_ND, y_N, groups)
        z_ND = warped(x_ND, groups, kernel.rho)
        factor = factored(bordered(matern(z_ND, z_ND, kernel.length), y_N), kernel.noise)
        fit, (ones_N, white_N) = Fit.of(factor, kernel), factor[len(y_N) :, : len(y_N)]
        cholesky_NN: Array = factor[: len(y_N), : len(y_N)]
        weights_N = solved(cholesky_NN.T[::-1, ::-1], (white_N - fit.constant * ones_N)[::-1, None])[::-1, 0]
        return cls(x_ND, y_mean, y_std, fit, cholesky_NN, weights_N, groups)

    def expected(self, x_MD: Array) -> Array:
        """The posterior mean (eq. 2.25), in utility. Shape M."""
        expected_M: Array = self.y_mean + self.y_std * self.standard_mean(self.kernel(x_MD, self.x_ND))
        return expected_M

    def cholesky_with(self, x_KD: Array) -> Array:
        """The Cholesky factor with further observations after the others. Shape: N + K squared."""
        n = len(self.x_ND)
        whitened_NK = solved(self.cholesky_NN, self.kernel(self.x_ND, x_KD))
        rest_KK = self.kernel(x_KD, x_KD) + self.fit.noise * np.eye(len(x_KD)) - whitened_NK.T @ whitened_NK
        longer = np.zeros((n + len(x_KD), n + len(x_KD)))
        longer[:n, :n], longer[n:, :n], longer[n:, n:] = self.cholesky_NN, whitened_NK.T, np.linalg.cholesky(rest_KK)
        return longer

    def kernel(self, a_ND: Array, b_MD: Array) -> Array:
        """The fitted kernel between positions. Shape NM."""
        a_ND, b_MD = (warped(x, self.groups, self.fit.rho) for x in (a_ND, b_MD))
        return matern(a_ND, b_MD, self.fit.length)

    def uphill(self, x_MD: Array) -> Array:
        """The way on which the posterior mean rises fastest, as the kernel measures it. Shape MD, of any length."""
        z_MD, z_ND = (warped(x, self.groups, self.fit.rho) for x in (x_MD, self.x_ND))
        square_MN = np.square(z_MD).sum(1)[:, None] + np.square(z_ND).sum(1) - 2.0 * z_MD @ z_ND.T
        r_MN = np.sqrt(5.0 * np.maximum(square_MN, 0.0)) / self.fit.length
        pull_MN = (1.0 + r_MN) * np.exp(-r_MN) * self.weights_N  # the kernel's derivative by z, over z_N - z_M
        return warped(pull_MN @ z_ND - pull_MN.sum(1)[:, None] * z_MD, self.groups, 1.0 / self.fit.rho)

    def standard_mean(self, kernel_MN: Array) -> Array:
        """The posterior mean in standardised utility, from the points' kernel with the observations. Shape M."""
        mean_M: Array = np.round(kernel_MN @ self.weights_N + self.fit.constant, DIGITS)
        return mean_M

    def standard_deviation(self, variance_M: Array) -> Array:
        """In standardised utility, from variances over scale^2. Shape M."""
        deviation_M: Array = self.fit.scale * np.sqrt(np.round(variance_M, DIGITS))
        return deviation_M


def warped(x_ND: Array, groups: ExpertGroups | None, rho: float) -> Array:
    """Positions as distances are measured: each expert's deviations from its mean times rho. Shape ND."""
    return x_ND if groups is None else groups.scaled(x_ND, rho)


def likeliest_kernel(
    x_ND: Array, y_N: Array, lengths: Sequence[float] = LENGTHS, noises: Sequence[float] = NOISES
) -> Kernel:
    """Of all lengths and noises."""
    return max(likeliest(x_ND, y_N, length * np.sqrt(x_ND.shape[1]), noises) for length in lengths).kernel


def likeliest_grouped(x_ND: Array, y_N: Array, groups: ExpertGroups) -> Kernel:
    """Length and noise, then rho, then both again, each the likeliest with the others as they are."""
    rho, kernel = RHOS[0], Kernel(1.0, 1.0)
    for _ in range(ROUNDS):
        kernel = likeliest_kernel(warped(x_ND, groups, rho), y_N, GROUPED_LENGTHS, GROUPED_NOISES)
        before, rho = rho, max(RHOS, key=lambda each: likelihood(x_ND, y_N, groups, kernel._replace(rho=each)))
        if rho == before:
            break
    return kernel._replace(rho=rho)


def likelihood(x_ND: Array, y_N: Array, groups: ExpertGroups, kernel: Kernel) -> float:
    """See Fit."""
    z_ND = warped(x_ND, groups, kernel.rho)
    return Fit.of(factored(bordered(matern(z_ND, z_ND, kernel.length), y_N), kernel.noise), kernel).likelihood


def likeliest(x_ND: Array, y_N: Array, length: float, noises: Sequence[float] = NOISES) -> Fit:
    """The likeliest fit of one kernel length, over all noises."""
    covariance = bordered(matern(x_ND, x_ND, length), y_N)
    return max(Fit.of(factored(covariance, noise), Kernel(length, noise)) for noise in noises)


def bordered(kernel_NN: Array, y_N: Array) -> Array:
    """A kernel between observations with two more rows: ones, and their utilities. The rest is zero."""
    n = len(y_N)
    covariance = np.zeros((n + 2, n + 2))
    covariance[:n, :n] = kernel_NN
    covariance[n:, :n] = np.ones(n), y_N
    return covariance


def factored(covariance: Array, noise: float) -> Array:
    """The lower Cholesky factor of a bordered kernel plus noise, whose last two rows are the ones and y_N whitened.

    So one factorisation gives all that a fit needs. The diagonal of the covariance is overwritten.
    """
    n = len(covariance) - 2
    np.fill_diagonal(covariance[:n, :n], 1.0 + noise)
    enough = 1.0 + 2.0 * np.square(covariance[n:, :n]).sum() / noise  # for the whole to be positive definite
    np.fill_diagonal(covariance[n:, n:], enough)
    return np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)

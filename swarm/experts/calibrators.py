"""From scores to probabilities: what a score is worth, learnt from events that did happen or did not.

Both are fitted here and agree with scikit-learn's, so that neither fitting nor using a router needs that package.

Shape suffixes: N items, J joints of a curve.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.special import expit

Array = NDArray[np.float64]
Calibration = Literal["platt", "isotonic"]
MOST_STEPS, SMALLEST_STEP = 100, 1e-10  # of Newton's method


class Calibrator(Protocol):
    """A non-negative function of scores that was fitted to events."""

    def __call__(self, score_N: Array) -> Array:
        """The probability of the event at each score."""


@dataclass(frozen=True)
class Platt:
    """p = 1 / (1 + exp(-(slope * score + intercept))) (Platt 1999)."""

    slope: float
    intercept: float

    def __call__(self, score_N: Array) -> Array:
        p_N: Array = expit(self.slope * score_N + self.intercept)
        return p_N


@dataclass(frozen=True)
class Isotonic:
    """The non-decreasing curve through its joints, constant beyond the first and the last (Zadrozny and Elkan 2002)."""

    score_J: Array
    p_J: Array

    def __call__(self, score_N: Array) -> Array:
        return np.interp(score_N, self.score_J, self.p_J)


def platt(score_N: Array, happened_N: Array) -> Platt:
    """Slope and intercept of least log loss, by Newton's method.

    score_N: finite numbers. happened_N: 0 or 1 for each, both of them at least once.

    The targets are Platt's, (n1 + 1) / (n1 + 2) and 1 / (n0 + 2) in place of 1 and 0, so that scores which separate the
    two have a finite slope. Scores without spread have slope 0 and the overall rate.
    """
    n, n1 = len(happened_N), float(happened_N.sum())
    target_N = np.where(happened_N > 0, (n1 + 1) / (n1 + 2), 1 / (n - n1 + 2))
    x_N2 = np.stack([score_N, np.ones(n)], axis=1)
    at_2 = np.array([0.0, np.log(n1 + 1) - np.log(n - n1 + 1)])
    for _ in range(MOST_STEPS):
        p_N = expit(x_N2 @ at_2)
        hessian_22 = (x_N2 * (p_N * (1 - p_N))[:, None]).T @ x_N2
        step_2 = np.linalg.lstsq(hessian_22, x_N2.T @ (target_N - p_N), rcond=None)[0]
        step_2 *= _shortened(x_N2, target_N, at_2, step_2)
        at_2 = at_2 + step_2
        if np.abs(step_2).max() < SMALLEST_STEP:
            break
    return Platt(float(at_2[0]), float(at_2[1]))


def isotonic(score_N: Array, happened_N: Array) -> Isotonic:
    """The non-decreasing curve of least squared error; equal scores count as one. Shapes as in `platt`."""
    score_J, place_N = np.unique(score_N, return_inverse=True)
    n_J = np.bincount(place_N).astype(np.float64)
    rate_J = np.bincount(place_N, happened_N) / n_J
    return Isotonic(score_J, np.asarray(isotonic_regression(rate_J, weights=n_J).x, dtype=np.float64))


def fitted(kind: Calibration, score_N: Array, happened_N: Array) -> Calibrator:
    """The calibrator of this kind. Shapes as in `platt`."""
    return platt(score_N, happened_N) if kind == "platt" else isotonic(score_N, happened_N)


def _shortened(x_N2: Array, target_N: Array, at_2: Array, step_2: Array) -> float:
    """What Newton's step is multiplied by so that the log loss does not rise: 1, or the first half of halves."""
    before, factor = _log_loss(x_N2 @ at_2, target_N), 1.0
    while factor > SMALLEST_STEP and _log_loss(x_N2 @ (at_2 + factor * step_2), target_N) > before:
        factor /= 2
    return factor


def _log_loss(logit_N: Array, target_N: Array) -> float:
    return float((np.logaddexp(0.0, logit_N) - target_N * logit_N).sum())

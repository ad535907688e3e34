"""Acquisition: which candidates a Gaussian process is asked about, and which of them are scored next.

GP-BUCB (Desautels, Krause & Burdick 2014, JMLR 15) chooses a generation: each choice is the candidate of greatest upper
confidence bound, after the fantasy updates of those chosen before it.

Shape suffixes: N observations, M candidates, K centres or chosen candidates, D coordinates. Positions are points of the
unit cube: shares of the bounds' width.
"""

from dataclasses import dataclass, replace

import numpy as np

from swarm.core.space import Array, Space
from swarm.optimizers.gaussian_process import GaussianProcess, solved
from swarm.optimizers.initial_design import combinations
from swarm.optimizers.positions import distinct_rows, to_unit_cube

# In all 2,400 candidates per generation: the process is cheap to ask, and each is scored far more slowly.
LOCAL_CANDIDATES = 1500  # most of them: once a few generations are scored, better positions are near good ones
LOCAL_CENTRES = 8  # several, so that one lucky score does not decide where the search goes
LOCAL_STEPS = (0.01, 0.25)  # shortest and longest standard deviation around a centre: from fine tuning to exploring
MIXTURE_CANDIDATES = 300  # random combinations of the experts, so that the whole space stays in view
REFINED_CANDIDATES = 200  # of each refinement step
LEVEL_OBSERVATIONS = 100  # with more, a particle that moves alone looks at fewer: its step takes no longer then
REFINED_CENTRES = 5  # best expected candidates that are refined: the surface may have several maxima
REFINEMENT_STEPS = (0.05, 0.025, 0.0125)  # standard deviations, halved each time down to about the shortest local one


def candidates(process: GaussianProcess, space: Space, rng: np.random.Generator, share: float = 1.0) -> Array:
    """Around the best expected observations, combinations of experts, then finer around the best expected. Shape MD.

    share: of the numbers of candidates above.
    """
    local, mixed, finer = (max(1, round(share * n)) for n in (LOCAL_CANDIDATES, MIXTURE_CANDIDATES, REFINED_CANDIDATES))
    centres_KD = best_expected(process.x_ND, process.expected(process.x_ND), LOCAL_CENTRES)
    x_MD = np.vstack([local_candidates(centres_KD, rng, local), mixtures(space, mixed, rng)])
    return refined(process, x_MD, finer, rng)


def refined(process: GaussianProcess, x_MD: Array, size: int, rng: np.random.Generator) -> Array:
    """The candidates, and as many as `size` at each step finer around the best expected of them. Shape: more x D."""
    expected_M = process.expected(x_MD)
    for step in REFINEMENT_STEPS:
        centres_KD = best_expected(x_MD, expected_M, REFINED_CENTRES)
        near_MD = centres_KD[rng.integers(REFINED_CENTRES, size=size)]
        near_MD = np.clip(near_MD + rng.normal(0.0, step, near_MD.shape), 0.0, 1.0)
        x_MD, expected_M = np.vstack([x_MD, near_MD]), np.concatenate([expected_M, process.expected(near_MD)])
    return x_MD


def best_expected(x_MD: Array, expected_M: Array, count: int) -> Array:
    """The best expected, best first; the last one repeated where there are too few. Shape: count x D."""
    order = np.argsort(-expected_M, kind="stable")
    rows: Array = x_MD[order[np.minimum(np.arange(count), len(order) - 1)]]
    return rows


def local_candidates(centres_KD: Array, rng: np.random.Generator, size: int = LOCAL_CANDIDATES) -> Array:
    """Steps of log-uniform length from the centres, more from the first ones. Half of them change few coordinates."""
    dimensions = centres_KD.shape[1]
    centre_M = np.minimum(rng.exponential(2.0, size).astype(int), len(centres_KD) - 1)
    length_M1 = np.exp(rng.uniform(np.log(LOCAL_STEPS[0]), np.log(LOCAL_STEPS[1]), (size, 1)))
    few = max(2.0 / dimensions, 0.3)  # the chance that a coordinate changes
    share_M1 = np.where(rng.uniform(size=(size, 1)) < 0.5, few, 1.0)
    step_MD = length_M1 * rng.normal(size=(size, dimensions)) * (rng.uniform(size=(size, dimensions)) < share_M1)
    moved_MD: Array = np.clip(centres_KD[centre_M] + step_MD, 0.0, 1.0)
    return moved_MD


def mixtures(space: Space, count: int, rng: np.random.Generator) -> Array:
    """Random combinations of the experts. Shape: count x D."""
    return to_unit_cube(space, combinations(space, count, rng))


def blind(space: Space, count: int, rng: np.random.Generator, known_ND: Array) -> Array:
    """Positions that are not among those known, where no utility says where to look. Shape: count x D.

    Combinations of the experts; then random positions, as all combinations of one expert alone may be the same. So many
    of these that enough are left, even if all that are known were drawn alike.
    """
    mixed_MD = mixtures(space, MIXTURE_CANDIDATES, rng)
    anywhere_MD = rng.uniform(size=(count + len(known_ND), space.dimensions))
    return untried(np.vstack([mixed_MD, anywhere_MD]), known_ND)[:count]


def untried(x_MD: Array, tried_ND: Array) -> Array:
    """The distinct candidates that are not among those tried: at the bounds many candidates coincide."""
    rows = distinct_rows(np.vstack([tried_ND, x_MD]))
    return x_MD[rows[rows >= len(tried_ND)] - len(tried_ND)]


def chosen(process: GaussianProcess, x_MD: Array, kappas: Array, pending_KD: Array) -> list[int]:
    """For each kappa in turn the row of another candidate, the one of greatest mean + kappa x standard deviation.

    pending_KD: positions that are being scored. The deviations are those that remain after the outcomes of these and of
    what was chosen before, whatever the outcomes are (eq. 7). So the choices keep apart.
    """
    posterior = FantasyPosterior.of(process, x_MD, pending_KD)
    rows: list[int] = []
    for kappa in kappas:
        if rows:
            posterior = posterior.updated(rows[-1])
        upper_M = posterior.upper_confidence_bound(kappa)
        upper_M[rows] = -np.inf  # no candidate is chosen twice
        rows.append(int(upper_M.argmax()))
    return rows


@dataclass(frozen=True)
class FantasyPosterior:
    """The posterior at M points after outcomes that are still to come. These change its variance, but not its mean.

    mean_M: in standardised utility.
    variance_M: over scale^2.
    whitened_NM: inverse Cholesky factor of the observations' covariance times their kernel with the points.
    fantasies_KM: the same for each point whose outcome is to come, given the observations and those before it.
    """

    process: GaussianProcess
    x_MD: Array
    mean_M: Array
    variance_M: Array
    whitened_NM: Array
    fantasies_KM: Array

    @classmethod
    def of(cls, process: GaussianProcess, x_MD: Array, pending_KD: Array | None = None) -> "FantasyPosterior":
        """pending_KD: positions whose outcomes are to come, which are as many rows more of `whitened_NM`."""
        kernel_NM = process.kernel(process.x_ND, x_MD)
        mean_M, cholesky_NN = process.standard_mean(kernel_NM.T), process.cholesky_NN
        if pending_KD is not None and len(pending_KD):
            kernel_NM = np.vstack([kernel_NM, process.kernel(pending_KD, x_MD)])
            cholesky_NN = process.cholesky_with(pending_KD)
        whitened_NM = solved(cholesky_NN, kernel_NM)
        variance_M: Array = np.maximum(1.0 - np.square(whitened_NM).sum(0), 0.0)
        return cls(process, x_MD, mean_M, variance_M, whitened_NM, np.empty((0, len(x_MD))))

    def upper_confidence_bound(self, kappa: float) -> Array:
        """Mean + kappa x standard deviation, in standardised utility. Shape M."""
        upper_M: Array = self.mean_M + kappa * self.process.standard_deviation(self.variance_M)
        return upper_M

    def updated(self, row: int) -> "FantasyPosterior":
        """The fantasy update: the posterior after the outcome at one of the points."""
        covariance_M = self.process.kernel(self.x_MD, self.x_MD[row : row + 1])[:, 0]
        covariance_M = covariance_M - self.whitened_NM.T @ self.whitened_NM[:, row]
        covariance_M -= self.fantasies_KM.T @ self.fantasies_KM[:, row]
        fantasy_M = covariance_M / np.sqrt(max(covariance_M[row], 0.0) + self.process.fit.noise)
        return replace(
            self,
            fantasies_KM=np.vstack([self.fantasies_KM, fantasy_M]),
            variance_M=np.maximum(self.variance_M - np.square(fantasy_M), 0.0),
        )

"""Where the prompts lie at which each expert was best, and how much a new prompt is like them.

Two scores of a prompt z and an expert e, whose own points are those at which e was among the best:

- natural: -1/2 (z - m_e)' S^-1 (z - m_e), the log-density of a normal distribution up to a constant; m_e is the mean of
  e's points, S the covariance around their means that all experts share (linear discriminant analysis, Fisher 1936),
  shrunk towards a multiple of the identity (Ledoit and Wolf 2004).
- fractal: -|d_e(z) - D_e|, after AlignX (arXiv 2602.07381). d_e(z) is the slope of log n against log r, where n is the
  number of e's points within distance r of z, over a few radii r: the pointwise dimension at z. D_e is the same slope
  for the mean number of neighbours that e's points have among themselves: their correlation dimension (Grassberger and
  Procaccia 1983). Half a neighbour is added to each number, so that few or none give a slope, too.

Shape suffixes: N items, M items that the router was fitted to, E experts, H hidden size, K components, R radii.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist

Array = NDArray[np.float64]
Marks = NDArray[np.bool_]

RADII = 5
RATIO = 2**0.5  # of one radius to the one before
NEAR = 0.05  # the share of all pairs of points that are closer than the smallest radius
UNSEEN = 0.5  # neighbours, added to each number
FLAT = 1e-6  # relative to the largest: a spread below it is rounding
RIDGE = 1e-6  # relative: keeps a covariance of few points invertible


@dataclass(frozen=True, eq=False)
class Geometry:
    """Fitted features.

    mean_H, components_HK: z = (hidden state - mean) @ components.
    points_MK: z of the items that it was fitted to.
    best_ME: which experts were among the best at each.
    centres_EK: m_e. whitening_KK: S^-1 = whitening @ whitening'.
    radii_R: distances within which neighbours are counted.
    dimensions_E: D_e.
    """

    mean_H: Array
    components_HK: Array
    points_MK: Array
    best_ME: Marks
    centres_EK: Array
    whitening_KK: Array
    radii_R: Array
    dimensions_E: Array

    def project(self, features_NH: Array) -> Array:
        """z of hidden states, (N, K)."""
        z_NK: Array = (np.asarray(features_NH, dtype=np.float64) - self.mean_H) @ self.components_HK
        return z_NK

    def natural(self, z_NK: Array) -> Array:
        """The natural score of every expert, (N, E): at most 0."""
        distances_NE = cdist(z_NK @ self.whitening_KK, self.centres_EK @ self.whitening_KK, "sqeuclidean")
        return -0.5 * distances_NE

    def fractal(self, z_NK: Array) -> Array:
        """The fractal score of every expert, (N, E): at most 0."""
        counts_RNE = neighbours(cdist(z_NK, self.points_MK), self.best_ME, self.radii_R)
        return -np.abs(slopes(counts_RNE, self.radii_R) - self.dimensions_E)


def fit_geometry(features_MH: Array, best_ME: Marks, components: int) -> Geometry:
    """components: how many principal components are kept at most. Every expert needs a point at least."""
    mean_H, components_HK = principal_components(features_MH, components)
    points_MK = (features_MH - mean_H) @ components_HK
    centres_EK = np.stack([points_MK[best_M].mean(axis=0) for best_M in best_ME.T])
    residuals = [points_MK[best_M] - centre_K for best_M, centre_K in zip(best_ME.T, centres_EK, strict=True)]
    covariance_KK = shrunk_covariance(np.concatenate(residuals))
    covariance_KK += RIDGE * float(points_MK.var(axis=0).mean()) * np.eye(len(covariance_KK))
    whitening_KK = np.linalg.cholesky(np.linalg.inv(covariance_KK))
    distances = pdist(points_MK)
    radii_R: Array = float(np.quantile(distances[distances > 0], NEAR)) * RATIO ** np.arange(RADII, dtype=np.float64)
    dimensions_E = np.array([correlation_dimension(points_MK[best_M], radii_R) for best_M in best_ME.T])
    return Geometry(mean_H, components_HK, points_MK, best_ME, centres_EK, whitening_KK, radii_R, dimensions_E)


def principal_components(features_MH: Array, most: int) -> tuple[Array, Array]:
    """Mean (H) and components (H, K) of features whose every dimension is first divided by its standard deviation.

    Without that, the few dimensions in which hidden states of language models are huge would be all that counts. K is
    0 where all features are equal.
    """
    mean_H, spread_H = features_MH.mean(axis=0), features_MH.std(axis=0)
    alive_H = spread_H > FLAT * max(float(spread_H.max()), float(np.abs(features_MH).max()), np.finfo(float).tiny)
    divisor_H = np.where(alive_H, spread_H, 1.0)
    scaled_MH = np.where(alive_H, (features_MH - mean_H) / divisor_H, 0.0)
    _, size_K, axes_KH = np.linalg.svd(scaled_MH, full_matrices=False)
    kept = min(most, len(features_MH) - 1, int((size_K > FLAT * max(size_K[0], 1.0)).sum()))
    components_HK: Array = (axes_KH[:kept] * alive_H / divisor_H).T
    return mean_H, components_HK


def shrunk_covariance(residuals_MK: Array) -> Array:
    """(1 - s) S + s mean(diag S) I, with the s of least expected squared error (Ledoit and Wolf 2004, lemma 3.3).

    residuals_MK: deviations from a known mean.
    """
    m, k = residuals_MK.shape
    sample_KK = residuals_MK.T @ residuals_MK / m
    target_KK = np.trace(sample_KK) / k * np.eye(k)
    distance = float(((sample_KK - target_KK) ** 2).sum())
    noise = float(((residuals_MK**2).sum(axis=1) ** 2).sum()) / m**2 - float((sample_KK**2).sum()) / m
    s = min(1.0, max(0.0, noise / distance)) if distance > 0 else 1.0
    shrunk_KK: Array = (1 - s) * sample_KK + s * target_KK
    return shrunk_KK


def neighbours(distances_NM: Array, best_ME: Marks, radii_R: Array) -> Array:
    """How many of each expert's points are within each radius, (R, N, E)."""
    own_ME = best_ME.astype(np.float64)
    return np.stack([(distances_NM <= radius).astype(np.float64) @ own_ME for radius in radii_R])


def slopes(counts_R: Array, radii_R: Array) -> Array:
    """The least-squares slope of log(count + 1/2) against log radius; further axes of the counts are kept."""
    x_R = np.log(radii_R) - np.log(radii_R).mean()
    slope: Array = np.tensordot(x_R / (x_R**2).sum(), np.log(counts_R + UNSEEN), axes=1)
    return slope


def correlation_dimension(points_MK: Array, radii_R: Array) -> float:
    """The slope of the mean number of neighbours that points have among themselves (Grassberger and Procaccia 1983)."""
    distances = pdist(points_MK)
    mean_R = np.array([2 * float((distances <= radius).sum()) / len(points_MK) for radius in radii_R])
    return float(slopes(mean_R, radii_R))

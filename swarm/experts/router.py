"""A router: which experts a prompt is for, as coefficients that depend on the prompt.

From the mean hidden state of a prompt at a fixed layer of the base to a coefficient per expert:

1. Two scores per expert (router_geometry.py), less their mean over experts, as only differences matter to a choice, and
   divided by their standard deviation over the items that the router was fitted to.
2. r = l1 * fractal + l2 * natural (AlignX, arXiv 2602.07381).
3. p = P(the expert is among the best), calibrated expert by expert (MoCaE, arXiv 2309.14976) on items that the geometry
   had not seen. What is calibrated is the log-odds of softmax(r), the probability that r stands for by itself: it says
   how an expert compares with the others, and a logistic curve of it can leave a true probability as it is. The
   calibration is fitted anew for each l1 and l2, so that it fits the r in use.
4. s = (1 - base share) softmax(log p / temperature + bias).
5. coefficient = scale * (1 - strength + strength * s).

Shape suffixes: N items, M items that the router was fitted to, E experts, H hidden size, K clusters.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.spatial.distance import cdist
from scipy.special import log_softmax, logsumexp, softmax

from swarm.core.recipes import RoutingRecipe
from swarm.experts.calibrators import Calibration, Calibrator, fitted
from swarm.experts.router_geometry import Array, Geometry

FRACTAL, NATURAL = 0.6, 0.4  # l1 and l2 of AlignX


@dataclass(frozen=True, eq=False)
class Router:
    """A fitted router.

    base: fingerprint of the base.
    experts: name -> fingerprint, in the order of all arrays.
    layer: whose hidden states the features are: 0 the embeddings, n behind the n-th layer.
    calibration: platt or isotonic.
    geometry: of the prompts at which each expert was best.
    spreads: standard deviations of the fractal and of the natural score.
    fractal_ME, natural_ME: standardised scores of the fitted items, each by a geometry that had not seen it.
    report: how the router did on items that it was not fitted to.
    """

    base: str
    experts: dict[str, str]
    layer: int
    calibration: Calibration
    geometry: Geometry
    spreads: tuple[float, float]
    fractal_ME: Array
    natural_ME: Array
    report: dict[str, object]

    def scores(self, features_NH: Array) -> tuple[Array, Array]:
        """The standardised fractal and natural scores, each (N, E), of mean hidden states of prompts."""
        return standardised(self.geometry, self.geometry.project(features_NH), self.spreads)

    def calibrators(self, fractal: float, natural: float) -> list[Calibrator]:
        """A calibrator per expert, of the `log_odds` of r = fractal * fractal score + natural * natural score."""
        odds_ME = log_odds(fractal * self.fractal_ME + natural * self.natural_ME)
        best_ME = self.geometry.best_ME.astype(np.float64)
        return [fitted(self.calibration, odds_M, best_M) for odds_M, best_M in zip(odds_ME.T, best_ME.T, strict=True)]

    def probabilities(self, fractal_NE: Array, natural_NE: Array, fractal: float, natural: float) -> Array:
        """P(expert is among the best), (N, E): no nearer to 0 and 1 than so many items can tell (Laplace's rule)."""
        odds_NE = log_odds(fractal * fractal_NE + natural * natural_NE)
        least = 1 / (len(self.fractal_ME) + 2)
        calibrators = self.calibrators(fractal, natural)
        p_NE = np.stack([each(odds_N) for each, odds_N in zip(calibrators, odds_NE.T, strict=True)], axis=1)
        return np.clip(p_NE, least, 1 - least)

    def weights(self, features_NH: Array, routing: RoutingRecipe) -> Array:
        """The coefficient of every expert at every prompt, (N, E), in the order of `experts`.

        features_NH: mean hidden states, as router_features.py makes them. An item's row depends on no other item.
        """
        return self._weights(*self.scores(features_NH), routing)

    def centres(self, routing: RoutingRecipe) -> Array:
        """Coefficients of the clusters, (K, E): k-means of the coefficients at the items that it was fitted to.

        K is `routing.clusters`, or fewer where there are not so many different rows. Rows are in a fixed order.
        """
        weights_ME = self._weights(self.fractal_ME, self.natural_ME, routing)
        different = np.unique(weights_ME, axis=0)
        if len(different) <= routing.clusters:
            return different
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of clusters that lost all their points: they are left out
            centres_KE, label_M = kmeans2(weights_ME, routing.clusters, minit="++", rng=np.random.default_rng(0))
        return np.unique(centres_KE[np.unique(label_M)], axis=0)

    def _weights(self, fractal_NE: Array, natural_NE: Array, routing: RoutingRecipe) -> Array:
        p_NE = self.probabilities(fractal_NE, natural_NE, routing.fractal, routing.natural)
        bias_E, scale_E = (np.array([each[name] for name in self.experts]) for each in (routing.biases, routing.scales))
        share_NE = (1 - routing.base_share) * softmax(np.log(p_NE) / routing.temperature + bias_E, axis=1)
        weights_NE: Array = scale_E * (1 - routing.strength + routing.strength * share_NE)
        return weights_NE


def standardised(geometry: Geometry, z_NK: Array, spreads: tuple[float, float]) -> tuple[Array, Array]:
    """Fractal and natural scores, (N, E) each, less their mean over experts, in units of `spreads`."""
    fractal_NE, natural_NE = (
        (raw_NE - raw_NE.mean(axis=1, keepdims=True)) / spread
        for raw_NE, spread in zip((geometry.fractal(z_NK), geometry.natural(z_NK)), spreads, strict=True)
    )
    return fractal_NE, natural_NE


def nearest(weights_NE: Array, centres_KE: Array) -> NDArray[np.intp]:
    """The cluster of every item: the one whose coefficients are nearest."""
    label_N: NDArray[np.intp] = cdist(weights_NE, centres_KE, "sqeuclidean").argmin(axis=1)
    return label_N


def log_odds(r_NE: Array) -> Array:
    """Log-odds of softmax(r) plus log(E - 1), (N, E): r less the log of the others' mean exp(r), 0 if all r are equal.

    r_NE: of two experts at least.
    """
    others_NE = np.stack([logsumexp(np.delete(r_NE, e, axis=1), axis=1) for e in range(r_NE.shape[1])], axis=1)
    odds_NE: Array = r_NE - others_NE + np.log(r_NE.shape[1] - 1)
    return odds_NE


def uncalibrated(fractal_NE: Array, natural_NE: Array, fractal: float, natural: float) -> Array:
    """What a router without calibration takes for P(expert is best): the softmax of r over the experts, (N, E)."""
    p_NE: Array = np.exp(log_softmax(fractal * fractal_NE + natural * natural_NE, axis=1))
    return p_NE

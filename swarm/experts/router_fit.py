"""Fits a router to items at which every expert was scored, with its calibration on scores of items held out.

Shape suffixes: N items, M those of them at which experts differ, E experts, H hidden size.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError
from swarm.experts.calibrators import Calibration
from swarm.experts.router import standardised
from swarm.experts.router_geometry import Array, Geometry, Marks, fit_geometry

Folds = NDArray[np.int64]
ROUNDING = 1e-9  # relative: scores that differ by less are equal
FEWEST = 3  # examples at which an expert must be best, and as many at which it must not be


@dataclass(frozen=True)
class RouterFit:
    """How a router is fitted.

    components: principal components at most.
    folds: parts of the items; each is scored by the geometry of the others.
    calibration: how scores become probabilities.
    seed: of the folds.
    """

    components: int = 16
    folds: int = 5
    calibration: Calibration = "platt"
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit finds. geometry: of all items at which experts differ. Others as in Router."""

    geometry: Geometry
    spreads: tuple[float, float]
    fractal_ME: Array
    natural_ME: Array


def fit_router(features_NH: Array, scores_NE: Array, names: tuple[str, ...], settings: RouterFit) -> Fitted:
    """features_NH: mean hidden states of the prompts. scores_NE: each expert's score of each item, higher is better.

    Raises DataError where the items do not say which expert is best.
    """
    best_NE, differ_N = best_of(scores_NE)
    features_MH, best_ME = np.asarray(features_NH, dtype=np.float64)[differ_N], best_NE[differ_N]
    _check(best_ME, names, len(scores_NE))
    if len(np.unique(features_MH, axis=0)) <= settings.folds:
        raise DataError("objectives: the prompts at which experts differ are nearly all the same; add other prompts")
    geometry = fit_geometry(features_MH, best_ME, settings.components)
    fold_M = _folds(best_ME, settings)
    fractal_ME, natural_ME = np.zeros(best_ME.shape), np.zeros(best_ME.shape)
    for fold in np.unique(fold_M):
        rest_M, own_M = fold_M != fold, fold_M == fold
        assert best_ME[rest_M].any(axis=0).all(), "the best items of every expert lie in two folds at least"
        part = fit_geometry(features_MH[rest_M], best_ME[rest_M], settings.components)
        fractal_ME[own_M], natural_ME[own_M] = standardised(part, part.project(features_MH[own_M]), (1.0, 1.0))
    spreads = _spread(fractal_ME), _spread(natural_ME)
    return Fitted(geometry, spreads, fractal_ME / spreads[0], natural_ME / spreads[1])


def best_of(scores_NE: Array) -> tuple[Marks, Marks]:
    """Which experts are among the best at each item, (N, E), and at which items experts differ at all, (N)."""
    highest_N1, lowest_N1 = scores_NE.max(axis=1, keepdims=True), scores_NE.min(axis=1, keepdims=True)
    rounding_N1 = ROUNDING * np.maximum(np.abs(highest_N1), np.abs(lowest_N1))
    return scores_NE >= highest_N1 - rounding_N1, (highest_N1 - lowest_N1 > rounding_N1)[:, 0]


def _check(best_ME: Marks, names: tuple[str, ...], n: int) -> None:
    m = len(best_ME)
    for name, best in zip(names, best_ME.sum(axis=0), strict=True):
        if best < FEWEST or m - best < FEWEST:
            how = f"among the best at {best}" if best else "never among the best"
            raise DataError(
                f"splits: expert {name} is {how} of the {m} examples (of {n}) at which experts differ; to learn when "
                f"it is best takes {FEWEST} where it is and {FEWEST} where it is not: add examples of both kinds to "
                "the search split, or leave it out of experts"
            )


def _folds(best_ME: Marks, settings: RouterFit) -> Folds:
    """The part of each item. Every expert's best items are spread evenly, the rarest expert's first."""
    random = np.random.default_rng(settings.seed)
    fold_M, n = np.full(len(best_ME), -1), settings.folds
    for best_M in [*best_ME.T[np.argsort(best_ME.sum(axis=0), kind="stable")], np.ones(len(best_ME), dtype=bool)]:
        own = np.bincount(fold_M[best_M & (fold_M >= 0)], minlength=n).tolist()
        for item in random.permutation(np.flatnonzero(best_M & (fold_M < 0))):
            fold_M[item] = own.index(min(own))
            own[fold_M[item]] += 1
    return fold_M


def _spread(scores_ME: Array) -> float:
    spread = float(scores_ME.std())
    return spread if spread > 0 else 1.0

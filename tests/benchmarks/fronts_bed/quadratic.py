"""MAP (Li et al. 2024, arXiv 2406.07529): a quadratic for each objective, fitted to scored weightings, and its front.

The paper fits once and re-evaluates the front of the fit. Here half of the budget is for the fit, and the front's
members are scored ten at a time, with a new fit after each batch. With more coefficients than scores the quadratics
are kept small (ridge regression, the penalty by generalised cross-validation).

Shape suffixes: N positions, D coordinates, K objectives, T terms.
"""

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem as PymooProblem
from pymoo.optimize import minimize

from fronts_bed.problem import FrontProblem, Scores
from swarm.core.space import Array
from swarm.optimizers.positions import from_unit_cube, to_unit_cube
from swarm.optimizers.random_search import sample

BATCH = 10
PENALTIES = np.geomspace(1e-6, 1e2, 17)
POPULATION, GENERATIONS = 40, 60


class Quadratic:
    """The start and random weightings for half of the budget; then the fronts of quadratics."""

    def __init__(self, problem: FrontProblem, seed: int, evaluations: int) -> None:
        self._problem, self._space, self._seed = problem, problem.space, seed
        self._rng, self._left = np.random.default_rng([seed, 11]), evaluations // 2 - BATCH
        self._next_ND = problem.start(seed, BATCH)
        self._x_ND, self._y_NK = np.empty((0, problem.space.dimensions)), np.empty((0, problem.objectives))

    def ask(self) -> Array:
        return self._next_ND

    def tell(self, x_ND: Array, scores: Scores) -> None:
        self._x_ND = np.vstack([self._x_ND, to_unit_cube(self._space, x_ND)])
        self._y_NK = np.vstack([self._y_NK, scores.values_NK])
        if self._left > 0:
            self._next_ND = np.stack([sample(self._space, self._rng) for _ in range(BATCH)])
            self._left -= BATCH
        else:
            self._next_ND = from_unit_cube(self._space, self._front())

    def _front(self) -> Array:
        """As many members of the front of the fits as a batch has, spread by NSGA-II's crowding. Shape ND."""
        weights_TK = np.stack([ridge(terms(self._x_ND), y_N) for y_N in self._y_NK.T], axis=1)
        surrogate = _Surrogate(weights_TK, self._space.dimensions)
        algorithm = NSGA2(POPULATION, sampling=self._start())
        found = minimize(surrogate, algorithm, ("n_gen", GENERATIONS), seed=self._seed)
        members_ND = np.atleast_2d(found.X)
        rows = np.linspace(0, len(members_ND) - 1, BATCH).round().astype(int)
        order = np.argsort(np.atleast_2d(found.F)[:, 0])
        return np.asarray(members_ND[order[rows]])

    def _start(self) -> Array:
        random_ND = self._rng.uniform(size=(POPULATION, self._space.dimensions))
        return np.vstack([self._x_ND, random_ND])[-POPULATION:]


class _Surrogate(PymooProblem):
    """The fitted quadratics in the unit cube, to be minimised."""

    def __init__(self, weights_TK: Array, dimensions: int) -> None:
        super().__init__(n_var=dimensions, n_obj=weights_TK.shape[1], xl=0.0, xu=1.0)
        self._weights_TK = weights_TK

    def _evaluate(self, x: Array, out: dict[str, Array], *args: object, **kwargs: object) -> None:
        out["F"] = -terms(x) @ self._weights_TK


def terms(x_ND: Array) -> Array:
    """1, each coordinate, each product of two. Shape NT."""
    i, j = np.triu_indices(x_ND.shape[1])
    return np.column_stack([np.ones(len(x_ND)), x_ND, x_ND[:, i] * x_ND[:, j]])


def ridge(terms_NT: Array, y_N: Array) -> Array:
    """The weights of the terms; the penalty by generalised cross-validation (Golub, Heath & Wahba 1979). Shape T."""
    mean_T, mean = terms_NT.mean(axis=0), y_N.mean()
    u, s, vt = np.linalg.svd(terms_NT - mean_T, full_matrices=False)
    uy = u.T @ (y_N - mean)
    best, weights_T = np.inf, np.zeros(terms_NT.shape[1])
    for penalty in PENALTIES:
        shrunk = s**2 / (s**2 + penalty)
        rest = float(np.square(y_N - mean - u @ (shrunk * uy)).sum())
        score = rest / (len(y_N) - 1.0 - shrunk.sum()) ** 2
        if score < best:
            best, weights_T = score, vt.T @ (s / (s**2 + penalty) * uy)
    weights_T[0] = mean - mean_T @ weights_T
    return np.asarray(weights_T)

"""The best known front of a problem: NSGA-II (Deb et al. 2002) on the true values, which no compared method may see.

Shape suffixes: N positions, D coordinates, M members, K objectives.
"""

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem as PymooProblem
from pymoo.optimize import minimize

from fronts_bed.delivery import front_of
from fronts_bed.problem import FrontProblem
from swarm.core.space import Array

MEMBERS = 10_000  # of the front that are kept at most: of more a random choice


class Noiseless(PymooProblem):
    """A problem's true values, as pymoo wants it: minimised, constraints below zero."""

    def __init__(self, problem: FrontProblem) -> None:
        space = problem.space
        floors = problem.slacks(space.neutral_D[None]).shape[1]
        super().__init__(
            n_var=space.dimensions, n_obj=problem.objectives, n_ieq_constr=floors, xl=space.low_D, xu=space.high_D
        )
        self._problem, self.seen_NK = problem, np.empty((0, problem.objectives))

    def _evaluate(self, x_ND: Array, out: dict[str, Array], *unused: object, **also_unused: object) -> None:
        values_NK, slacks_NC = self._problem.truth(x_ND), self._problem.slacks(x_ND)
        out["F"], out["G"] = -values_NK, -slacks_NC
        self._keep(values_NK[(slacks_NC >= 0.0).all(axis=1)])

    def _keep(self, values_NK: Array) -> None:
        """Add to the front of all that was seen."""
        all_NK = np.vstack([self.seen_NK, values_NK])
        rows = front_of(all_NK, np.ones(len(all_NK), dtype=bool))
        self.seen_NK = all_NK[np.random.default_rng(0).permutation(rows)[:MEMBERS]]


def best_known(problem: FrontProblem) -> Array:
    """True values of the best known front. Shape MK."""
    population, generations = problem.dense
    noiseless = Noiseless(problem)
    start_ND = np.vstack([problem.start(0, population // 2), problem.dense_start(population - population // 2)])
    minimize(noiseless, NSGA2(population, sampling=start_ND), ("n_gen", generations), seed=1)
    return noiseless.seen_NK

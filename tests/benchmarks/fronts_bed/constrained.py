"""Constrained problems from the literature with known fronts, on the unit cube, without noise.

BNH (Binh & Korn 1997), SRN (Srinivas & Deb 1994), TNK (Tanaka et al. 1995), OSY (Osyczka & Kundu 1995) and C2-DTLZ2
(Jain & Deb 2014), as pymoo has them. Objectives are scaled so that the front's ideal point is 1 and its nadir 0.

All methods start at the same corners and on the diagonal of the cube, as on the other problems. It matters that it is
all: the middle of the cube lies on C2-DTLZ2's front, and a corner is an end of BNH's.

Shape suffixes: N positions, D coordinates, K objectives, C floors.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pymoo.core.problem import Problem as PymooProblem
from pymoo.problems import get_problem

from fronts_bed.problem import FrontProblem, Scorer, Scores
from swarm.core.space import Array, Baseline, Space

ERROR = 1e-6  # the standard error that is told: none would be a division by zero for some methods
BEYOND = -0.1  # the reference point lies a tenth of the front's range below its nadir


@dataclass(frozen=True)
class Constrained(FrontProblem):
    """A problem of pymoo.

    ideal, nadir: least and greatest value of each objective, which pymoo minimises, on the front.
    """

    name: str
    ideal: tuple[float, ...]
    nadir: tuple[float, ...]
    dense: tuple[int, int] = (300, 400)
    noisy = False

    @cached_property
    def space(self) -> Space:
        d = self._original.n_var
        return Space(
            coordinates=tuple(f"x{i}" for i in range(d)),
            low_D=np.zeros(d),
            high_D=np.ones(d),
            base=Baseline.base(np.zeros(d)),
            experts=tuple(Baseline.expert(f"x{i}", one_D) for i, one_D in enumerate(np.eye(d))),
            uniforms=tuple(Baseline.uniform(scale, np.full(d, scale)) for scale in (0.25, 0.5, 0.75)),
        )

    @cached_property
    def reference_K(self) -> Array:
        return np.full(len(self.ideal), BEYOND)

    def truth(self, x_ND: Array) -> Array:
        ideal_K, nadir_K = np.array(self.ideal), np.array(self.nadir)
        scaled_NK: Array = (nadir_K - self._evaluated(x_ND, "F")) / (nadir_K - ideal_K)
        return scaled_NK

    def slacks(self, x_ND: Array) -> Array:
        return -self._evaluated(x_ND, "G")

    def scorer(self, seed: int) -> Scorer:
        def scored(x_ND: Array) -> Scores:
            values_NK = self.truth(x_ND)
            return Scores(values_NK, np.full_like(values_NK, ERROR), self.slacks(x_ND))

        return scored

    def dense_start(self, count: int) -> Array:
        """Uniform."""
        return np.random.default_rng([1, 8]).uniform(size=(count, self.space.dimensions))

    @cached_property
    def _original(self) -> PymooProblem:
        return get_problem(self.name)

    def _evaluated(self, x_ND: Array, what: str) -> Array:
        low_D, high_D = self._original.bounds()
        found: Array = self._original.evaluate(low_D + x_ND * (high_D - low_D), return_values_of=[what])
        return found


CONSTRAINED: tuple[FrontProblem, ...] = (
    Constrained("bnh", (0.0, 4.0), (136.0, 50.0)),
    Constrained("srn", (10.0, -218.0), (230.0, 0.0)),
    Constrained("tnk", (0.04, 0.04), (1.04, 1.04)),
    Constrained("osy", (-274.0, 4.0), (-42.0, 76.0)),
    Constrained("c2dtlz2", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
)

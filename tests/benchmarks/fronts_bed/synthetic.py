"""Synthetic problems: smooth landscapes, one objective each, whose optima differ. True values are known exactly.

As in bed/synthetic.py an answer is right where the skill of a position, plus the example's own response to it, less the
example's difficulty is positive. Skill falls quadratically away from an objective's optimum, along axes of its
own. So the true value is Phi(skill / sqrt(2^2 + |x|^2)).

Shape suffixes: N positions, D coordinates, K objectives.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from bed.problem import box
from scipy.special import ndtr

from fronts_bed.problem import FrontProblem
from swarm.core.space import Array, Space
from swarm.optimizers.positions import clip

DIFFICULTY = 2.0  # standard deviation over the examples
OWN = 1.0  # of their own response to a coefficient


@dataclass(frozen=True)
class Landscapes(FrontProblem):
    """As many landscapes as objectives, which `seed` draws.

    experts: D.
    count: K.
    apart: the distance of the optima from their centre.
    steepness: the curvature away from an optimum, its smallest and largest over the axes.
    peak: the skill at an optimum.
    """

    name: str
    experts: int
    count: int
    seed: int
    apart: float = 0.9
    steepness: tuple[float, float] = (1.0, 4.0)
    peak: float = 2.5
    dense: tuple[int, int] = (300, 600)

    @cached_property
    def space(self) -> Space:
        return box([f"expert{i}" for i in range(self.experts)])

    @cached_property
    def best_KD(self) -> Array:
        """The optimum of each objective."""
        rng = self._rng(0)
        centre_D = 1.2 * rng.dirichlet(np.full(self.experts, 3.0))
        away_KD = rng.normal(size=(self.count, self.experts))
        away_KD -= away_KD.mean(axis=0)
        away_KD *= self.apart / np.linalg.norm(away_KD, axis=1, keepdims=True)
        return clip(centre_D + away_KD, self.space)

    @cached_property
    def steep_KDD(self) -> Array:
        """The quadratic form of each objective's loss, with axes of its own."""
        costs_D, found = np.geomspace(*self.steepness, self.experts), []
        for k in range(self.count):
            axes_DD, _ = np.linalg.qr(self._rng(1, k).normal(size=(self.experts, self.experts)))
            found.append(axes_DD * costs_D @ axes_DD.T)
        return np.array(found)

    def truth(self, x_ND: Array) -> Array:
        spread_N = np.sqrt(DIFFICULTY**2 + OWN**2 * np.square(x_ND).sum(axis=1))
        values = []
        for best_D, steep_DD in zip(self.best_KD, self.steep_KDD, strict=True):
            off_ND = x_ND - best_D
            values.append(ndtr((self.peak - (off_ND @ steep_DD * off_ND).sum(axis=1)) / spread_N))
        return np.stack(values, axis=1)

    def dense_start(self, count: int) -> Array:
        """Mixtures of the optima: with landscapes of one shape they would be the front."""
        share_NK = np.random.default_rng(1).dirichlet(np.full(self.count, 0.7), count)
        return clip(share_NK @ self.best_KD, self.space)

    def _rng(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *stream])


MANY = (600, 500)  # a surface needs more points than a line
SYNTHETIC: tuple[FrontProblem, ...] = (
    Landscapes("two-5", 5, 2, 301),
    Landscapes("two-10", 10, 2, 302),
    Landscapes("two-20", 20, 2, 303),
    Landscapes("two-40", 40, 2, 304),
    Landscapes("three-10", 10, 3, 305, dense=MANY),
    Landscapes("three-20", 20, 3, 306, dense=MANY),
    Landscapes("four-10", 10, 4, 307, dense=MANY),
    # Between the optima both fall faster than along any straight line, so a weighted sum is best at one of them.
    Landscapes("concave-10", 10, 2, 308, apart=1.0, steepness=(3.2, 3.2)),
)

"""Coordinate search: a grid refined around the best so far, coarse to fine, one coordinate after another.

After alignment vectors (arXiv 2410.19206), which searches a coarse grid, then finer ones around its best. From five
coordinates on a whole grid exceeds every budget, so each sweep goes through the coordinates in turn: first over each
axis of the coarse grid, then to both neighbours at half the step, at a quarter, ... down to the finest step, where it
sweeps until it finds nothing better. This takes some 70 evaluations for five coordinates and 130 for ten, and more
where the coordinates depend on one another.

Shape suffixes: N candidates, D coordinates.
"""

from dataclasses import dataclass, replace

import numpy as np

from swarm.core.space import Array, Space
from swarm.optimizers.generational import ParticleGeneration
from swarm.optimizers.positions import distinct_rows


@dataclass(frozen=True)
class Sweep:
    """How far a coordinate search has come.

    axes: each coordinate's values in the coarse grid.
    finest: the last step.
    best_D, best_utility: the best so far.
    level: how often the step was halved.
    axis: the coordinate whose candidates are being scored; -1 for the reference points.
    found: whether something better was found since the sweep began.
    """

    axes: tuple[Array, ...]
    finest: float
    best_D: Array
    best_utility: float = -np.inf
    level: int = 0
    axis: int = -1
    found: bool = False

    @property
    def last_level(self) -> int:
        return int(np.ceil(np.log2(max(map(spacing, self.axes)) / self.finest)))

    @property
    def step(self) -> float:
        """The distance to the neighbours on this axis: halved with each level, but never below the finest."""
        coarse = spacing(self.axes[self.axis])
        return min(coarse, max(coarse * 0.5**self.level, self.finest))


def spacing(values: Array) -> float:
    """The distance between neighbouring values of an axis; 0 if there is one value only, where the bounds are equal."""
    return float(values[1] - values[0]) if len(values) > 1 else 0.0


def after_generation(sweep: Sweep, generation: ParticleGeneration) -> Sweep:
    """The sweep after a generation: around the best of it, if that is strictly better."""
    utility_N = np.where(np.isnan(generation.utilities_N), -np.inf, generation.utilities_N)
    i = int(utility_N.argmax())
    if not utility_N[i] > sweep.best_utility:
        return sweep
    return replace(sweep, best_D=generation.x_ND[i], best_utility=float(utility_N[i]), found=True)


def next_axis(sweep: Sweep, space: Space) -> tuple[Sweep, Array]:
    """The sweep at the next coordinate that has candidates, and these. No candidates end the search. Shape ND."""
    while True:
        if sweep.axis + 1 < space.dimensions:
            sweep = replace(sweep, axis=sweep.axis + 1)
        elif sweep.level < sweep.last_level or sweep.found:
            sweep = replace(sweep, axis=0, level=min(sweep.level + 1, sweep.last_level), found=False)
        else:
            return sweep, np.empty((0, space.dimensions))
        x_ND = candidates(sweep, space)
        if len(x_ND):
            return sweep, x_ND


def candidates(sweep: Sweep, space: Space) -> Array:
    """The best with one coordinate changed: to the coarse grid's other values, later to both neighbours. Shape ND."""
    d, best = sweep.axis, sweep.best_D[sweep.axis]
    values = sweep.axes[d] if sweep.level == 0 else np.array([best - sweep.step, best + sweep.step])
    # Rounded, so that rounding errors do not add up over the steps.
    values = np.clip(np.round(values, 12), space.low_D[d], space.high_D[d])
    x_ND = np.repeat(sweep.best_D[None], len(values), axis=0)
    x_ND[:, d] = values
    x_ND = x_ND[np.abs(values - best) > 1e-9]  # the others are the best itself
    distinct_ND: Array = x_ND[distinct_rows(x_ND)]
    return distinct_ND

"""Where a search that is free within its bounds starts: the reference points, then random combinations of the experts.

A coordinate in which every expert is at the base's position says nothing of experts: combinations draw it evenly.

Shape suffixes: R reference points, E experts, U uniform averages, N particles, D coordinates.
"""

import numpy as np

from swarm.core.space import Array, Space
from swarm.optimizers.positions import clip, distinct_rows
from swarm.optimizers.randomness import Stream, draw


def reference_points(space: Space) -> Array:
    """The baselines' positions, most promising first: uniform averages, experts alone, the base. Shape RD.

    Before them the positions that the space names as worth starting from.
    """
    x_RD = clip(np.vstack([*space.starts, space.uniforms_UD, space.experts_ED, space.neutral_D[None]]), space)
    return x_RD[distinct_rows(x_RD)]


def combination(space: Space, rng: np.random.Generator) -> Array:
    """One random combination of the experts. Shape D."""
    (x_D,) = combinations(space, 1, rng)
    return np.asarray(x_D)


def combinations(space: Space, count: int, rng: np.random.Generator) -> Array:
    """Random combinations: Dirichlet shares of the experts times a scale within the uniform averages' range.

    Shape: count x D.
    """
    deltas_ED = space.experts_ED - space.neutral_D
    low, high = _scale_range(space)
    ones_E = np.ones(len(deltas_ED))
    steps = [(rng.dirichlet(ones_E) @ deltas_ED) * rng.uniform(low, high) for _ in range(count)]
    x_ND = space.neutral_D + np.array(steps)
    if (free_D := ~deltas_ED.any(axis=0)).any():
        x_ND[:, free_D] = rng.uniform(space.low_D[free_D], space.high_D[free_D], (count, int(free_D.sum())))
    return clip(x_ND, space)


def initial_design(space: Space, seed: int, particles: int) -> Array:
    """The first generation: reference points in their order, then combinations. Shape ND."""
    x_RD = reference_points(space)[:particles]
    filled = [combination(space, draw(seed, 0, i, Stream.START)) for i in range(len(x_RD), particles)]
    return np.vstack([x_RD, *filled])


def _scale_range(space: Space) -> tuple[float, float]:
    """The smallest and the largest scale of the uniform averages, where 1 is the plain average of the experts."""
    mean_D = space.experts_ED.mean(axis=0) - space.neutral_D
    if not len(space.uniforms_UD) or not mean_D.any():
        return 1.0, 1.0
    scales_U = (space.uniforms_UD - space.neutral_D) @ mean_D / (mean_D @ mean_D)
    return float(scales_U.min()), float(scales_U.max())

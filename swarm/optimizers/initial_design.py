"""Where a search that is free within its bounds starts: the anchors, then random combinations of the experts.

Shape suffixes: A anchors, E experts, U uniform averages, N particles, D coordinates.
"""

import numpy as np

from swarm.core.space import Array, Space
from swarm.optimizers.randomness import Stream, draw


def clip(x: Array, space: Space) -> Array:
    """Into the bounds. Shape: any, the last axis D."""
    return np.clip(x, space.low_D, space.high_D)


def reference_points(space: Space) -> Array:
    """The positions worth knowing, most promising first: uniform averages, experts alone, the base. Shape AD."""
    return distinct(clip(np.vstack([space.uniforms_UD, space.experts_ED, space.neutral_D[None]]), space))


def distinct(x_ND: Array) -> Array:
    """The rows without repetitions, each where it first stood. Shape: at most ND."""
    key_ND = np.round(x_ND, 12) + 0.0  # + 0.0: one zero only, and the last bits of an average do not count
    _, first = np.unique(key_ND, axis=0, return_index=True)
    return x_ND[np.sort(first)]


def combination(space: Space, rng: np.random.Generator) -> Array:
    """One random combination. Shape D."""
    (x_D,) = combinations(space, 1, rng)
    return np.asarray(x_D)


def combinations(space: Space, count: int, rng: np.random.Generator) -> Array:
    """Random ones: Dirichlet shares of the experts times a total between the uniform averages'. Shape: count x D."""
    deltas_ED = space.experts_ED - space.neutral_D
    low, high = _totals(space)
    ones_E = np.ones(len(deltas_ED))
    steps = [(rng.dirichlet(ones_E) @ deltas_ED) * rng.uniform(low, high) for _ in range(count)]
    return clip(space.neutral_D + np.array(steps), space)


def initial_design(space: Space, seed: int, particles: int) -> Array:
    """The first generation: anchors in their order, then combinations. Shape ND."""
    known_AD = reference_points(space)[:particles]
    filled = [combination(space, draw(seed, 0, i, Stream.START)) for i in range(len(known_AD), particles)]
    return np.vstack([known_AD, *filled])


def _totals(space: Space) -> tuple[float, float]:
    """The least and the greatest scale of the uniform averages: 1 is the plain average of the experts."""
    mean_D = space.experts_ED.mean(axis=0) - space.neutral_D
    if not len(space.uniforms_UD) or not mean_D.any():
        return 1.0, 1.0
    scales_U = (space.uniforms_UD - space.neutral_D) @ mean_D / (mean_D @ mean_D)
    return float(scales_U.min()), float(scales_U.max())

"""All randomness of the optimizers: one generator per (seed, iteration, particle, stream).

`iteration` is the generation that the draw is for. So a draw depends neither on the order of results nor on earlier
draws, and anybody can repeat one: `np.random.default_rng([seed, iteration, particle, stream])`.
"""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a draw is for. The numbers are part of the scheme: never reuse one."""

    START = 0
    VELOCITY = 1
    MOVE = 2
    DROP_ITERATION = 3
    DROP_PARTICLE = 4


def draw(seed: int, iteration: int, particle: int, stream: Stream) -> np.random.Generator:
    """The generator of one particle's draws in one generation. seed >= 0."""
    return np.random.default_rng([seed, iteration, particle, int(stream)])


def random_other(seed: int, particle: int, particles: int) -> int:
    """A particle other than `particle`, each with the same probability: the one that an initial velocity points at."""
    other = int(draw(seed, 0, particle, Stream.VELOCITY).integers(particles - 1))
    return other + (other >= particle)

"""Positions as arrays: clipped to the bounds, mapped to the unit cube and back, without repetitions.

Shape suffixes: N positions, D coordinates.
"""

import numpy as np
from numpy.typing import NDArray

from swarm.core.space import Array, Space

DIGITS = 9  # to which positions are compared: see distinct_rows


def clip(x: Array, space: Space) -> Array:
    """Into the bounds. Shape: any, the last axis D."""
    return np.clip(x, space.low_D, space.high_D)


def to_unit_cube(space: Space, x_ND: Array) -> Array:
    """Positions as shares of the bounds' width, 0 to 1; 0 for a coordinate whose bounds are equal."""
    width_D = space.high_D - space.low_D
    unit_ND: Array = np.divide(x_ND - space.low_D, width_D, out=np.zeros_like(x_ND), where=width_D > 0)
    return np.clip(unit_ND, 0.0, 1.0)


def from_unit_cube(space: Space, unit_ND: Array) -> Array:
    """The positions at these shares of the bounds' width."""
    x_ND: Array = space.low_D + unit_ND * (space.high_D - space.low_D)
    return x_ND


def distinct_rows(x_ND: Array) -> NDArray[np.intp]:
    """The index of each row's first occurrence, in order. Rows are one if they agree to 9 decimal digits.

    How a position was computed (an average, or the way to the unit cube and back) makes errors of 1e-16 to 1e-15. No
    optimizer takes steps of 1e-9, in coordinates or in shares of the bounds' width. 9 digits separate the two.
    """
    rounded_ND = np.ascontiguousarray(np.round(x_ND, DIGITS) + 0.0)  # + 0.0: -0 and 0 are one
    first: dict[bytes, int] = {}
    for i, row_D in enumerate(rounded_ND):
        first.setdefault(row_D.tobytes(), i)
    return np.array(list(first.values()), dtype=np.intp)

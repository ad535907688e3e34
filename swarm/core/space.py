"""Where a swarm moves.

Shape suffixes: E experts, D coordinates, U uniform averages.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Space:
    """Where a swarm moves: named coordinates, their bounds, and the positions worth starting from.

    low_D, high_D: bounds. experts_ED: each expert alone. neutral_D: the base itself.
    uniforms_UD: the uniform average at several scales.
    """

    coordinates: tuple[str, ...]
    low_D: Array
    high_D: Array
    experts_ED: Array
    neutral_D: Array
    uniforms_UD: Array

    @property
    def dimensions(self) -> int:
        return len(self.coordinates)

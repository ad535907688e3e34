"""Where a search moves, and the positions that it has to beat.

Shape suffixes: E experts, D coordinates, U uniform averages.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Position = tuple[float, ...]


@dataclass(frozen=True)
class Baseline:
    """A position that every search has to beat, named by the composition that knows what it means.

    id: of its candidate, in the journal and the summary.
    position_D: where it lies.
    scale: the coefficient of each expert that takes part: 0 in the base, 1 for an expert alone.
    """

    id: str
    position_D: Array
    scale: float

    @classmethod
    def base(cls, position_D: Array) -> "Baseline":
        """The base model itself."""
        return cls("base", position_D, 0.0)

    @classmethod
    def expert(cls, name: str, position_D: Array) -> "Baseline":
        """One expert alone."""
        return cls(f"expert:{name}", position_D, 1.0)

    @classmethod
    def uniform(cls, scale: float, position_D: Array) -> "Baseline":
        """The uniform average in which every expert has the coefficient `scale`."""
        return cls(f"uniform:{scale:.4g}", position_D, scale)


@dataclass(frozen=True)
class Space:
    """Where a search moves: named coordinates, their bounds, and the baselines, which are also worth starting from.

    low_D, high_D: the bounds.
    base: the base itself.
    experts: each expert alone, in the catalog's order.
    uniforms: the uniform average at several scales.
    starts: further positions that are worth starting from, the most promising first.
    same_model: position -> another one that is the same model, and is scored for both.
    """

    coordinates: tuple[str, ...]
    low_D: Array
    high_D: Array
    base: Baseline
    experts: tuple[Baseline, ...]
    uniforms: tuple[Baseline, ...]
    starts: tuple[Array, ...] = ()
    same_model: Mapping[Position, Position] = field(default_factory=dict)

    @property
    def dimensions(self) -> int:
        return len(self.coordinates)

    def scored_at(self, x_D: Array) -> Position:
        """The position at which this one's model is scored: mostly itself."""
        position = position_of(x_D)
        return self.same_model.get(position, position)

    @property
    def baselines(self) -> tuple[Baseline, ...]:
        return (self.base, *self.experts, *self.uniforms)

    @property
    def neutral_D(self) -> Array:
        """The position of the base."""
        return self.base.position_D

    @property
    def experts_ED(self) -> Array:
        """The position of each expert alone."""
        return self._positions(self.experts)

    @property
    def uniforms_UD(self) -> Array:
        """The positions of the uniform averages."""
        return self._positions(self.uniforms)

    def _positions(self, baselines: tuple[Baseline, ...]) -> Array:
        positions = [baseline.position_D for baseline in baselines]
        return np.array(positions, dtype=np.float64).reshape(len(positions), self.dimensions)


def position_of(x_D: Array) -> Position:
    return tuple(float(x) for x in x_D)

"""Which coordinates are one expert's: with groups of parameters an expert has a coefficient for each group.

The mean of an expert's coordinates is what its coefficient would be without groups; the deviations from it are what
groups add. So a search can tell the two apart.

Shape suffixes: N positions, E experts, D coordinates.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from swarm.core.space import Array, Baseline, Space


@dataclass(frozen=True)
class ExpertGroups:
    """expert_D: the expert that each coordinate is a coefficient of; every expert has at least one."""

    expert_D: NDArray[np.intp]

    @classmethod
    def of(cls, space: Space) -> "ExpertGroups | None":
        """None where no expert has several coordinates, or a coordinate is not one expert's."""
        own_ED = space.experts_ED != space.neutral_D
        if not (own_ED.sum(axis=0) == 1).all() or own_ED.sum(axis=1).max(initial=0) <= 1:
            return None
        return cls(own_ED.argmax(axis=0))

    @property
    def experts(self) -> int:
        return int(self.expert_D.max()) + 1

    @cached_property
    def group_D(self) -> NDArray[np.intp]:
        """The number of each coordinate among those of its expert."""
        return np.array([(self.expert_D[:d] == expert).sum() for d, expert in enumerate(self.expert_D)], dtype=np.intp)

    def means(self, x_ND: Array) -> Array:
        """The mean of each expert's coordinates, exact where they are equal. Shape NE."""
        first_NE = x_ND[:, self._first_E]
        off_ND = x_ND - first_NE[:, self.expert_D]
        means_NE: Array = first_NE + off_ND @ self._average_DE
        return means_NE

    def repeated(self, x_NE: Array) -> Array:
        """Positions of one coefficient an expert, as ones of all coordinates. Shape ND."""
        x_ND: Array = x_NE[:, self.expert_D]
        return x_ND

    def deviations(self, x_ND: Array) -> Array:
        """Of each coordinate from its expert's mean. Shape ND."""
        return x_ND - self.repeated(self.means(x_ND))

    def scaled(self, x_ND: Array, factor: float | Array) -> Array:
        """The positions with their deviations times a factor, or a factor for each expert. Shape ND."""
        means_ND, factor_E = self.repeated(self.means(x_ND)), np.broadcast_to(factor, self.experts)
        scaled_ND: Array = means_ND + factor_E[self.expert_D] * (x_ND - means_ND)
        return scaled_ND

    def spread(self, x_ND: Array) -> Array:
        """How much the groups of a position differ: the root mean square of its deviations. Shape N."""
        spread_N: Array = np.sqrt(np.square(self.deviations(x_ND)).mean(axis=1))
        return spread_N

    def ungrouped(self, space: Space) -> Space:
        """The space with one coefficient an expert."""
        first_E = self._first_E

        def reduced(baseline: Baseline) -> Baseline:
            return replace(baseline, position_D=baseline.position_D[first_E])

        return Space(
            coordinates=tuple(space.coordinates[d] for d in first_E),
            low_D=space.low_D[first_E],
            high_D=space.high_D[first_E],
            base=reduced(space.base),
            experts=tuple(map(reduced, space.experts)),
            uniforms=tuple(map(reduced, space.uniforms)),
        )

    @cached_property
    def _first_E(self) -> NDArray[np.intp]:
        return np.unique(self.expert_D, return_index=True)[1]

    @cached_property
    def _average_DE(self) -> Array:
        member_DE = (self.expert_D[:, None] == np.arange(self.experts)).astype(np.float64)
        average_DE: Array = member_DE / member_DE.sum(axis=0)
        return average_DE

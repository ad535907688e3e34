"""Problems on the recording of SmolLM2 (bed/recorded.py): an objective is the accuracy on one of its tasks, or several.

Shape suffixes: N positions, D coordinates, K objectives, P examples.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from bed.recorded import NAMES, Recorded
from scipy.special import ndtr

from fronts_bed.problem import FrontProblem
from swarm.core.space import Array, Space


@dataclass(frozen=True)
class RecordedFront(FrontProblem):
    """A problem on the recorded examples of some groups of tasks, an objective each."""

    name: str
    groups: tuple[tuple[str, ...], ...]
    dense: tuple[int, int] = (500, 300)

    @cached_property
    def space(self) -> Space:
        return self._parts[0].space

    @cached_property
    def _parts(self) -> tuple[Recorded, ...]:
        return tuple(Recorded(self.name, tasks) for tasks in self.groups)

    def truth(self, x_ND: Array) -> Array:
        """As Recorded.truth, for many positions at a time."""
        return np.stack([ndtr(part.surfaces(x_ND) / part.error).mean(axis=1) for part in self._parts], axis=1)


CHAIN, PRODUCTS, GCD, FAMILY, *_ = NAMES
RECORDED: tuple[FrontProblem, ...] = (
    RecordedFront("smollm2-two", ((CHAIN, PRODUCTS, GCD), (FAMILY,))),
    RecordedFront("smollm2-three", ((CHAIN,), (PRODUCTS,), (FAMILY,))),
)

"""The observed front of a search: whether what was scored last has widened it, for its patience."""

from collections.abc import Iterable

import numpy as np

from swarm.core.dominance import non_dominated
from swarm.core.measured import Measured


class ObservedFront:
    """The values of which no others are better in all objectives."""

    def __init__(self, known: Iterable[Measured | None] = ()) -> None:
        self._values: list[tuple[float, ...]] = []
        self.widened_by(known)

    def widened_by(self, measured: Iterable[Measured | None]) -> bool:
        """Take these in; whether one of them is on the front now."""
        before = set(self._values)
        every = list(dict.fromkeys([*self._values, *(each.values for each in measured if each)]))
        if not every:
            return False
        on_it = non_dominated(np.array(every, dtype=np.float64))
        self._values = [values for values, on in zip(every, on_it, strict=True) if on]
        return bool(set(self._values) - before)

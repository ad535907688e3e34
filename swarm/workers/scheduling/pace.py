"""The running median of how long a candidate takes: what deadlines and hedges go by."""

from bisect import bisect_left, insort
from collections import deque

KEPT = 201
ENOUGH = 5


class RunningMedian:
    """The median of the latest durations, in seconds; O(KEPT) an update."""

    def __init__(self) -> None:
        self._latest: deque[float] = deque()
        self._sorted: list[float] = []

    def add(self, seconds: float) -> None:
        if len(self._latest) == KEPT:
            del self._sorted[bisect_left(self._sorted, self._latest.popleft())]
        self._latest.append(seconds)
        insort(self._sorted, seconds)

    @property
    def median(self) -> float | None:
        """None as long as too few are known."""
        return self._sorted[len(self._sorted) // 2] if len(self._sorted) >= ENOUGH else None

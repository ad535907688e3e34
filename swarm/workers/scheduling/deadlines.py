"""How long a bundle of candidates may take: the running median behind deadlines and speculative copies.

The median is of seconds per example, since a race may stop a candidate early: a candidate that is scored in full takes
longer in proportion to its examples. A small bundle is allowed as long as a full one, since the cost of a bundle is
shared among its candidates.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from swarm.core.candidates import Evaluation
from swarm.workers.settings import RayCluster

WINDOW = 201  # durations kept: enough for a stable median, few enough that it follows a change of the workload
SHORT = 5.0  # seconds of a bundle; in longer ones the time that the coordinator takes to answer is lost
MIN_DURATIONS = 5  # below this number one slow start would decide the median


class RunningMedian:
    """The median of the latest durations in seconds; an update costs O(WINDOW)."""

    def __init__(self) -> None:
        self._latest: deque[float] = deque()
        self._sorted: list[float] = []

    def add(self, seconds: float) -> None:
        if len(self._latest) == WINDOW:
            del self._sorted[bisect_left(self._sorted, self._latest.popleft())]
        self._latest.append(seconds)
        insort(self._sorted, seconds)

    @property
    def median(self) -> float | None:
        """None while too few durations are known."""
        return self._sorted[len(self._sorted) // 2] if len(self._sorted) >= MIN_DURATIONS else None


@dataclass(frozen=True)
class Deadline:
    """A time limit.

    seconds: how long an attempt may run.
    key: the setting that the limit comes from.
    """

    seconds: float
    key: str


class Deadlines:
    """The time limits of one split.

    examples: examples per candidate.
    """

    def __init__(self, settings: RayCluster, examples: int) -> None:
        self._settings = settings
        self._examples = examples
        self._seconds_per_example = RunningMedian()

    def observe(self, seconds: float, evaluations: Sequence[Evaluation]) -> None:
        """Learn from an answer. Failed evaluations have no examples and teach nothing."""
        if scored := sum(evaluation.n_examples for evaluation in evaluations):
            self._seconds_per_example.add(seconds / scored)

    def deadline(self, tasks: int, full: int) -> Deadline:
        """The time after which a bundle of so many candidates is given up. full: how many a full one has."""
        if (expected := self._expected(full)) is None:
            return Deadline(self._settings.start_seconds * tasks, "cluster.start_seconds")
        if expected * self._settings.deadline < self._settings.deadline_seconds:
            return Deadline(self._settings.deadline_seconds, "cluster.deadline_seconds")
        return Deadline(expected * self._settings.deadline, "cluster.deadline")

    def copy_after(self, full: int) -> float | None:
        """Seconds after which a free worker starts a speculative copy; None: never, or not known yet."""
        expected = self._expected(full)
        return None if expected is None or self._settings.hedge is None else expected * self._settings.hedge

    def short(self, full: int) -> bool:
        """Whether a bundle is scored so fast that a wait for the coordinator would count; or it is not known yet."""
        expected = self._expected(full)
        return expected is None or expected < SHORT

    def _expected(self, full: int) -> float | None:
        """The seconds that a full bundle usually takes."""
        median = self._seconds_per_example.median
        return None if median is None else median * self._examples * full

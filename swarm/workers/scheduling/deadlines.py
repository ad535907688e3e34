"""How long a bundle of candidates may take: what deadlines and second copies go by.

The running median is of seconds an example, as a race may stop a candidate early: one that is scored in full takes as
many times longer as it has more examples. A bundle is allowed what a full one takes, as bundling gains by company.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from swarm.core.candidates import Evaluation
from swarm.workers.scheduling.pace import RunningMedian
from swarm.workers.settings import RayCluster


@dataclass(frozen=True)
class Deadline:
    """Seconds, and the setting that they come from."""

    seconds: float
    key: str


class Deadlines:
    """Of one split: so many examples a candidate, so many candidates a bundle."""

    def __init__(self, settings: RayCluster, examples: int, together: int) -> None:
        self._settings = settings
        self._examples = examples
        self._together = together
        self._pace = RunningMedian()

    def learn(self, seconds: float, evaluations: Sequence[Evaluation]) -> None:
        """From an answer; what failed was scored on nothing, and teaches nothing."""
        if scored := sum(evaluation.n_examples for evaluation in evaluations):
            self._pace.add(seconds / scored)

    def deadline(self, tasks: int) -> Deadline:
        """When a bundle is given up."""
        if (usual := self._usual(tasks)) is None:
            return Deadline(self._settings.start_seconds * tasks, "cluster.start_seconds")
        if usual * self._settings.deadline < self._settings.deadline_seconds:
            return Deadline(self._settings.deadline_seconds, "cluster.deadline_seconds")
        return Deadline(usual * self._settings.deadline, "cluster.deadline")

    def hedge(self, tasks: int) -> float | None:
        """When a free worker scores a bundle too; None: never, or not known yet."""
        usual = self._usual(tasks)
        return None if usual is None or self._settings.hedge is None else usual * self._settings.hedge

    def _usual(self, tasks: int) -> float | None:
        median = self._pace.median
        return None if median is None else median * self._examples * max(tasks, self._together)

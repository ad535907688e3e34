"""How many candidates a worker is best given at a time: as many as its engine stacks in their first pass.

What is merged goes alone: nothing is gained by waiting for another candidate's answer.
"""

from collections.abc import Callable

from swarm.core.candidates import PruningBounds
from swarm.engines import Requests
from swarm.evaluation.evaluator import EvaluatorSpec, race_of
from swarm.evaluation.workload import Workload


class BundleSizes:
    """The numbers of candidates, by how many examples are scored before the first stop is possible."""

    def __init__(self, spec: EvaluatorSpec, workload: Workload, together: Callable[[Requests], int]) -> None:
        """together: how many candidates the engine scores at a time, where they get these requests."""
        self._spec, self._workload, self._together = spec, workload, together
        self._sizes: dict[int, int] = {}

    def __call__(self, pruning: PruningBounds) -> int:
        first = race_of(self._spec, self._workload, pruning).next_rung(dict.fromkeys(self._workload.sizes, ()))
        if first not in self._sizes:
            self._sizes[first] = self._together(self._workload.slice(0, first).requests)
        return self._sizes[first]

"""An optimizer that checks that its results are in the journal, and keeps its latest state."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from support.simulation.machines import Violation
from swarm.core.space import Array, Space
from swarm.optimizers import Observation, Optimizer, Proposal


class CheckedOptimizer:
    """An optimizer as the search sees it. written: the utility of every id in the journal's file."""

    def __init__(self, optimizer: Optimizer[Any], written: Mapping[str, float]) -> None:
        self._optimizer = optimizer
        self._written = written
        self.seen: list[str] = []
        self.state: object = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._optimizer, name)

    def init(self, space: Space, seed: int) -> Any:
        return self._keep(self._optimizer.init(space, seed))

    def tell(self, state: Any, results: Sequence[Observation]) -> Any:
        for result in results:
            self._check(result)
        return self._keep(self._optimizer.tell(state, results))

    def step(self, state: Any, result: Observation) -> tuple[Any, list[Proposal]]:
        self._check(result)
        state, proposals = self._optimizer.step(state, result)
        return self._keep(state), proposals

    def retrace(self, state: Any, result: Observation, next_D: Array) -> tuple[Any, list[Proposal]]:
        self._check(result)
        state, proposals = self._optimizer.retrace(state, result, next_D)
        return self._keep(state), proposals

    def _check(self, result: Observation) -> None:
        name = f"{result.iteration}-{result.particle}"
        written = self._written.get(name)
        if written is None:
            raise Violation(f"the optimizer receives {name} before the journal has it")
        if not (written == result.utility or (math.isnan(written) and math.isnan(result.utility))):
            raise Violation(f"the optimizer receives {result.utility} for {name}, and the journal has {written}")
        self.seen.append(name)

    def _keep(self, state: Any) -> Any:
        before = getattr(self.state, "global_utility", -math.inf)
        if getattr(state, "global_utility", -math.inf) < before:
            raise Violation("the global best became worse")
        self.state = state
        return state

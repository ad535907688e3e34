"""How an attempt ends, and how many faults a candidate may suffer.

A fault that is charged to a candidate strikes each one at most `attempts - 1` times per session: more would rightly
fail the candidate, and the search would end elsewhere than an undisturbed one. Only poisonous candidates fail.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from support.simulation.scenario import ClusterModel, Poison
from swarm.core.candidates import Task
from swarm.workers.scheduling.events import Cause

End = Literal["answers", "crashes", "breaks", "hangs"]
STRAGGLE = 5.0  # times as long as usual


@dataclass(frozen=True)
class AttemptEnd:
    """How an attempt ends.

    end: what happens.
    share: the part of its time after which that happens.
    seconds: how long the whole attempt takes at the fastest worker.
    """

    end: End
    share: float
    seconds: float


class FaultBudget:
    """How often each candidate may still be charged for a fault that is not its own."""

    def __init__(self, attempts: int, poison_of: Callable[[str], Poison | None]) -> None:
        self._most = attempts - 1
        self._spent: dict[str, int] = {}
        self.deaths: dict[str, int] = {}
        self.poison_of = poison_of

    def allows(self, tasks: Sequence[Task]) -> bool:
        return all(self._spent.get(task.candidate.id, 0) < self._most for task in tasks)

    def spend(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            self._spent[task.candidate.id] = self._spent.get(task.candidate.id, 0) + 1

    def count_death(self, tasks: Sequence[Task]) -> None:
        """Count, per candidate, the workers that died while they scored it."""
        for task in tasks:
            self.deaths[task.candidate.id] = self.deaths.get(task.candidate.id, 0) + 1

    def poison(self, tasks: Sequence[Task]) -> Poison | None:
        """The first poison among the tasks that an evaluator does not survive; it survives "failed"."""
        found = [kind for task in tasks if (kind := self.poison_of(task.candidate.id)) not in (None, "failed")]
        return found[0] if found else None

    def allows_death(self, bundles: Sequence[Sequence[Task]]) -> bool:
        """Whether the worker with these bundles may die by chance: the dispatcher charges a bundle that is alone."""
        return len(bundles) != 1 or self.poison(bundles[0]) is not None or self.allows(bundles[0])

    def cause(self, bundles: Sequence[Sequence[Task]]) -> Cause:
        """The reported cause of the death of a worker with these bundles."""
        if not bundles or not self.allows_death(bundles):
            return "idle"
        # A bundle with poison is split before the charges to its other candidates matter.
        if len(bundles) == 1 and self.poison(bundles[0]) is None:
            self.spend(bundles[0])
        return "scoring"


def draw_end(rng: Random, model: ClusterModel, tasks: Sequence[Task], budget: FaultBudget) -> AttemptEnd:
    """Draw how an attempt ends. Spends the budget at once, except for a crash, where it is not yet known who pays."""
    seconds = sum(rng.uniform(*model.seconds) for _ in tasks)
    if rng.random() < model.straggle:
        seconds *= STRAGGLE
    if kind := budget.poison(tasks):
        ends: dict[Poison, End] = {"lethal": "crashes", "broken": "breaks", "hanging": "hangs"}
        return AttemptEnd(ends[kind], rng.choice((0.0, rng.random(), 1.0)), seconds)
    drawn = rng.random()
    rates: tuple[tuple[End, float], ...] = (("crashes", model.crash), ("breaks", model.broken), ("hangs", model.hang))
    for end, rate in rates:
        if drawn < rate and budget.allows(tasks):
            if end != "crashes":
                budget.spend(tasks)
            return AttemptEnd(end, rng.choice((0.0, rng.random(), 1.0)), seconds)
        drawn -= rate
    return AttemptEnd("answers", 1.0, seconds)

"""What becomes of an attempt to score candidates.

Misfortune that a candidate is blamed for comes to each at most `attempts - 1` times a session: two in a row would
fail a candidate by right, and a run would end elsewhere than an undisturbed one. Only poison fails.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from support.simulation.scenario import Poison, World
from swarm.core.candidates import Task
from swarm.workers.scheduling.events import Cause

End = Literal["answers", "crashes", "breaks", "hangs"]
STRAGGLE = 5.0  # times as long as usual


@dataclass(frozen=True)
class Fate:
    """How an attempt ends, after what share of its time, and how long the whole of it takes at a common worker."""

    end: End
    share: float
    seconds: float


class Luck:
    """How often each candidate may still be blamed for what it has not done."""

    def __init__(self, attempts: int, poison_of: Callable[[str], Poison | None]) -> None:
        self._most = attempts - 1
        self._spent: dict[str, int] = {}
        self.lives: dict[str, int] = {}
        self.poison_of = poison_of

    def lasts(self, tasks: Sequence[Task]) -> bool:
        return all(self._spent.get(task.candidate.id, 0) < self._most for task in tasks)

    def spend(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            self._spent[task.candidate.id] = self._spent.get(task.candidate.id, 0) + 1

    def killed(self, tasks: Sequence[Task]) -> None:
        """Count the workers that each candidate was the end of."""
        for task in tasks:
            self.lives[task.candidate.id] = self.lives.get(task.candidate.id, 0) + 1

    def poison(self, tasks: Sequence[Task]) -> Poison | None:
        """What is worst among them: an evaluator survives what is only "failed"."""
        found = [kind for task in tasks if (kind := self.poison_of(task.candidate.id)) not in (None, "failed")]
        return found[0] if found else None

    def bears(self, bundles: Sequence[Sequence[Task]]) -> bool:
        """Whether the worker that holds these may die of nothing: the dispatcher charges a bundle that is alone."""
        return len(bundles) != 1 or self.poison(bundles[0]) is not None or self.lasts(bundles[0])

    def cause(self, bundles: Sequence[Sequence[Task]]) -> Cause:
        """What is told of the death of a worker that holds these."""
        if not bundles or not self.bears(bundles):
            return "idle"
        # A bundle with poison in it is split before it matters how often the others in it were charged.
        if len(bundles) == 1 and self.poison(bundles[0]) is None:
            self.spend(bundles[0])
        return "scoring"


def fate(rng: Random, world: World, tasks: Sequence[Task], luck: Luck) -> Fate:
    """Draw what becomes of an attempt. Spends the luck that it takes, but for a crash: who is blamed is seen later."""
    seconds = sum(rng.uniform(*world.seconds) for _ in tasks)
    if rng.random() < world.straggle:
        seconds *= STRAGGLE
    if kind := luck.poison(tasks):
        ends: dict[Poison, End] = {"lethal": "crashes", "broken": "breaks", "hanging": "hangs"}
        return Fate(ends[kind], rng.choice((0.0, rng.random(), 1.0)), seconds)
    drawn = rng.random()
    chances: tuple[tuple[End, float], ...] = (("crashes", world.crash), ("breaks", world.broken), ("hangs", world.hang))
    for end, chance in chances:
        if drawn < chance and luck.lasts(tasks):
            if end != "crashes":
                luck.spend(tasks)
            return Fate(end, rng.choice((0.0, rng.random(), 1.0)), seconds)
        drawn -= chance
    return Fate("answers", 1.0, seconds)

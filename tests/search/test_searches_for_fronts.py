"""A search for a front, or under a floor, by both schedules: neither who answers first nor a kill changes it."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from support.runs import journal, timeless
from support.searches import WEIGHTS, loop, scored
from swarm.core.candidates import Task
from swarm.core.floors import Floor
from swarm.core.outcomes import Feed, Outcome
from swarm.optimizers.bayesian import Bayesian
from swarm.optimizers.guided_pso import GuidedPSO
from swarm.optimizers.surrogate import SurrogateOptimizer
from swarm.preferences.goals import Goals
from swarm.search import SCHEDULES

FRONT, FLOOR = Goals(WEIGHTS, ("near", "small")), Goals(WEIGHTS, floors={"small": Floor(-0.9)})
FROM_BASE = Goals(WEIGHTS, floors={"small": Floor(-0.4, from_base=True)})
SEARCHES: dict[str, tuple[SurrogateOptimizer, Goals]] = {
    "front": (GuidedPSO(goal="front", evaluations=40), FRONT),
    "front of bayesian": (Bayesian(goal="front", evaluations=40), FRONT),
    "floor": (GuidedPSO(evaluations=40), FLOOR),
    "floor from the base": (GuidedPSO(evaluations=40), FROM_BASE),
}


@dataclass
class Anyone:
    """Up to three tasks are in the air, and any of them answers next. Stops after so many answers."""

    rng: random.Random
    at_once: int = 3
    answers: int = 10**6

    def __call__(self, feed: Feed) -> Iterator[Outcome]:
        in_air: list[Task] = []
        while (feed or in_air) and self.answers:
            while feed and len(in_air) < self.at_once:
                in_air.append(feed.popleft())
            self.answers -= 1
            yield scored(in_air.pop(self.rng.randrange(len(in_air))).candidate)
        if not self.answers:
            raise KeyboardInterrupt


def search(folder: Path, name: str, workers: Anyone, schedule: str = "sync") -> None:
    optimizer, goals = SEARCHES[name]
    optimizer = optimizer.model_copy(update={"schedule": schedule, "patience": None})
    made = replace(loop(folder, optimizer, workers), goals=goals)
    SCHEDULES[schedule](made).run()


def lines(folder: Path) -> dict[str, object]:
    return {line["id"]: line for line in timeless(journal(folder)) if line["kind"] == "evaluation"}


@pytest.mark.parametrize("name", SEARCHES)
def test_the_order_of_answers_changes_nothing(name: str, tmp_path: Path) -> None:
    for seed, at_once in ((0, 1), (1, 2), (2, 7)):
        search(tmp_path / str(seed), name, Anyone(random.Random(seed), at_once))
    assert lines(tmp_path / "0") == lines(tmp_path / "1") == lines(tmp_path / "2")
    assert len(lines(tmp_path / "0")) == 40


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("kills", [(7, 11), (20,), (33, 2)])
def test_a_killed_search_goes_on_the_same(name: str, kills: tuple[int, ...], tmp_path: Path) -> None:
    search(tmp_path / "whole", name, Anyone(random.Random(0)))
    for i, answers in enumerate(kills):
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path / "cut", name, Anyone(random.Random(i), answers=answers))
    search(tmp_path / "cut", name, Anyone(random.Random(9)))
    assert lines(tmp_path / "cut") == lines(tmp_path / "whole")


@pytest.mark.parametrize("name", ["front", "floor from the base"])
def test_async_is_a_function_of_the_journal(name: str, tmp_path: Path) -> None:
    """One worker, so that the journal's order is given: cut and resumed it has the same lines."""
    search(tmp_path / "whole", name, Anyone(random.Random(0), at_once=1), "async")
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "cut", name, Anyone(random.Random(0), at_once=1, answers=25), "async")
    search(tmp_path / "cut", name, Anyone(random.Random(0), at_once=1), "async")
    assert lines(tmp_path / "cut") == lines(tmp_path / "whole")


def test_nobody_is_stopped_early(tmp_path: Path) -> None:
    tasks: list[Task] = []

    def evaluate(feed: Feed) -> Iterator[Outcome]:
        while feed:
            tasks.append(feed.popleft())
            yield scored(tasks[-1].candidate)

    optimizer, goals = SEARCHES["front"]
    made = replace(loop(tmp_path / "run", optimizer, evaluate), goals=goals, sequential=True)
    SCHEDULES["sync"](made).run()
    assert all(task.pruning.low > task.pruning.high for task in tasks)
    assert all(task.pruning.best is None for task in tasks)

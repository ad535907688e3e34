"""The predicted time of an optimizer's proposals, beside that of all of them, on a clock that the optimizer moves."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest

from support.optimizer_runs import run, space
from swarm.core.space import Array
from swarm.optimizers import Optimizer
from swarm.optimizers.bayesian import Bayesian
from swarm.optimizers.generational import GenerationState
from swarm.optimizers.history import HistoryState, told
from swarm.optimizers.random_search import RandomSearch
from swarm.optimizers.surrogate import MAX_OBSERVATIONS, Indices
from swarm.run.proposal_timing import ASKING_SECONDS, time_proposals

GENERATIONS = 100
Seconds = Callable[[int], float]


class Clock:
    """Seconds, and what a generation takes after so many evaluations."""

    def __init__(self) -> None:
        self.now = 0.0
        self.of_generation: Seconds = lambda evaluations: 0.0

    def move(self, evaluations: int) -> None:
        self.now += self.of_generation(evaluations)


class Modelled(Bayesian):
    """Remembers, as optimizers with a model do."""

    clock: ClassVar[Clock] = Clock()

    def next_positions(self, state: HistoryState, iteration: int, particles_C: Indices, pending_KD: Array) -> Array:
        self.clock.move(told(state))
        drawn_CD: Array = np.random.default_rng(told(state)).uniform(size=(len(particles_C), state.space.dimensions))
        return drawn_CD


class Drawn(RandomSearch):
    """Remembers nothing."""

    clock: ClassVar[Clock] = Clock()

    def advance(self, state: GenerationState) -> GenerationState:
        self.clock.move(self.particles * (state.generation.iteration + 1))
        return super().advance(state)


def up_to_the_cap(evaluations: int) -> float:
    """As a model that is fitted to no more than some observations, and less often then."""
    return evaluations / 2000 if evaluations <= MAX_OBSERVATIONS else 0.11


CASES: dict[str, tuple[Optimizer[Any], Seconds]] = {
    "a model with a cap": (Modelled(particles=10), up_to_the_cap),
    "a model that grows": (Modelled(particles=10), lambda evaluations: evaluations / 2000),
    "two generations at once": (Modelled(particles=5, overlap=True), up_to_the_cap),
    "nothing that grows": (Drawn(particles=10), lambda evaluations: 0.2),
    "a first generation that loads a package": (Drawn(particles=10), lambda n: 0.6 if n == 10 else 0.05),
    "a history that grows": (Drawn(particles=10), lambda evaluations: evaluations / 2000),
    "a generation that takes long": (Drawn(particles=10), lambda evaluations: evaluations / 5),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("generations", [40, GENERATIONS])
def test_what_is_not_tried_is_estimated_within_a_quarter(name: str, generations: int) -> None:
    optimizer, seconds = CASES[name]
    assert isinstance(optimizer, (Modelled, Drawn))
    clock = optimizer.clock
    clock.of_generation = seconds
    predicted = time_proposals(optimizer, space(3), 0, generations, lambda: clock.now)
    clock.now = 0.0
    run(optimizer, lambda x_D: float(x_D[0]), generations - 1)
    assert clock.now > 1.5 * ASKING_SECONDS, "some of it is not tried"
    assert predicted.evaluations is None
    assert predicted.seconds == pytest.approx(clock.now, rel=0.25)

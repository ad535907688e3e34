"""What an optimizer is: frozen settings and pure init / ask / tell over an explicit state.

Promises, held by tests for every optimizer in the registry:
- `ask` and `tell` never change a state and never draw from a global generator: all randomness is a function of
  (seed, iteration, particle).
- `ask` returns the proposals that are still to be scored; asking twice returns the same ones. An empty list means that
  the search is over.
- An optimizer that `proposes_ahead` asks for two generations at once, the older one first. Another one is proposed once
  the older one is complete, from that one and those before it: of the pending one nothing is learnt yet.
- `tell` takes observations singly or in any number and any order. A utility of nan means that there is none (the
  evaluation failed, or racing stopped it); it never becomes a best or a worst. An optimizer that `takes_estimates`
  gets an estimate for a candidate that was stopped.
- A utility from `low` to `high` of its proposal has the same effect as nan. So the exact bound of racing may stop a
  candidate whose utility cannot leave that range.
- `step` is `tell` for one observation under the async schedule: its particle moves on at once, against the bests so
  far. The order of the steps, which the journal keeps, determines the search.
- `remember` is called at most once, on the state that `init` returned.
- The search keeps the budgets (iterations, evaluations, patience, minutes), not the optimizer.

Shape suffixes: N particles, D coordinates.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Generic, Literal, Self, TypeVar

from pydantic import BeforeValidator, Field, field_validator

from swarm.core.measured import Measured
from swarm.core.settings import Settings
from swarm.core.space import Array, Space

MOST_PARTICLES = 10_000  # far above what any search can score in a generation; more fill the memory first
MOST_EVALUATIONS = 10**9
# What `particles: auto` means. With five particles and overlap ten candidates are in the air: enough for four workers,
# so that up to four search alike. More workers are only busy with as many particles as they are (docs/benchmarks.md,
# scaling). Many particles learn seldom, so a budget is to last for six generations: against ten and no overlap, 32 lost
# 1.1 +- 0.4 points with 100 evaluations and 0.1 with 200; 16 lost 0.2 and 0.1, 5 lost 0.1 and 0.0.
FEWEST_PARTICLES, FEW_WORKERS, LEAST_GENERATIONS = 5, 4, 6
State = TypeVar("State")


def particles_for(workers: int, evaluations: int | None = None) -> int:
    """What `particles: auto` means with so many workers and evaluations; None: no limit."""
    most = MOST_PARTICLES if evaluations is None else evaluations // LEAST_GENERATIONS
    return FEWEST_PARTICLES if workers <= FEW_WORKERS else max(FEWEST_PARTICLES, min(workers, most, MOST_PARTICLES))


def _number_or_auto(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value != "auto" and not (type(value) is int and 1 <= value <= MOST_PARTICLES):
        raise ValueError(f"must be auto or a whole number from 1 to {MOST_PARTICLES:,}")
    return value


# For the field `particles` of an optimizer that can propose ahead.
ParticlesOrAuto = Annotated[
    Annotated[int, Field(ge=1, le=MOST_PARTICLES)] | Literal["auto"], BeforeValidator(_number_or_auto)
]


@dataclass(frozen=True)
class Proposal:
    """A position that a particle wants scored.

    iteration, particle: who asks; an iteration is a generation, or a step of that particle under async.
    x_D: the position.
    low, high: a utility in this range, both ends included, changes nothing; by default the range is empty.
    personal_D: the particle's personal best, where it has one.
    """

    iteration: int
    particle: int
    x_D: Array
    low: float = math.inf
    high: float = -math.inf
    personal_D: Array | None = None


@dataclass(frozen=True)
class Observation:
    """The utility of a proposal: higher is better; nan is none (failed, or stopped: but see `takes_estimates`).

    measured: what else is known of it, where the search is for a front or has floors.
    """

    iteration: int
    particle: int
    utility: float
    measured: Measured | None = None


@dataclass(frozen=True)
class PriorResult:
    """What another search found out: a position, its utility, and what else was measured."""

    x_D: Array
    utility: float
    measured: Measured | None = None


class Optimizer(Settings, ABC, Generic[State]):
    """Settings shared by all optimizers, and the three functions."""

    type: str
    schedule: Literal["sync", "async"] = Field(
        "sync", description="sync: generation by generation; async: a particle moves as soon as its score is in"
    )
    goal: Literal["best", "front"] = Field(
        "best",
        description="best: the highest weighted mean of the objectives; front: hold the objectives apart, and widen the"
        " front of weightings that no other one beats in all of them (guided_pso and bayesian)",
    )
    iterations: int = Field(50, ge=1, le=MOST_EVALUATIONS, description="generations at most")
    evaluations: int | None = Field(None, ge=1, le=MOST_EVALUATIONS, description="evaluations at most; none: no limit")
    patience: int | None = Field(None, ge=1, description="stop after so many iterations without a new best")
    minutes: float | None = Field(None, gt=0, description="wall-clock minutes of search at most")

    # Fields that earlier versions did not have: at their defaults they are left out of a run's fingerprint, so that
    # runs of those versions can be resumed.
    added_later: ClassVar[frozenset[str]] = frozenset()

    # Whether it learns from what observations measure beside the utility: fronts, and by how much floors are kept.
    keeps_floors: ClassVar[bool] = False

    @field_validator("goal")
    @classmethod
    def _held_apart(cls, goal: str) -> str:
        if goal == "front" and not cls.keeps_floors:
            raise ValueError("this type learns one utility alone; take optimizer.type: guided_pso or bayesian")
        return goal

    @field_validator("schedule")
    @classmethod
    def _supported(cls, schedule: str) -> str:
        if schedule == "async" and cls.step is Optimizer.step:
            raise ValueError("this type moves all its particles together; take sync")
        return schedule

    def decisive(self) -> dict[str, object]:
        """The settings that decide positions, for the fingerprint of a run; budgets do not."""
        fields = type(self).model_fields
        later = self.added_later | {"goal"}
        unset = {name for name in later if getattr(self, name) == fields[name].get_default()}
        budgets = set(Optimizer.model_fields) - {"type", "schedule", "goal"}
        return self.model_dump(mode="json", exclude=budgets | unset)

    @property
    def climbs_soft(self) -> bool:
        """Whether it learns from smoothed scores where there are any; its proposals' low and high then do not apply."""
        return False

    @property
    def takes_estimates(self) -> bool:
        """Whether it learns from estimated utilities too. If so, a sequential test may stop candidates although any
        utility of theirs affects the optimizer."""
        return False

    @property
    def holds_apart(self) -> bool:
        """Whether it searches for a front: observations then carry the objectives' scores apart."""
        return self.goal == "front"

    @property
    def proposes_ahead(self) -> bool:
        """Whether it proposes a generation while the one before is being scored, so that generations overlap."""
        return False

    @property
    def population(self) -> int:
        """How many positions a generation has: its `particles`, 1 where it has none.

        A first generation that is to hold all reference points may be larger.
        """
        particles = getattr(self, "particles", 1)
        return particles_for(1) if particles == "auto" else int(particles)

    def most_positions(self, space: Space, seed: int) -> int:
        """How many distinct positions it asks for within its iterations, at most. Raises ConfigError as `init` does.

        By default the first ones, which may be more than a population, and a population in every later iteration.
        """
        first = [each for each in self.ask(self.init(space, seed)) if each.iteration < self.iterations]
        later = self.iterations - 1 - max(each.iteration for each in first)
        return len({space.scored_at(each.x_D) for each in first}) + later * self.population

    def on(self, workers: int) -> Self:
        """The same with a number of particles for so many workers, where they are `auto`."""
        if getattr(self, "particles", 1) != "auto":
            return self
        return self.model_copy(update={"particles": particles_for(workers, self.evaluations)})

    @abstractmethod
    def init(self, space: Space, seed: int) -> State:
        """The state before anything is scored. Raises ConfigError where the settings do not fit the space."""

    @abstractmethod
    def ask(self, state: State) -> list[Proposal]:
        """The proposals that are still to be scored in this state."""

    @abstractmethod
    def tell(self, state: State, observations: Sequence[Observation]) -> State:
        """The state after these observations."""

    @property
    def remembers(self) -> bool:
        """Whether it uses what another search found out."""
        return type(self).remember is not Optimizer.remember

    def remember(self, state: State, known: Sequence[PriorResult]) -> State:
        """The initial state of a search that continues another one, whose evaluations are `known`, in order.

        By default it starts as any other: then scores are not paid for twice, but lead it nowhere.
        """
        return state

    def step(self, state: State, observation: Observation) -> tuple[State, list[Proposal]]:
        """The state after this observation, and its particle's next proposal; none once the search is over.

        An optimizer whose particles move together does not override this: it has no async schedule.
        """
        raise AssertionError(f"{self.type} supports schedule: sync alone")

    def retrace(self, state: State, observation: Observation, next_D: Array) -> tuple[State, list[Proposal]]:
        """As `step`, where the journal says what it proposed: next_D.

        An optimizer that takes long to propose takes that for granted. By default the step is taken again.
        """
        return self.step(state, observation)

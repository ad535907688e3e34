"""What an optimizer is: frozen settings and pure init / ask / tell over an explicit state.

Promises, held by tests for every optimizer in the registry:
- `ask` and `tell` never change a state and never draw from a global generator: all randomness is a
  function of (seed, iteration, particle).
- `ask` returns what is still to be scored; asking twice returns the same. Empty means the search is over.
- `tell` takes results singly or in any number and any order; a result of nan is no utility (the evaluation
  failed, or was stopped by a race) and never becomes a best or a worst. Who `takes_estimates` is told, of what was
  stopped, an estimate.
- A utility from `low` to `high` of its proposal and nan are told alike: the search goes on the same. So the exact bound
  of a race may stop a candidate that cannot get out of there.
- `step` is `tell` for one result when the schedule is async: the particle of that result moves on at once, against
  what is best so far. The order of the steps, which the journal keeps, decides where a search goes.
- Budgets (iterations, evaluations, patience, minutes) are kept by the search, not here.

Shape suffixes: N particles, D coordinates.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from pydantic import Field, field_validator

from swarm.core.settings import Settings
from swarm.core.space import Array, Space

State = TypeVar("State")


@dataclass(frozen=True)
class Proposal:
    """A position (shape D) that a particle wants scored.

    low, high: a utility between, both included, changes nothing; by default there is none such. personal_D: the
    particle's personal best, where it has one.
    """

    iteration: int
    particle: int
    x_D: Array
    low: float = math.inf
    high: float = -math.inf
    personal_D: Array | None = None


@dataclass(frozen=True)
class Result:
    """The utility of a proposal: higher is better, nan is none (failed, or stopped: but see `takes_estimates`)."""

    iteration: int
    particle: int
    utility: float


class Optimizer(Settings, ABC, Generic[State]):
    """Settings shared by all optimizers, and the three functions."""

    type: str
    schedule: Literal["sync", "async"] = Field(
        "sync", description="sync: generation by generation; async: a particle moves as soon as its score is in"
    )
    iterations: int = Field(50, ge=1, description="generations at most")
    evaluations: int | None = Field(None, ge=1, description="evaluations at most; none: no limit")
    patience: int | None = Field(None, ge=1, description="stop after so many iterations without a new best")
    minutes: float | None = Field(None, gt=0, description="wall-clock minutes of search at most")

    @field_validator("schedule")
    @classmethod
    def _stepping(cls, schedule: str) -> str:
        if schedule == "async" and cls.step is Optimizer.step:
            raise ValueError("this type moves all its particles together; take sync")
        return schedule

    @property
    def climbs_soft(self) -> bool:
        """Whether it is told softened scores where there are any. Then its proposals' low and high mean nothing."""
        return False

    @property
    def takes_estimates(self) -> bool:
        """Whether it learns from estimated utilities too: then a sequential test may stop candidates whose utility,
        whatever it is, moves it."""
        return False

    @property
    def population(self) -> int:
        """How many positions it asks for at once."""
        return int(getattr(self, "particles", 1))

    @abstractmethod
    def init(self, space: Space, seed: int) -> State:
        """The state before anything is scored. Raises ConfigError where the settings do not fit the space."""

    @abstractmethod
    def ask(self, state: State) -> list[Proposal]:
        """What is still to be scored in this state."""

    @abstractmethod
    def tell(self, state: State, results: Sequence[Result]) -> State:
        """The state after these results."""

    def step(self, state: State, result: Result) -> tuple[State, list[Proposal]]:
        """The state after this result, and what its particle wants scored next: one proposal, or none in the end.

        An optimizer that knows generations alone leaves it as it is here.
        """
        raise AssertionError(f"{self.type} takes no schedule but sync: see _stepping")

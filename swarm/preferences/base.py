"""What a rule of choice is: it ranks the members of a finished search's front.

Promises, held by tests for every rule in the registry:
- The same members in another order have the same best one; equal ones keep the order of their rows.
- A member that another exceeds on every objective is never the best.
- It is a pure function of the members: no evaluation, no random number.

Shape suffixes: M members, K objectives, C criteria.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field, field_validator

from swarm.core.errors import ConfigError
from swarm.core.settings import Settings
from swarm.core.space import Array
from swarm.preferences.members import ROUNDING, Members

Weight = Annotated[float, Field(ge=0, strict=True)]  # strict: yes in YAML is no weight


class Rule(Settings, ABC):
    """The settings that all rules share, and what each of them does."""

    type: str

    # The field that takes NAME=NUMBER of the command line where NAME is none of the rule's other fields.
    names: ClassVar[str | None] = None

    # Whether it reads `Members.gains`, the improvements over the base example by example.
    needs_examples: ClassVar[bool] = False

    # Whether it reads `Members.groups`, where the data name groups.
    reads_groups: ClassVar[bool] = False

    @abstractmethod
    def criteria(self, members: Members) -> Array:
        """What it compares the members by, shape MC: the first column decides, the next ones decide among equals."""

    @abstractmethod
    def inputs(self, members: Members) -> str:
        """What it used, in words and numbers: reference point, weights, groups. For the record of a decision."""

    def check(self, objectives: Sequence[str], groups: Sequence[str]) -> None:
        """Raise ConfigError where it names what is not there. groups: labels; empty where the data name none."""

    def ranked(self, members: Members) -> list[int]:
        """All rows, best first. Members equal by every criterion: the higher mean share of the range, then the
        earlier row. Raises ConfigError as `check` does."""
        self.check(members.objectives, list(members.groups))
        criteria_MC = np.column_stack([self.criteria(members), members.range_shares_MK.mean(axis=1)])
        return [int(row) for row in np.lexsort(-_rounded(criteria_MC).T[::-1])]

    def value(self, members: Members) -> Array | None:
        """The one number that it maximises, shape M; None where it compares by several."""
        return self.criteria(members)[:, 0]


class WeightedRule(Rule, ABC):
    """A rule in which objectives have weights."""

    weights: Mapping[str, Weight] | None = Field(
        None, description="weight by name; those not named count 0; none: the objectives' weights in the search"
    )

    names: ClassVar[str | None] = "weights"

    @field_validator("weights")
    @classmethod
    def _some_weight(cls, weights: Mapping[str, float] | None) -> Mapping[str, float] | None:
        if weights is not None and not any(weights.values()):
            raise ValueError("at least one weight must be above 0")
        return weights

    def check(self, objectives: Sequence[str], groups: Sequence[str]) -> None:
        known(self.weights or (), objectives, f"{self.type}.weights", "objective")

    def weights_K(self, members: Members) -> Array:
        """The weights of the objectives, summing to 1. Those of the members where the rule has none."""
        return shares(members.weights_K if self.weights is None else ordered(self.weights, members.objectives))


def ordered(weights: Mapping[str, float], names: Iterable[str]) -> Array:
    """The weights in the order of the names; 0 for a name without one."""
    return np.array([weights.get(name, 0.0) for name in names])


def shares(weights_K: Array) -> Array:
    """The weights divided by their sum."""
    scaled_K: Array = weights_K / weights_K.max()  # so that no sum overflows
    shares_K: Array = scaled_K / scaled_K.sum()
    return shares_K


def known(names: Iterable[str], among: Sequence[str], key: str, kind: str) -> None:
    """Raise ConfigError where one of the names is not among those known. kind: what they are names of."""
    for name in names:
        if name not in among:
            raise ConfigError(f"{key}: {name!r} is no {kind}; {nearest(name, among)}")


def nearest(wrong: str, known: Sequence[str]) -> str:
    """The remedy for an unknown name."""
    close = get_close_matches(wrong[:100], known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"


def listed(names: Iterable[str], values: Iterable[float]) -> str:
    """name=value, ... for the record of a decision."""
    return ", ".join(f"{name}={value:.6g}" for name, value in zip(names, values, strict=True))


def gains_in_words(members: Members) -> str:
    """What normalised gains are counted from and to."""
    reference, ideal = listed(members.objectives, members.reference_K), listed(members.objectives, members.ideal_K)
    return f"gains from the reference point ({reference}) to the ideal, the members' best on each ({ideal})"


def _rounded(criteria_MC: Array) -> Array:
    """Without the differences that come from rounding, so that equal members are equal."""
    size_C = np.abs(criteria_MC).max(axis=0)
    rounded_MC: Array = np.round(criteria_MC / np.where(size_C > 0, size_C, 1.0) / ROUNDING)
    return rounded_MC

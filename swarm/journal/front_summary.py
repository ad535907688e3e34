"""The part of summary.json on a front and on floors: what was held apart, and how good that is on each split."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict

from swarm.journal.by_objective import nulls_as_nan
from swarm.statistics.intervals import Difference, Score

Scores = Mapping[str, Annotated[Score, nulls_as_nan]]


class FrontPart(BaseModel):
    """What newer versions add is ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class FloorKept(FrontPart):
    """A floor as one member keeps it.

    low: the lower confidence bound of its score on the select split; from the base's score on, where the floor is.
    kept: whether it is kept for certain: members are tested from the safest on, until one is below a floor.
    """

    low: float
    kept: bool


class Member(FrontPart):
    """One that was scored on the select split, baselines included.

    coefficients: expert -> group -> coefficient; without groups, the group is "".
    search, select, test: objective -> score on that split; None where there is none.
    groups: group of the data -> utility on its select examples.
    dominated_by: the member that dominates it with significance on the select split; "" where none does.
    floors: objective -> how its floor is kept.
    """

    id: str
    coefficients: Mapping[str, Mapping[str, float]] = {}
    search: Scores | None = None
    select: Scores | None = None
    test: Scores | None = None
    groups: Mapping[str, float] = {}
    dominated_by: str = ""
    floors: Mapping[str, FloorKept] = {}


class FrontSummary(FrontPart):
    """The front of a run, and its floors.

    objectives: those that have a weight, in the order of `reference`.
    apart: whether they were held apart; else one utility was maximised under floors.
    reference: objective -> the score from which gains count.
    floors: objective -> its floor, as the config gives it.
    confidence: with which the chosen one keeps every floor.
    rule: which rule chose, with its settings. inputs: what it compared, in words.
    kept: whether the chosen one keeps every floor; where not, it is the nearest.
    members: by their score on the first objective, the highest first.
    hypervolume: split -> that of the members that are not dominated there, by the means on that split. On search it is
        that of the observed front: what a front looks like before fresh examples.
    baselines: the hypervolume on test of the baselines alone; None where nothing was held apart, or one has no score.
    gain: the hypervolume on test of those members minus that of the baselines alone.
    """

    objectives: tuple[str, ...]
    apart: bool
    reference: Mapping[str, float]
    floors: Mapping[str, str] = {}
    confidence: float
    rule: Mapping[str, object]
    inputs: str
    kept: bool
    members: tuple[Member, ...]
    hypervolume: Mapping[str, Annotated[Score, nulls_as_nan]] = {}
    baselines: Annotated[Score, nulls_as_nan] | None = None
    gain: Annotated[Difference, nulls_as_nan] | None = None

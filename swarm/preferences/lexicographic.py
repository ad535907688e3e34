"""Ordered levels: the first objective decides, the next one among those that are nearly as good, and so on.

The slack of a level says how much of it may be given up for the levels below (lexicographic semiorders: Tversky 1969,
"Intransitivity of preferences", Psychological Review 76; hierarchical optimisation with tolerances: Waltz 1967).
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from swarm.core.space import Array
from swarm.preferences.base import Rule, Weight, known, listed
from swarm.preferences.members import ROUNDING, Members


class Lexicographic(Rule):
    """Level by level the members stay that are within its slack of the best of those still there.

    Who stays longer ranks higher; of those that leave at one level, who is better there. Of those that stay to the end
    the one with the highest mean share of the range is chosen. So the slack of the last level counts as well: 0 takes
    its best. No reference point.
    """

    type: Literal["lexicographic"] = "lexicographic"
    levels: Mapping[str, Weight] = Field(
        min_length=1, description="objective: slack, most important first; slack in the unit of its scores"
    )

    names: ClassVar[str | None] = "levels"

    def check(self, objectives: Sequence[str], groups: Sequence[str]) -> None:
        known(self.levels, objectives, f"{self.type}.levels", "objective")

    def criteria(self, members: Members) -> Array:
        stays_M = np.ones(len(members.ids), dtype=bool)
        passed_M, last_M = np.zeros(len(stays_M)), np.zeros(len(stays_M))
        for name, slack in self.levels.items():
            scores_M = members.scores_MK[:, members.objectives.index(name)]
            best = scores_M[stays_M].max()
            near_M = scores_M >= best - slack - ROUNDING * max(abs(best), slack)
            last_M[stays_M & ~near_M] = scores_M[stays_M & ~near_M]
            stays_M &= near_M
            passed_M += stays_M
        return np.column_stack([passed_M, last_M])

    def value(self, members: Members) -> None:
        return None

    def inputs(self, members: Members) -> str:
        return f"mean scores; levels and slacks {listed(self.levels, self.levels.values())}; no reference point"

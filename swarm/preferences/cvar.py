"""The groups that are served worst: the conditional value at risk over groups.

Shape suffixes: M members, G groups.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from swarm.core.errors import ConfigError
from swarm.core.space import Array
from swarm.preferences.base import Rule
from swarm.preferences.members import Members


class CVaR(Rule):
    """max the mean of the worst share alpha of the groups' utilities (Rockafellar & Uryasev 2000, "Optimization of
    conditional value-at-risk", Journal of Risk 2; over groups Williamson & Menon 2019).

    Every group counts alike, whatever its size. With G groups alpha G of them are meant; the last one counts with the
    fraction that is left. alpha up to 1/G: the worst group alone; 1: the mean. Among equals the mean over all groups.
    """

    type: Literal["cvar"] = "cvar"
    alpha: float = Field(0.25, gt=0, le=1, description="share of the groups, the worst ones")

    reads_groups: ClassVar[bool] = True

    def check(self, objectives: Sequence[str], groups: Sequence[str]) -> None:
        if not groups:
            raise ConfigError(f"{self.type}: the examples name no groups; give them a group each, or take egalitarian")

    def criteria(self, members: Members) -> Array:
        worst_first_MG = np.sort(np.column_stack(list(members.groups.values())), axis=1)
        number = self.alpha * worst_first_MG.shape[1]
        counts_G = np.clip(number - np.arange(worst_first_MG.shape[1]), 0.0, 1.0)
        return np.column_stack([worst_first_MG @ counts_G / number, worst_first_MG.mean(axis=1)])

    def inputs(self, members: Members) -> str:
        return f"mean utilities of the groups {', '.join(members.groups)}; alpha={self.alpha:g}; no reference point"

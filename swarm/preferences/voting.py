"""Votes among the members: groups are the voters where the data name some, otherwise objectives.

A voter only ranks the members, so no unit and no reference point matters, and neither does by how much.

Shape suffixes: M members, V voters.
"""

from abc import ABC
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from swarm.core.space import Array
from swarm.preferences.base import WeightedRule, known, listed, ordered, shares
from swarm.preferences.members import Members


class VotingRule(WeightedRule, ABC):
    """Voters with weights: named by the rule; else objectives by their weight in the search, groups all alike."""

    reads_groups: ClassVar[bool] = True

    def check(self, objectives: Sequence[str], groups: Sequence[str]) -> None:
        known(self.weights or (), groups or objectives, f"{self.type}.weights", "group" if groups else "objective")

    def voters(self, members: Members) -> tuple[list[str], Array]:
        """Names and weights, shape V; the weights sum to 1."""
        names = list(members.groups or members.objectives)
        if self.weights is not None:
            return names, shares(ordered(self.weights, names))
        return names, shares(np.ones(len(names)) if members.groups else members.weights_K)

    def margins(self, members: Members) -> Array:
        """Shape MM: the weight of the voters that prefer the row's member minus that of those against."""
        votes_MV = np.column_stack(list(members.groups.values())) if members.groups else members.scores_MK
        margins_MM = np.zeros((len(votes_MV), len(votes_MV)))
        for votes_M, weight in zip(votes_MV.T, self.voters(members)[1], strict=True):
            margins_MM += weight * np.sign(votes_M[:, None] - votes_M)
        return margins_MM

    def inputs(self, members: Members) -> str:
        names, weights_V = self.voters(members)
        kind = "groups" if members.groups else "objectives"
        return f"the {kind} as voters, each ranking the members; weights {listed(names, weights_V)}; no reference point"


class Borda(VotingRule):
    """max the weighted mean over voters of the share of the other members that it beats, a tie counting half (Borda
    1781; Young 1974, "An axiomatization of Borda's rule", Journal of Economic Theory 9)."""

    type: Literal["borda"] = "borda"

    def criteria(self, members: Members) -> Array:
        return _borda(self.margins(members))[:, None]


class Copeland(VotingRule):
    """max the number of members that it beats by a weighted majority minus the number that beat it, divided by the
    number of the others (Copeland 1951; Saari & Merlin 1996). Who beats every other one is the best. Among equals
    Borda's count."""

    type: Literal["copeland"] = "copeland"

    def criteria(self, members: Members) -> Array:
        margins_MM = self.margins(members)
        majorities_MM = np.where(
            np.abs(margins_MM) > 1e-9, np.sign(margins_MM), 0.0
        )  # weights sum to 1 but for rounding
        return np.column_stack([majorities_MM.sum(axis=1) / max(len(margins_MM) - 1, 1), _borda(margins_MM)])


def _borda(margins_MM: Array) -> Array:
    """The share of the others that each beats, over all voters; one half where it is alone."""
    share_M: Array = 0.5 + margins_MM.sum(axis=1) / 2 / max(len(margins_MM) - 1, 1)
    return share_M

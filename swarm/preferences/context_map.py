"""From a preference to coefficients: interpolation between the members of a front.

A preference is a weight for each objective, summing to 1. Each member stands for the preference that it fulfils: its
scores as shares of the front's range, divided by their sum. The best member of an objective stands for that objective
alone as well, so a preference for one objective gives its best member exactly. What lies between members is a convex
combination of them. It was never evaluated: the search's front says nothing about it.

Shape suffixes: M members, K objectives, D coordinates, A anchors.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from swarm.core.errors import ConfigError
from swarm.core.space import Array
from swarm.preferences.base import known, ordered, shares
from swarm.preferences.front import non_dominated
from swarm.preferences.members import ROUNDING, Members


@dataclass(frozen=True)
class Blend:
    """What a preference comes to.

    preference: weight of each objective, summing to 1.
    shares: id -> share of each member that takes part, summing to 1.
    coefficients: the shares' combination of the members' positions, D of them.
    """

    preference: Mapping[str, float]
    shares: Mapping[str, float]
    coefficients: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class ContextMap:
    """The members of a front, and the preferences that they stand for. Build it with `of`.

    members: those that no other dominates.
    positions_MD: where they lie.
    anchors_AK: preferences; the first K are for one objective alone.
    member_A: the row of the member that stands for each.
    """

    members: Members
    positions_MD: Array
    anchors_AK: Array
    member_A: tuple[int, ...]

    @classmethod
    def of(cls, members: Members, positions_MD: Array) -> "ContextMap":
        """positions_MD: where the members lie, a row for each; those that others dominate take no part."""
        rows = np.flatnonzero(non_dominated(members.scores_MK))
        front, positions_MD = members.only(rows), positions_MD[rows]
        best, ranges_MK = front.extremes, front.range_shares_MK
        between = [row for row in range(len(rows)) if row not in best and ranges_MK[row].any()]
        anchors = [np.eye(len(best)), *(shares(ranges_MK[row])[None] for row in between)]
        return cls(front, positions_MD, np.vstack(anchors), (*best, *between))

    def at(self, preference: Mapping[str, float]) -> Blend:
        """The blend for a preference: weights of at least 0, in any unit; an objective that is not named counts 0.

        With two objectives it lies between the two neighbours along the front; with more, the K nearest anchors share
        by the inverse of their distance (Shepard 1968), so it may jump where the nearest ones change. Raises
        ConfigError.
        """
        names = self.members.objectives
        known(preference, names, "preference", "objective")
        weights_K = ordered(preference, names)
        if not np.isfinite(weights_K).all() or (weights_K < 0).any() or not weights_K.any():
            given = ", ".join(f"{name}={weight:g}" for name, weight in preference.items())
            raise ConfigError(f"preference: weights must be at least 0 and one above 0, not {given or 'none'}")
        preference_K = shares(weights_K)
        share_A = self._between(preference_K) if len(names) == 2 else self._nearest(preference_K)
        return self._blend(preference_K, share_A)

    def table(self, steps: int = 10) -> list[Blend]:
        """The blends on the lattice of preferences whose weights are multiples of 1 / steps (Das & Dennis 1998)."""
        names = self.members.objectives
        places = combinations(range(steps + len(names) - 1), len(names) - 1)
        bars = ((-1, *chosen, steps + len(names) - 1) for chosen in places)
        counts = ([right - left - 1 for left, right in pairwise(each)] for each in bars)
        return [self.at(dict(zip(names, each, strict=True))) for each in counts]

    def _between(self, preference_K: Array) -> Array:
        """Linear between the two anchors whose weights of the first objective enclose that of the preference."""
        order = np.argsort(self.anchors_AK[:, 0], kind="stable")
        along_A, sought = self.anchors_AK[order, 0], preference_K[0]
        upper = int(np.searchsorted(along_A, sought))
        share_A = np.zeros(len(order))
        if along_A[upper] - sought <= ROUNDING:
            share_A[order[upper]] = 1.0
            return share_A
        part = (sought - along_A[upper - 1]) / (along_A[upper] - along_A[upper - 1])
        share_A[order[upper - 1]], share_A[order[upper]] = 1 - part, part
        return share_A

    def _nearest(self, preference_K: Array) -> Array:
        """The K nearest anchors, by the inverse of their distance; an anchor at the very place alone."""
        distance_A = np.linalg.norm(self.anchors_AK - preference_K, axis=1)
        near = np.argsort(distance_A, kind="stable")[: len(preference_K)]
        share_A = np.zeros(len(distance_A))
        if distance_A[near[0]] <= ROUNDING:
            share_A[near[0]] = 1.0
        else:
            share_A[near] = shares(1 / distance_A[near])
        return share_A

    def _blend(self, preference_K: Array, share_A: Array) -> Blend:
        share_M = np.zeros(len(self.members.ids))
        np.add.at(share_M, list(self.member_A), share_A)
        rows = np.flatnonzero(share_M)
        return Blend(
            dict(zip(self.members.objectives, map(float, preference_K), strict=True)),
            {self.members.ids[row]: float(share_M[row]) for row in rows},
            tuple(map(float, share_M[rows] @ self.positions_MD[rows])),
        )

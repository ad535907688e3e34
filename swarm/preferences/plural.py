"""Plural delivery: what several members, each for some of the groups, would gain over one member for all.

Choosing inflates what is chosen: the best of many clusterings looks better than it is on the examples that chose it. So
members and clusters are chosen on one half of each group's examples, and the gain is measured on the other half.

Shape suffixes: M members, P examples, G groups.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from swarm.core.space import Array
from swarm.preferences.members import ROUNDING

CONFIDENCE = 0.95
MOST_GROUPS = 8  # up to here every partition is tried: 4,140 of eight groups
CAUTION = (
    "Members and clusters were chosen on half of the examples and the gain was measured on the other half: on the half "
    "that chose, it would look larger than it is."
)

Partition = tuple[tuple[int, ...], ...]  # groups by cluster


@dataclass(frozen=True)
class Cluster:
    """Groups that one member serves. groups: their labels; member: its row."""

    groups: tuple[str, ...]
    member: int


@dataclass(frozen=True)
class Delivery:
    """The best partition of the groups into clusters, each with a member of its own, against one member for all.

    clusters: in the order of their first groups; two of them may have the same member.
    gain: the mean improvement over the one member for all, by example, on the half that did not choose.
    low, high: its 95 % interval, Student's t over examples; NaN where the examples do not tell.
    gain_where_chosen: the same on the half that chose: never below 0, and too large.
    """

    clusters: tuple[Cluster, ...]
    gain: float
    low: float
    high: float
    gain_where_chosen: float


@dataclass(frozen=True)
class Plural:
    """one: the row of the member that serves all best, chosen on the same half. deliveries: for 1, 2, ... clusters."""

    one: int
    deliveries: tuple[Delivery, ...]


def plural(utilities_MP: Array, groups: Sequence[str]) -> Plural:
    """Compare one member for all with one for each cluster of groups.

    utilities_MP: of each member on each example. groups: the label of each example, P of them, in the data's order.
    Every example counts alike, so a group counts as much as it has examples. With more than MOST_GROUPS groups members
    are added one after the other, the best one each time, which reaches at least half of the best gain where they are
    chosen (by the argument of Nemhauser, Wolsey & Fisher 1978); then the deliveries end where a further member adds
    nothing.
    """
    assert utilities_MP.shape[1] == len(groups) > 0, "one label for each example"
    labels = list(dict.fromkeys(groups))
    group_P = np.array([labels.index(label) for label in groups])
    chooses_P = _first_halves(group_P, len(labels))
    totals_GM = np.array([utilities_MP[:, chooses_P & (group_P == group)].sum(axis=1) for group in range(len(labels))])
    one = int(totals_GM.sum(axis=0).argmax())
    chosen = _exhaustive(totals_GM) if len(labels) <= MOST_GROUPS else _greedy(totals_GM)
    measured = _Measured(utilities_MP, group_P, chooses_P, one)
    return Plural(one, tuple(measured.delivery(partition, totals_GM, labels) for partition in chosen))


@dataclass(frozen=True)
class _Measured:
    """The examples, those that chose, and the one member for all."""

    utilities_MP: Array
    group_P: NDArray[np.intp]
    chooses_P: NDArray[np.bool_]
    one: int

    def delivery(self, partition: Partition, totals_GM: Array, labels: Sequence[str]) -> Delivery:
        member_G = np.zeros(len(labels), dtype=np.intp)
        for cluster in partition:
            member_G[list(cluster)] = _best_of(totals_GM, cluster)
        examples_P = np.arange(len(self.group_P))
        gains_P = self.utilities_MP[member_G[self.group_P], examples_P] - self.utilities_MP[self.one]
        gain, low, high = _interval(gains_P[~self.chooses_P])
        clusters = tuple(
            Cluster(tuple(labels[group] for group in cluster), int(member_G[cluster[0]])) for cluster in partition
        )
        return Delivery(clusters, gain, low, high, float(gains_P[self.chooses_P].mean()))


def _first_halves(group_P: NDArray[np.intp], groups: int) -> NDArray[np.bool_]:
    """Every second example of each group, from its first on: those that choose."""
    chooses_P = np.zeros(len(group_P), dtype=bool)
    for group in range(groups):
        chooses_P[np.flatnonzero(group_P == group)[::2]] = True
    return chooses_P


def _best_of(totals_GM: Array, cluster: Sequence[int]) -> int:
    """The member with the highest total over the groups of a cluster; the first of equals."""
    return int(totals_GM[list(cluster)].sum(axis=0).argmax())


def _exhaustive(totals_GM: Array) -> list[Partition]:
    """For each number of clusters the partition with the highest total, the first of equals."""
    best: dict[int, tuple[float, Partition]] = {}
    for partition in _partitions(len(totals_GM)):
        total = math.fsum(totals_GM[list(cluster)].sum(axis=0).max() for cluster in partition)
        if len(partition) not in best or total > best[len(partition)][0]:
            best[len(partition)] = total, partition
    return [best[size][1] for size in sorted(best)]


def _partitions(groups: int) -> Iterator[Partition]:
    """All partitions of the groups 0, 1, ... into clusters."""
    if groups == 0:
        yield ()
        return
    last = groups - 1
    for rest in _partitions(last):
        for at, cluster in enumerate(rest):
            yield (*rest[:at], (*cluster, last), *rest[at + 1 :])
        yield (*rest, (last,))


def _greedy(totals_GM: Array) -> list[Partition]:
    """The member that serves all best, then again and again the one that adds most; each group takes its best one."""
    members = [int(totals_GM.sum(axis=0).argmax())]
    found: list[Partition] = []
    while len(members) <= len(totals_GM):
        served_G = totals_GM[:, members].argmax(axis=1)
        clusters = [tuple(int(g) for g in np.flatnonzero(served_G == at)) for at in range(len(members))]
        found.append(tuple(sorted(cluster for cluster in clusters if cluster)))
        reached_G = totals_GM[:, members].max(axis=1)
        total_M = np.maximum(totals_GM, reached_G[:, None]).sum(axis=0)
        if total_M.max() <= reached_G.sum() + ROUNDING * np.abs(totals_GM).sum():
            return found
        members.append(int(total_M.argmax()))
    return found


def _interval(gains_P: Array) -> tuple[float, float, float]:
    """The mean and its 95 % interval by Student's t; its ends are NaN where there is no spread to judge by."""
    if len(gains_P) == 0:
        return math.nan, math.nan, math.nan
    mean = float(gains_P.mean())
    spread = float(gains_P.std(ddof=1)) if len(gains_P) > 1 else 0.0
    if spread <= ROUNDING * np.abs(gains_P).max():
        return (0.0, 0.0, 0.0) if not gains_P.any() else (mean, math.nan, math.nan)
    margin = float(stdtrit(len(gains_P) - 1, (1 + CONFIDENCE) / 2)) * spread / math.sqrt(len(gains_P))
    return mean, mean - margin, mean + margin

"""Plural delivery: a member for each cluster of groups of the data, where one does not serve all as well.

Shape suffixes: M members, P select examples.
"""

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from swarm.core.errors import ConfigError
from swarm.core.space import Array
from swarm.preferences.plural import Delivery, plural
from swarm.run.choice import FinishedFront


@dataclass(frozen=True)
class ServedCluster:
    """Groups, and the candidate that serves them."""

    groups: tuple[str, ...]
    candidate: str


@dataclass(frozen=True)
class Clusters:
    """What plural delivery comes to.

    clusters: what is delivered: one with all groups where one member serves all.
    one: the candidate that serves all best. deliveries: what each number of clusters would gain, as measured.
    candidates: the members, by their rows in the deliveries. groups: all of them.
    """

    clusters: tuple[ServedCluster, ...]
    one: str
    deliveries: tuple[Delivery, ...]
    candidates: tuple[str, ...]
    groups: tuple[str, ...]

    @property
    def delivered(self) -> Delivery | None:
        """The delivery that is taken; None where one serves all."""
        served = [cluster.groups for cluster in self.clusters]
        return next((d for d in self.deliveries if len(served) > 1 and [c.groups for c in d.clusters] == served), None)


def clusters_of(found: FinishedFront, most: int = 0) -> Clusters:
    """One member for all, or one for each cluster of at most `most` (0: any number).

    Several are delivered where their gain is above 0 with 95 % confidence on the half of the select examples that did
    not choose; of several such numbers of clusters, the one with the highest lower bound. Raises ConfigError where the
    data name fewer than two groups, RunError where no member keeps the floors.
    """
    if len(found.groups) < 2:
        named = f"only the group {found.groups[0]!r}" if found.groups else "no groups"
        raise ConfigError(f"--plural: the select examples name {named}; give them a group each, or take --select")
    rows = found.eligible()
    ids = tuple(found.front.candidates[row].id for row in rows)
    utilities_MP, groups = _utilities(found)
    compared = plural(utilities_MP[rows], groups)
    allowed = [d for d in compared.deliveries if 1 < len(d.clusters) <= (most or math.inf)]
    sure = [d for d in allowed if d.low > 0.0]  # false of NaN
    one = ids[compared.one]
    if not sure:
        return Clusters((ServedCluster(found.groups, one),), one, compared.deliveries, ids, found.groups)
    best = max(sure, key=lambda d: d.low)
    clusters = tuple(ServedCluster(cluster.groups, ids[cluster.member]) for cluster in best.clusters)
    return Clusters(clusters, one, compared.deliveries, ids, found.groups)


def _utilities(found: FinishedFront) -> tuple[Array, list[str]]:
    """The utility of every member on each select example that has a group, MP, and the groups, P.

    An example that several objectives score counts once, with their weighted mean; else it has the score of its
    objective, times the objective's weight over the mean weight.
    """
    front, start = found.front, found.archive.start
    assert start is not None, "a finished run has begun"
    alike: dict[tuple[tuple[str, str], ...], list[str]] = defaultdict(list)
    for name in front.objectives:
        alike[tuple((item.id, item.prompt) for item in start.items[name]["select"])].append(name)
    weights = front.goals.weights
    mean_weight = sum(weights[name] for name in front.objectives) / len(alike)
    parts, groups = [], list[str]()
    for names in alike.values():
        labels = front.labels[names[0]]
        inside_P = np.array([bool(label) for label in labels])
        total_MP = np.add.reduce([weights[name] * front.select[name] for name in names])
        parts.append(total_MP[:, inside_P] / mean_weight)
        groups += [label for label in labels if label]
    return np.hstack(parts), groups

"""The front of a finished run, and choices from it: functions of its config and its journal, without an evaluation.

Shape suffixes: M members, D coordinates.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from swarm.config.load import load_config
from swarm.config.schema import Config
from swarm.core.candidates import Candidate
from swarm.core.errors import ConfigError, RunError
from swarm.journal.archive import Archive
from swarm.journal.summary import Summary
from swarm.preferences import Rule
from swarm.preferences.base import known
from swarm.preferences.context_map import ContextMap
from swarm.report.weights import in_units, read_scales
from swarm.run.directory import JOURNAL, config_path, is_sweep, is_targets, read_summary
from swarm.run.provenance import check_settings
from swarm.run.selecting import selection_of_journal
from swarm.search.front import Front
from swarm.search.front_selection import FrontSelection

Compare = Literal["means", "lower_bounds"]
COMPARE: tuple[Compare, ...] = ("means", "lower_bounds")


@dataclass(frozen=True)
class Criterion:
    """How one member is chosen.

    rule: a rule of choice. compare: what it compares, mean scores or their lower bounds; None: as the run's config has
    it. groups: the groups of the data that it hears; empty: all.
    """

    rule: Rule
    compare: Compare | None = None
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Chosen:
    """A choice: who, by what, among whom.

    front: what it rests on. rows: who took part; empty where nobody keeps the floors and the nearest is chosen.
    """

    candidate: Candidate
    criterion: Criterion
    front: Front
    rows: NDArray[np.intp]

    @property
    def inputs(self) -> str:
        """What the rule used, in words and numbers."""
        if not len(self.rows):
            return "nobody keeps the floors: the one whose worst lower bound is nearest to its floor"
        return self.criterion.rule.inputs(self.front.members(self.criterion.rule.needs_examples).only(self.rows))

    @property
    def compare(self) -> Compare:
        return "lower_bounds" if self.front.cautious else "means"


@dataclass(frozen=True, eq=False)
class FinishedFront:
    """A finished run in which several things count. Open it with `of`.

    folder: the run's directory. selection: how its candidates are compared.
    """

    folder: Path
    config: Config
    archive: Archive
    summary: Summary
    selection: FrontSelection

    @classmethod
    def of(cls, folder: Path) -> "FinishedFront":
        """Read from the run's files. Raises RunError where it has no front, has not ended, or its config changed."""
        config = load_config(config_path(folder))
        if is_sweep(folder) or is_targets(folder):
            raise RunError(f"{folder} has no front to choose from; give --candidate ID, as sweep or targets name it")
        if not config.several_goals:
            raise RunError(
                f"{folder}: its search had one objective to maximise and no floor, so there is no front to choose "
                f"from; leave the rule out to take the best, give --candidate ID (swarm candidates {folder} lists "
                "them), or search with optimizer.goal=front"
            )
        archive = Archive(folder / JOURNAL)
        if not archive.ended("run"):
            raise RunError(f"{folder}: the run has not ended, so there is no front yet; swarm resume {folder}")
        check_settings(archive, config)
        return cls(folder, config, archive, read_summary(folder, archive), selection_of_journal(config, archive))

    @cached_property
    def front(self) -> Front:
        """Compared as the run's config has it, with all groups."""
        found = self.selection.front(self.selection.selected())
        assert found is not None, "a run that has ended has scored its members on the select split"
        return found

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of the select examples, in the data's order; empty where the data name none."""
        labels = (label for labels in self.front.labels.values() for label in labels if label)
        return tuple(dict.fromkeys(labels))

    def chosen(self, criterion: Criterion) -> Chosen:
        """Raises ConfigError where the rule, or a name in it, does not fit this run."""
        rule, front = criterion.rule, self._front(criterion)
        rule.check(front.objectives, criterion.groups or self.groups)
        if rule.needs_examples and not front.base:
            raise ConfigError(f"{rule.type}: the base has no scores on the select split; take another rule")
        rows = front.eligible()
        row = front.ranked(rule, rows)[0] if len(rows) else front.nearest()
        return Chosen(front.candidates[row], criterion, front, rows)

    def eligible(self) -> NDArray[np.intp]:
        """Rows of `front` that may be delivered. Raises RunError where nobody keeps the floors."""
        rows = self.front.eligible()
        if not len(rows):
            nearest = self.front.candidates[self.front.nearest()].id
            raise RunError(
                f"{self.folder}: no member keeps the floors, so there is nothing to choose among; export the nearest "
                f"with --candidate {nearest}, or search again with a lower floor"
            )
        return rows

    def context_map(self) -> ContextMap:
        """From preferences to coefficients, between the members that may be delivered. Raises RunError."""
        rows = self.eligible()
        positions_MD = np.array([self.front.candidates[row].position for row in rows])
        return ContextMap.of(self.front.members().only(rows), positions_MD)

    def coefficients(self, position: Sequence[float]) -> dict[str, float]:
        """Coordinate -> its coefficient: x times the unit, where a coordinate has one."""
        at = dict(zip(self.selection.space.coordinates, position, strict=True))
        return in_units(at, self._scales)

    @cached_property
    def _scales(self) -> Mapping[str, float]:
        return read_scales(self.folder)

    @cached_property
    def fingerprint(self) -> str:
        """Of the members and all scores that a choice rests on."""
        front = self.front
        found = hashlib.sha256(json.dumps([candidate.position for candidate in front.candidates]).encode())
        for scores in (front.select, front.search or {}, front.base):
            for name in sorted(scores):
                found.update(name.encode() + np.ascontiguousarray(scores[name]).tobytes())
        found.update(json.dumps([sorted(front.labels.items()), front.reference_K.tolist()]).encode())
        return found.hexdigest()[:16]

    def _front(self, criterion: Criterion) -> Front:
        front, groups = self.front, criterion.groups
        known(groups, self.groups or ("none: the examples name no groups",), "--groups", "group")
        if groups and not criterion.rule.reads_groups:
            raise ConfigError(
                f"--groups: {criterion.rule.type} reads no groups; drop it, or take cvar, borda or copeland"
            )
        if groups:
            front = replace(front, labels={name: _only(labels, groups) for name, labels in front.labels.items()})
        return front if criterion.compare is None else replace(front, cautious=criterion.compare == "lower_bounds")


def checked_compare(text: str) -> Compare | None:
    """`--compare` as given; "" for the run's own. Raises ConfigError."""
    if not text:
        return None
    for each in COMPARE:
        if each == text:
            return each
    raise ConfigError(f"--compare: {text!r} is unknown; use one of {', '.join(COMPARE)}")


def _only(labels: Sequence[str], groups: Sequence[str]) -> list[str]:
    return [label if label in groups else "" for label in labels]

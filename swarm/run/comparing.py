"""What two finished runs have in common, and where they differ: config, coefficients, scores."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from swarm.core.errors import RunError
from swarm.journal.archive import Archive
from swarm.journal.by_objective import nan_as_null
from swarm.journal.records import StartRecord
from swarm.journal.router_use import router_names
from swarm.journal.summary import Summary
from swarm.objectives import OBJECTIVES
from swarm.report.weights import written_config
from swarm.run.directory import JOURNAL, config_path, read_summary
from swarm.run.listing import score_content
from swarm.statistics.intervals import Difference, Score, paired_bootstrap

Values = tuple[object, object]
Pair = tuple[float | None, float | None]  # of the first run and of the second; None where it has none
NOT_SCORING = frozenset({"name", "data", "weight"})  # keys of an objective that do not change the score of an example


@dataclass(frozen=True)
class Comparison:
    """Two runs, the first and the second.

    config: key -> both values, where they differ; None where a run has no such key, which is the same as null.
    config_only: the keys of `config` that the other run lacks, with their values; one map for each run.
    coefficients: expert, or "expert.group" -> both values; None where a run has no such expert.
    test: objective -> both test scores; None where a run has no such objective.
    differences: objective -> second minus first, by the same metric on the same test examples.
    unpaired: objective that has no difference -> why.
    """

    folders: tuple[Path, Path]
    best: tuple[str, str]
    config: Mapping[str, Values]
    config_only: tuple[Mapping[str, object], Mapping[str, object]]
    coefficients: Mapping[str, Pair]
    test: Mapping[str, tuple[Score | None, Score | None]]
    differences: Mapping[str, Difference]
    unpaired: Mapping[str, str]

    @property
    def in_two(self) -> tuple[Mapping[str, Pair], Mapping[str, Pair]]:
        """The coefficients of experts, and apart from them how the router is used: empty without one."""
        use = {name: self.coefficients[name] for name in router_names(self.coefficients)}
        return {name: pair for name, pair in self.coefficients.items() if name not in use}, use

    def content(self) -> dict[str, object]:
        """For --json."""
        one_sided = {key for only in self.config_only for key in only}
        return {
            "runs": [str(folder) for folder in self.folders],
            "best": list(self.best),
            "config": {key: list(values) for key, values in self.config.items() if key not in one_sided},
            "config_only": [dict(only) for only in self.config_only],
            "coefficients": {key: list(values) for key, values in self.coefficients.items()},
            "test": {name: [score_content(s) if s else None for s in scores] for name, scores in self.test.items()},
            "differences": {
                name: nan_as_null({"difference": d.difference, "low": d.low, "high": d.high})
                for name, d in self.differences.items()
            },
            "unpaired": dict(self.unpaired),
        }


@dataclass(frozen=True)
class _Finished:
    folder: Path
    content: Mapping[str, Any]
    archive: Archive
    start: StartRecord
    summary: Summary

    @classmethod
    def of(cls, folder: Path) -> "_Finished":
        config_path(folder)
        archive = Archive(folder / JOURNAL)
        if not archive.ended("run"):
            again = f"swarm resume {shlex.quote(str(folder))}"
            raise RunError(f"{folder} has not ended, so it has no result to compare; {again}")
        assert archive.start is not None, "a run that has ended has begun"
        summary = read_summary(folder, archive).named(tuple(archive.start.items))
        content = written_config(folder)
        return cls(folder, content if isinstance(content, Mapping) else {}, archive, archive.start, summary)

    @property
    def coefficients(self) -> dict[str, float]:
        found = self.summary.best.coefficients
        return {
            f"{name}.{group}" if group else name: x for name, groups in found.items() for group, x in groups.items()
        }

    def tested(self, objective: str) -> tuple[float, ...]:
        """The score of each test example."""
        found = self.archive.of(self.summary.best.id, "test")
        return found.examples.get(objective, ()) if found else ()

    def items(self, objective: str) -> object:
        return self.start.items.get(objective, {}).get("test")

    def scoring(self, objective: str) -> object:
        """The settings that decide the score of an example; those that an older config lacks are at their defaults."""
        sections = self.content.get("objectives")
        every = [each for each in sections if isinstance(each, Mapping)] if isinstance(sections, list) else []
        section = next((each for each in every if each.get("name") == objective), {})
        try:
            found = OBJECTIVES[section["type"]].model_validate(section).model_dump(mode="json")
        except (KeyError, TypeError, ValidationError):
            found = dict(section)
        return {key: value for key, value in found.items() if key not in NOT_SCORING}


def compared(first: Path, second: Path) -> Comparison:
    """Two finished runs. Raises RunError where one has not ended, or both are the same."""
    if first.resolve() == second.resolve():
        raise RunError(f"{second} is the same run as {first}; name two")
    a, b = _Finished.of(first), _Finished.of(second)
    scores = [run.summary.best.test or {} for run in (a, b)]
    objectives = list(dict.fromkeys([*scores[0], *scores[1]]))
    own, other = dict(_flat(a.content)), dict(_flat(b.content))
    differ = [key for key in dict.fromkeys([*own, *other]) if own.get(key) != other.get(key)]
    unpaired = {name: why for name in objectives if (why := _unpaired(a, b, name))}
    return Comparison(
        folders=(first, second),
        best=(a.summary.best.id, b.summary.best.id),
        config={key: (own.get(key), other.get(key)) for key in differ},
        config_only=(
            {key: own[key] for key in differ if key not in other},
            {key: other[key] for key in differ if key not in own},
        ),
        coefficients={
            key: (a.coefficients.get(key), b.coefficients.get(key))
            for key in dict.fromkeys([*a.coefficients, *b.coefficients])
        },
        test={name: (scores[0].get(name), scores[1].get(name)) for name in objectives},
        differences={
            name: paired_bootstrap(b.tested(name), a.tested(name)) for name in objectives if name not in unpaired
        },
        unpaired=unpaired,
    )


def _unpaired(a: _Finished, b: _Finished, objective: str) -> str:
    """Why an objective's two test scores have no difference; "" where they have one."""
    if not (a.tested(objective) and b.tested(objective)):
        return "only one of the runs has it"
    codes = a.start.code.get(objective), b.start.code.get(objective)  # journals of earlier versions have none
    if a.scoring(objective) != b.scoring(objective) or (all(codes) and codes[0] != codes[1]):
        return "scored by different metrics, so there is no difference"
    if a.items(objective) != b.items(objective) or len(a.tested(objective)) != len(b.tested(objective)):
        return "the test examples are not the same, so the difference has no paired interval"
    return ""


def _flat(content: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Every value under its dotted key; an empty config has none."""
    if isinstance(content, Mapping) and (content or not key):
        for name, value in content.items():
            yield from _flat(value, f"{key}.{name}" if key else str(name))
    elif isinstance(content, list) and any(isinstance(each, Mapping) for each in content):
        for i, value in enumerate(content):
            yield from _flat(value, f"{key}.{i}")
    else:
        yield key, content

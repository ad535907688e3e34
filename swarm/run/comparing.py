"""What two finished runs have in common, and where they differ: config, coefficients, scores."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swarm.core.errors import RunError
from swarm.journal.archive import Archive
from swarm.journal.summary import Summary
from swarm.report.weights import written_config
from swarm.run.directory import JOURNAL, config_path, read_summary
from swarm.statistics.intervals import Difference, Score, paired_bootstrap

Values = tuple[object, object]
MISSING = "–"


@dataclass(frozen=True)
class Comparison:
    """Two runs, the first and the second.

    config: key -> both values, where they differ.
    coefficients: expert, or expert and group -> both values; None where a run has no such expert.
    test: objective -> both test scores; None where a run has no such objective.
    differences: objective -> second minus first on the same test examples; without objectives whose examples differ.
    """

    folders: tuple[Path, Path]
    best: tuple[str, str]
    config: Mapping[str, Values]
    coefficients: Mapping[str, tuple[float | None, float | None]]
    test: Mapping[str, tuple[Score | None, Score | None]]
    differences: Mapping[str, Difference]

    def content(self) -> dict[str, object]:
        """For --json."""
        return {
            "runs": [str(folder) for folder in self.folders],
            "best": list(self.best),
            "config": {key: list(values) for key, values in self.config.items()},
            "coefficients": {key: list(values) for key, values in self.coefficients.items()},
            "test": {
                name: [{"mean": s.mean, "low": s.low, "high": s.high} if s else None for s in scores]
                for name, scores in self.test.items()
            },
            "differences": {
                name: {"difference": d.difference, "low": d.low, "high": d.high} for name, d in self.differences.items()
            },
        }


@dataclass(frozen=True)
class _Finished:
    folder: Path
    content: Mapping[str, Any]
    archive: Archive
    summary: Summary

    @classmethod
    def of(cls, folder: Path) -> "_Finished":
        config_path(folder)
        archive = Archive(folder / JOURNAL)
        if not archive.ended("run"):
            raise RunError(f"{folder} has not ended, so it has no result to compare; swarm resume {folder}")
        assert archive.start is not None, "a run that has ended has begun"
        summary = read_summary(folder, archive).named(tuple(archive.start.items))
        content = written_config(folder)
        return cls(folder, content if isinstance(content, Mapping) else {}, archive, summary)

    @property
    def coefficients(self) -> dict[str, float]:
        found = self.summary.best.coefficients
        return {f"{name} {group}".rstrip(): x for name, groups in found.items() for group, x in groups.items()}

    def tested(self, objective: str) -> tuple[float, ...]:
        """The score of each test example."""
        found = self.archive.of(self.summary.best.id, "test")
        return found.examples.get(objective, ()) if found else ()

    def items(self, objective: str) -> object:
        assert self.archive.start is not None, "a run that has ended has begun"
        return self.archive.start.items.get(objective, {}).get("test")


def compared(first: Path, second: Path) -> Comparison:
    """Two finished runs. Raises RunError where one has not ended, or both are the same."""
    if first.resolve() == second.resolve():
        raise RunError(f"{second} is the same run as {first}; name two")
    a, b = _Finished.of(first), _Finished.of(second)
    scores = [run.summary.best.test or {} for run in (a, b)]
    objectives = list(dict.fromkeys([*scores[0], *scores[1]]))
    own, other = dict(_flat(a.content)), dict(_flat(b.content))
    return Comparison(
        folders=(first, second),
        best=(a.summary.best.id, b.summary.best.id),
        config={
            key: (own.get(key, MISSING), other.get(key, MISSING))
            for key in dict.fromkeys([*own, *other])
            if own.get(key, MISSING) != other.get(key, MISSING)
        },
        coefficients={
            key: (a.coefficients.get(key), b.coefficients.get(key))
            for key in dict.fromkeys([*a.coefficients, *b.coefficients])
        },
        test={name: (scores[0].get(name), scores[1].get(name)) for name in objectives},
        differences={
            name: paired_bootstrap(b.tested(name), a.tested(name))
            for name in objectives
            if a.items(name) == b.items(name) and a.tested(name) and len(a.tested(name)) == len(b.tested(name))
        },
    )


def _flat(content: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Every value under its dotted key."""
    if isinstance(content, Mapping) and content:
        for name, value in content.items():
            yield from _flat(value, f"{key}.{name}" if key else str(name))
    elif isinstance(content, list) and any(isinstance(each, Mapping) for each in content):
        for i, value in enumerate(content):
            yield from _flat(value, f"{key}.{i}")
    else:
        yield key, content

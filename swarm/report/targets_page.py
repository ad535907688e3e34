"""Writes what reaches each target: `targets.json`, `targets.csv` and `targets.html`, one self-contained page."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from swarm.core.examples import Split
from swarm.core.files import write_json, write_text
from swarm.journal.summary import SPLITS, Coefficients
from swarm.report.figures.svg import Figure
from swarm.report.figures.targets_grid import Cell, targets_figure
from swarm.report.templating import filled
from swarm.report.words import Unit, count
from swarm.statistics.intervals import Score
from swarm.statistics.targets import Target

FILES = ("targets.html", "targets.csv", "targets.json")


@dataclass(frozen=True)
class Reached:
    """How far a candidate is from a target on a split.

    hit: whether in every domain the wanted level has the highest rate.
    lead: by how much it leads in the domain where it leads least.
    worst: the objective of the domain where the wanted level's rate is lowest.
    score: that rate with its interval.
    rates: of all objectives.
    """

    hit: bool
    lead: float
    worst: str
    score: Score
    rates: Mapping[str, float]


@dataclass(frozen=True)
class TargetResult:
    """A target and the candidate that was chosen for it. reached: by split; None where it could not be scored."""

    target: Target
    id: str
    coefficients: Coefficients
    reached: Mapping[Split, Reached | None]

    def hit(self, split: Split) -> bool:
        found = self.reached[split]
        return found is not None and found.hit


@dataclass(frozen=True)
class TargetsResult:
    """All targets of a run.

    domains: their names, in the order of the targets' levels.
    candidates: how many there were to choose from.
    examples: split -> objective -> how many.
    optimizer: of the search.
    """

    domains: tuple[str, ...]
    results: tuple[TargetResult, ...]
    candidates: int
    examples: Mapping[str, Mapping[str, int]]
    optimizer: str

    def hits(self, split: Split = "test") -> int:
        return sum(each.hit(split) for each in self.results)


@dataclass(frozen=True)
class TargetsPage:
    """What the template shows."""

    run: str
    found: TargetsResult
    headline: str
    unit: Unit
    figure: Figure


def targets_content(found: TargetsResult) -> dict[str, object]:
    """The result as plain data."""
    hits = {split: found.hits(split) for split in SPLITS}
    return {
        "domains": list(found.domains),
        "targets": len(found.results),
        "hits": hits,
        "candidates": found.candidates,
        "optimizer": found.optimizer,
        "examples": found.examples,
        "results": [
            {
                "target": dict(zip(found.domains, each.target, strict=True)),
                "id": each.id,
                "coefficients": each.coefficients,
                **{split: asdict(reached) if reached else None for split, reached in each.reached.items()},
            }
            for each in found.results
        ],
    }


def write_targets(folder: Path, found: TargetsResult) -> None:
    """Write the three files, each whole or not at all."""
    write_json(folder / "targets.json", targets_content(found))
    write_text(folder / "targets.csv", _csv(found))
    page = TargetsPage(
        folder.resolve().parent.name,
        found,
        headline(found),
        Unit(percent=True),
        targets_figure(cells(found), "Every target on the test split"),
    )
    write_text(folder / "targets.html", filled("targets.html.j2", page))


def headline(found: TargetsResult) -> str:
    """How many targets are hit on fresh examples."""
    return f"{found.hits()} of {count(len(found.results), 'target')} hit on held-out test examples"


def cells(found: TargetsResult) -> list[Cell]:
    """One for each target."""
    return [
        Cell(each.target, reached.score.mean, reached.hit)
        for each in found.results
        if (reached := each.reached["test"])
    ]


def _csv(found: TargetsResult) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(
        [*found.domains, "id", "hit_search", "hit_select", "hit_test", "lead", "worst", "rate", "low", "high", "n"]
    )
    for each in found.results:
        table.writerow([*each.target, each.id, *(int(each.hit(split)) for split in SPLITS), *_tested(each)])
    return text.getvalue()


def _tested(each: TargetResult) -> Sequence[object]:
    found = each.reached["test"]
    return ["", "", "", "", "", ""] if found is None else [
        found.lead, found.worst, found.score.mean, found.score.low, found.score.high, found.score.n
    ]  # fmt: skip

"""What runs a folder holds, and what candidates a run holds: read from their files, which are left as they are."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from swarm.core.candidates import Evaluation
from swarm.core.errors import RunError, UserError
from swarm.journal.archive import Archive
from swarm.journal.summary import Summary
from swarm.preferences.weighted_sum import utility
from swarm.report.weights import read_weights, written_config
from swarm.run.directory import CONFIG, JOURNAL, SUMMARY, config_path, is_finished, read_summary
from swarm.run.lock import in_use
from swarm.statistics.intervals import Score

PHASES = {"select": "testing", "search": "selecting"}  # what goes on once this one has ended


@dataclass(frozen=True)
class ListedRun:
    """A run in a list.

    state: "finished"; what an unfinished one is doing, "searching" say, with "stopped: " where no process is at work;
        or why it cannot be read.
    evaluations, budget: made and asked for; None where unknown or without a limit.
    best: the candidate, with "search" or the baseline's name as `source`; "" where nothing is selected yet.
    test: objective -> its test score.
    """

    folder: Path
    state: str
    optimizer: str = ""
    evaluations: int | None = None
    budget: int | None = None
    best: str = ""
    source: str = ""
    test: Mapping[str, Score] | None = None

    def content(self) -> dict[str, object]:
        """For --json."""
        return {
            "folder": str(self.folder),
            "state": self.state,
            "optimizer": self.optimizer,
            "evaluations": self.evaluations,
            "budget": self.budget,
            "best": self.best,
            "source": self.source,
            "test": {
                name: {"mean": score.mean, "low": score.low, "high": score.high}
                for name, score in (self.test or {}).items()
            },
        }


@dataclass(frozen=True)
class ListedCandidate:
    """A candidate in a list.

    utility: weighted mean of its search scores. scores: split -> objective -> mean score; selected: the run's result.
    """

    id: str
    utility: float
    scores: Mapping[str, Mapping[str, float]]
    coefficients: Mapping[str, float]
    selected: bool

    def content(self) -> dict[str, object]:
        """For --json."""
        return {
            "id": self.id,
            "utility": self.utility,
            "scores": self.scores,
            "coefficients": self.coefficients,
            "selected": self.selected,
        }


def listed_runs(folder: Path) -> list[ListedRun]:
    """The runs directly in a folder, by name. Raises RunError where there is no such folder."""
    if not folder.is_dir():
        raise RunError(f"{folder} is not a folder; name the one that holds your runs, or start one with swarm search")
    return [listed_run(path) for path in sorted(folder.iterdir()) if os.path.isfile(path / CONFIG)]


def listed_run(folder: Path) -> ListedRun:
    """A run in a list. One that cannot be read says so in its state."""
    try:
        optimizer, budget, objectives = _stated(folder)
        if is_finished(folder):
            summary = Summary.read(folder / SUMMARY).named(objectives)
            best, counts = summary.best, summary.counts
            return ListedRun(folder, "finished", optimizer, counts.evaluations, budget, best.id, best.source, best.test)
        archive = Archive(folder / JOURNAL)
    except UserError as error:
        return ListedRun(folder, f"unreadable: {error}")
    phase = next((now for ended, now in PHASES.items() if archive.ended(ended)), "searching")
    state = phase if in_use(folder) else f"stopped: {phase}"
    return ListedRun(folder, state, optimizer, archive.evaluations, budget)


def listed_candidates(folder: Path) -> list[ListedCandidate]:
    """The candidates of a run that were scored in full, the best on the search split first. Raises RunError."""
    config_path(folder)
    archive = Archive(folder / JOURNAL)
    if archive.start is None:
        raise RunError(f"{folder} holds no candidates: nothing has been scored yet; swarm resume {folder}")
    weights = read_weights(folder, tuple(archive.start.items))
    best = read_summary(folder, archive).best.id if archive.ended("run") else ""
    place = next((found.candidate.position for found in _evaluations(archive) if found.candidate.id == best), None)
    found = [
        ListedCandidate(
            id=best if each.candidate.position == place else each.candidate.id,
            utility=utility(each.scores, weights),
            scores=_scores(archive, each),
            coefficients=dict(zip(archive.start.coordinates, each.candidate.position, strict=True)),
            selected=each.candidate.position == place,
        )
        for each in {each.candidate.position: each for each in reversed(list(_evaluations(archive)))}.values()
    ]
    return sorted(found, key=lambda each: (-each.utility, each.id))


def _evaluations(archive: Archive) -> Iterator[Evaluation]:
    """Those of the search and of the baselines that were scored in full on the search split."""
    for record in archive.scored:
        if record.split == "search" and record.status == "ok":
            yield record.evaluation()


def _scores(archive: Archive, found: Evaluation) -> dict[str, Mapping[str, float]]:
    others = {split: archive.at(found.candidate.position, split) for split in ("select", "test")}
    return {"search": found.scores} | {split: each.scores for split, each in others.items() if each is not None}


def _stated(folder: Path) -> tuple[str, int | None, list[str]]:
    """What the config states: the optimizer's type, its evaluations, and the names of the objectives."""
    config = written_config(folder)
    try:
        assert isinstance(config, Mapping), "a config is a mapping"
        optimizer, objectives = config["optimizer"], [str(each["name"]) for each in config["objectives"]]
        budget = optimizer.get("evaluations")
        return str(optimizer["type"]), budget if isinstance(budget, int) else None, objectives
    except (AssertionError, AttributeError, KeyError, TypeError):
        raise RunError(f"{folder / CONFIG} is not what the run wrote; put back the file that the run wrote") from None

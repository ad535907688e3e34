"""What runs a folder holds, and what candidates a run holds: read from their files, which are left as they are."""

import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from swarm.core.candidates import Evaluation
from swarm.core.errors import RunError, UserError
from swarm.journal.archive import Archive
from swarm.journal.by_objective import nan_as_null
from swarm.journal.summary import SPLITS, Summary
from swarm.preferences.weighted_sum import utility
from swarm.report.weights import in_units, read_scales, read_weights, written_config
from swarm.run.directory import CONFIG, JOURNAL, SUMMARY, config_path, is_finished, read_summary
from swarm.run.lock import in_use
from swarm.statistics.intervals import Score

PHASES = {"select": "testing", "search": "selecting"}  # what goes on once this one has ended
EVALUATION, REPEATED = b'{"kind": "evaluation"', b'"same_as": '  # in a journal's line


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
            "test": {name: score_content(score) for name, score in (self.test or {}).items()},
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


def score_content(score: Score) -> object:
    """For --json: an end of the interval that is not known is null."""
    return nan_as_null({"mean": score.mean, "low": score.low, "high": score.high})


def listed_runs(folder: Path) -> list[ListedRun]:
    """The runs directly in a folder, by name; of a run directory, that run. Raises RunError for no folder."""
    if not folder.is_dir():
        raise RunError(f"{folder} is not a folder; name the one that holds your runs, or start one with swarm search")
    if os.path.isfile(folder / CONFIG):
        return [listed_run(folder)]
    return [listed_run(path) for path in sorted(folder.iterdir()) if os.path.isfile(path / CONFIG)]


def listed_run(folder: Path) -> ListedRun:
    """A run in a list. One that cannot be read says so in its state."""
    try:
        optimizer, budget, objectives = stated(folder)
        if is_finished(folder):
            summary = _summary(folder).named(objectives)
            best, counts = summary.best, summary.counts
            return ListedRun(folder, "finished", optimizer, counts.evaluations, budget, best.id, best.source, best.test)
        archive = Archive(folder / JOURNAL)
    except UserError as error:
        return ListedRun(folder, f"unreadable: {error}")
    return ListedRun(folder, state_of(archive, in_use(folder)), optimizer, archive.evaluations, budget)


def state_of(archive: Archive, at_work: bool) -> str:
    """What an unfinished run is doing, with "stopped: " where no process is at work."""
    phase = next((now for ended, now in PHASES.items() if archive.ended(ended)), "searching")
    return phase if at_work else f"stopped: {phase}"


def listed_candidates(folder: Path) -> list[ListedCandidate]:
    """The candidates of a run that were scored in full, those that it continues included, the best on search first.

    Of equals, the earlier candidate comes first. Raises RunError.
    """
    config_path(folder)
    archive = Archive(folder / JOURNAL)
    if archive.start is None:
        raise RunError(
            f"{folder} holds no candidates: nothing has been scored yet; swarm resume {shlex.quote(str(folder))}"
        )
    weights = read_weights(folder, tuple(archive.start.items))
    best = read_summary(folder, archive).best.id if archive.ended("run") else ""
    place, scales = _position(archive, best), read_scales(folder)
    first: dict[tuple[float, ...], Evaluation] = {}
    for each in _evaluations(archive):
        first.setdefault(each.candidate.position, each)
    ranked = sorted(first.values(), key=lambda each: (-utility(each.scores, weights), each.candidate.age))
    return [
        ListedCandidate(
            id=best if each.candidate.position == place else each.candidate.id,
            utility=utility(each.scores, weights),
            scores=_scores(archive, each),
            coefficients=in_units(dict(zip(archive.start.coordinates, each.candidate.position, strict=True)), scales),
            selected=each.candidate.position == place,
        )
        for each in ranked
    ]


def _position(archive: Archive, candidate_id: str) -> Sequence[float] | None:
    """Where a candidate is; it may be one of the run that this one continues."""
    found = (archive.of(candidate_id, split) for split in SPLITS)
    return next((each.candidate.position for each in found if each), None)


def _evaluations(archive: Archive) -> Iterator[Evaluation]:
    """Those scored in full on the search split: of the run that this one continues, the search, and the baselines."""
    yield from archive.prior_results()
    for record in archive.scored:
        if record.split == "search" and record.status == "ok":
            yield record.evaluation()


def _summary(folder: Path) -> Summary:
    """The summary of a finished run. Raises RunError where it is not of this journal.

    Only where a count of the journal's lines does not bear it out is the journal read as a whole.
    """
    summary = Summary.read(folder / SUMMARY)
    named = f'"id": {json.dumps(summary.best.id)}'.encode()
    made, is_named = 0, False
    with (folder / JOURNAL).open("rb") as journal:
        for line in journal:
            made += line.startswith(EVALUATION) and REPEATED not in line
            is_named = is_named or named in line
    if made == summary.counts.evaluations and is_named:
        return summary
    return read_summary(folder, Archive(folder / JOURNAL))


def _scores(archive: Archive, found: Evaluation) -> dict[str, Mapping[str, float]]:
    others = {split: archive.at(found.candidate.position, split) for split in ("select", "test")}
    return {"search": found.scores} | {split: each.scores for split, each in others.items() if each is not None}


def stated(folder: Path) -> tuple[str, int | None, list[str]]:
    """What the config states: the optimizer's type, its evaluations, and the names of the objectives."""
    config = written_config(folder)
    try:
        assert isinstance(config, Mapping), "a config is a mapping"
        optimizer, objectives = config["optimizer"], [str(each["name"]) for each in config["objectives"]]
        budget = optimizer.get("evaluations")
        return str(optimizer["type"]), budget if isinstance(budget, int) else None, objectives
    except (AssertionError, AttributeError, KeyError, TypeError):
        raise RunError(f"{folder / CONFIG} is not what the run wrote; put back the file that the run wrote") from None

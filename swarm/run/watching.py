"""What a run is doing now, from its journal alone: it is read as it grows, and nothing is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from swarm.core.examples import Split
from swarm.journal.archive import Archive
from swarm.journal.records import EvaluationRecord
from swarm.preferences.weighted_sum import utility
from swarm.report.weights import in_units, read_scales, read_weights
from swarm.run.directory import JOURNAL, config_path, is_finished
from swarm.run.listing import state_of, stated
from swarm.run.lock import in_use

RECENT_SECONDS = 60.0  # over which the speed is measured
FINISHED = "finished"
SCORED: Mapping[str, Split] = {"selecting": "select", "testing": "test"}


@dataclass(frozen=True)
class Watched:
    """A run at a moment.

    state: "searching", "selecting", "testing", with "stopped: " where no process is at work; or FINISHED.
    evaluations, most: made, and allowed at most; None where the config sets no limit.
    best_id, best: the candidate with the highest utility on the search split so far; "" and None before the first.
    coefficients: of that candidate.
    curve: the highest utility after each evaluation that was scored in full.
    failures: failed attempts and failed candidates.
    elapsed: seconds that the run has worked.
    per_minute: evaluations over the last minute of work; None outside the search, and before it can be told.
    scores: of the split that is scored now, select or test: candidate -> utility.
    """

    state: str
    optimizer: str
    evaluations: int
    most: int | None
    best_id: str
    best: float | None
    coefficients: Mapping[str, float]
    curve: tuple[float, ...]
    failures: int
    elapsed: float
    per_minute: float | None
    scores: Mapping[str, float]

    @property
    def seconds_left(self) -> float | None:
        """Of the search, at the present speed."""
        if self.most is None or not self.per_minute:
            return None
        return 60.0 * (self.most - self.evaluations) / self.per_minute


class Watch:
    """Follows one run. Raises RunError where the folder holds none, or its journal is damaged."""

    def __init__(self, folder: Path) -> None:
        config_path(folder)
        self._folder = folder
        self._archive = Archive(folder / JOURNAL)
        self._optimizer, self._most, _ = stated(folder)
        self._weights: Mapping[str, float] = {}
        self._scales = read_scales(folder)

    def now(self) -> Watched:
        """The run as it stands."""
        at_work = in_use(self._folder)  # asked first: a run may end meanwhile
        self._archive.follow()
        archive, start = self._archive, self._archive.start
        state = FINISHED if is_finished(self._folder) else state_of(archive, at_work)
        if start is not None and not self._weights:
            self._weights = read_weights(self._folder, tuple(start.items))
        searched = [each for each in archive.scored if each.kind == "evaluation" and each.split == "search"]
        whole = [(utility(each.scores, self._weights), each) for each in searched if each.status == "ok"]
        best = max(whole, key=lambda pair: pair[0], default=None)
        coefficients = zip(start.coordinates, best[1].position, strict=True) if start and best else ()
        last = max((record.elapsed for record in archive.records[-1:]), default=0.0)
        return Watched(
            state=state,
            optimizer=self._optimizer,
            evaluations=archive.evaluations,
            most=self._most,
            best_id=best[1].id if best else "",
            best=best[0] if best else None,
            coefficients=in_units(dict(coefficients), self._scales),
            curve=tuple(accumulate((value for value, _ in whole), max)),
            failures=archive.failures,
            elapsed=archive.elapsed if at_work and state != FINISHED else last,
            per_minute=_speed(searched) if state == "searching" else None,
            scores=self._scores(SCORED[state]) if state in SCORED else {},
        )

    def _scores(self, split: Split) -> dict[str, float]:
        scored = (each for each in self._archive.scored if each.split == split and each.status == "ok")
        return {each.id: utility(each.scores, self._weights) for each in scored}


def _speed(searched: list[EvaluationRecord]) -> float | None:
    """Evaluations a minute over the last RECENT_SECONDS of work."""
    made = [each.elapsed for each in searched if not each.repeated]
    recent = [at for at in made if at >= made[-1] - RECENT_SECONDS] if made else []
    if len(recent) < 2 or recent[-1] <= recent[0]:
        return None
    return 60.0 * (len(recent) - 1) / (recent[-1] - recent[0])

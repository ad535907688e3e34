"""The record of one search: a JSON line with everything that the studies' tables need."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from common import keep_line, kept_lines


@dataclass(frozen=True)
class Record:
    """One finished search.

    key: of the config.
    variant, seed: which search of a study it is.
    test: test score of the delivered candidate.
    finalist: test score of the candidate that would be delivered if baselines took no part.
    delivered: id of the delivered candidate.
    source: the baseline that it is, or "search".
    examples: example evaluations of the search, without selection, test and baselines.
    evaluations, stopped: candidates of the search, and those of them that racing stopped.
    starts, bests: for each particle, the search score of its initial position and of its personal best.
    leader: the particle with the highest personal best.
    votes: size of the ensemble -> test score; size 1 is the best on the search split.
    experts: name -> scores on search and test.
    """

    key: str
    variant: str
    seed: int
    test: float
    finalist: float
    delivered: str
    source: str
    examples: int
    evaluations: int
    stopped: int
    starts: Sequence[float]
    bests: Sequence[float]
    leader: int
    votes: Mapping[str, float]
    experts: Mapping[str, tuple[float, float]]

    def ranked_experts(self) -> list[str]:
        """The experts' names, the best on the search split first."""
        return sorted(self.experts, key=lambda name: -self.experts[name][0])

    @property
    def best_expert(self) -> float:
        """Test score of the expert that is best on the search split."""
        return self.experts[self.ranked_experts()[0]][1]

    @property
    def winner(self) -> int | None:
        """The particle that found the delivered candidate; None where it is a baseline."""
        particle = self.delivered.rpartition("-")[2]
        return int(particle) if particle.isdigit() and ":" not in self.delivered else None


def read_records(file: Path) -> dict[str, Record]:
    """The finished searches, by key."""
    records = (Record(**line) for line in kept_lines(file))
    return {record.key: record for record in records}


def append_record(file: Path, record: Record) -> None:
    keep_line(file, asdict(record))

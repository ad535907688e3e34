"""What a candidate of a mixed search takes in each place: one that acts on weights is run, kept logits are summed."""

import statistics
from collections.abc import Mapping
from pathlib import Path

from swarm.journal.records import EvaluationRecord
from swarm.report.coefficients import LOGITS, of_position
from swarm.report.read_journal import Journal
from swarm.report.weights import written_config
from swarm.report.words import count, duration


def place_cost_words(run_dir: Path, journal: Journal) -> str:
    """ "15 s where weights take part (17 candidates), 0.7 s on logits alone (6 candidates)": medians of the search.

    "" for other compositions.
    """
    config = written_config(run_dir)
    composition = config.get("composition") if isinstance(config, Mapping) else None
    if not isinstance(composition, Mapping) or composition.get("type") != "mixed":
        return ""
    by_place: dict[str, list[float]] = {"where weights take part": [], "on logits alone": []}
    for line in journal.evaluations:
        if line.status == "ok" and not line.repeated and (places := _acting(line, journal)):
            by_place["on logits alone" if places == {LOGITS} else "where weights take part"].append(line.seconds)
    parts = [
        f"{duration(statistics.median(seconds))} {place} ({count(len(seconds), 'candidate')})"
        for place, seconds in by_place.items()
        if seconds
    ]
    return ", ".join(parts)


def _acting(line: EvaluationRecord, journal: Journal) -> set[str]:
    """The groups or places with a coefficient other than 0."""
    found = of_position(line.position, journal)
    return {place for own in found.values() for place, value in own.items() if value}

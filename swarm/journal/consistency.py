"""Whether a line can follow those before it: a journal that was edited, shuffled or pieced together is not read.

Only what every version has written is asked for. What a line's own fields must be is in its record.
"""

import math
from collections.abc import Mapping

from swarm.journal.index import Index
from swarm.journal.records import EndRecord, EvaluationRecord, KnownRecord, Record, ScoredRecord, StartRecord

ROUNDING = 1e-9  # relative, of a mean


class MisplacedError(ValueError):
    """An earlier line is where it cannot be. line: its number, counted from 1, where no line before was taken back."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


def check_line(record: Record, before: Index) -> None:
    """Raise ValueError where a record contradicts those before it."""
    if 0 < record.elapsed < before.elapsed:
        line = next(i for i, one in enumerate(before.records, start=1) if one.elapsed > record.elapsed)
        raise MisplacedError(
            f"elapsed {before.elapsed:g} is followed by {record.elapsed:g}: the lines are not in order",
            line,
        )
    if isinstance(record, EvaluationRecord):
        _check_place(record, before)
    elif isinstance(record, KnownRecord):
        _check_known(record, before)
    elif isinstance(record, EndRecord) and record.phase in before.ends:
        raise ValueError(f"the {record.phase} ends a second time: a line is doubled")
    if isinstance(record, ScoredRecord):
        sizes = record.examples.sizes
        _check_scores(record, sizes)
        if before.start is not None:
            _check_start(record, sizes, before.start)


def _check_place(record: EvaluationRecord, before: Index) -> None:
    """Each candidate once a split, at one position; nothing of the search after its end."""
    if record.particle is not None and record.id != f"{record.iteration}-{record.particle}":
        raise ValueError(f"candidate {record.id} has iteration {record.iteration} and particle {record.particle}")
    if record.kind == "evaluation" and "search" in before.ends:
        line = 1 + before.records.index(before.ends["search"])
        raise MisplacedError(f"the search ends before candidate {record.id}: the lines are not in order", line)
    if record.id in before.by_id[record.split]:
        raise ValueError(f"candidate {record.id} has two evaluations on the {record.split} split: a line is doubled")
    known = before.by_id["search"].get(record.id) or before.by_id["select"].get(record.id)
    if known is not None and known.place != record.place:
        raise ValueError(f"candidate {record.id} is at another position than before")
    if record.same_as:
        first = before.by_id[record.split].get(record.same_as) or before.by_place[record.split].get(record.place)
        if first is None or first.id != record.same_as:
            raise ValueError(f"same_as: candidate {record.same_as} is in no line before: a line is missing")
        if (first.place, first.scores) != (record.place, record.scores):
            raise ValueError(f"same_as: candidate {record.same_as} has another position or other scores")


def _check_known(record: KnownRecord, before: Index) -> None:
    """A known score is in full, and comes before all that the run itself scored; one for each position and split."""
    if before.start is None or before.start.continued is None:
        raise ValueError(f"candidate {record.id} is known from another run, and the start line names none")
    if before.first is not None or before.ends:
        raise ValueError(f"candidate {record.id} is known from the start, and follows an evaluation")
    if record.status != "ok":
        raise ValueError(f"candidate {record.id} is known, with the status {record.status}")
    if record.place in before.by_place[record.split]:
        raise ValueError(f"candidate {record.id} has two evaluations on the {record.split} split: a line is doubled")


def _check_scores(record: ScoredRecord, sizes: Mapping[str, int]) -> None:
    """Scores are the means of the examples, and where an evaluation failed there are none.

    sizes: objective -> how many examples were scored.
    """
    if record.n_examples != sum(sizes.values()):
        raise ValueError(f"n_examples is {record.n_examples}, and examples holds {sum(sizes.values())}")
    if record.scores.keys() != sizes.keys():
        raise ValueError(f"scores is of {_names(record.scores)}, and examples of {_names(sizes)}")
    if bool(sizes) != (record.status != "failed"):
        raise ValueError(f"status is {record.status}, with scores of {_names(sizes)}")
    for name, size in sizes.items():
        if not size:
            raise ValueError(f"examples.{name}: should hold a score")
        mean = record.examples.sum(name) / size
        if not math.isclose(record.scores[name], mean, rel_tol=ROUNDING, abs_tol=ROUNDING):
            raise ValueError(f"scores.{name} is {record.scores[name]:g}, and the mean of its examples {mean:g}")
    if record.outputs or record.margins:
        _check_beside(record, sizes)


def _check_beside(record: ScoredRecord, sizes: Mapping[str, int]) -> None:
    """There are as many outputs and margins as examples."""
    beside = {f"outputs.{name}": (name, len(values), "texts") for name, values in record.outputs.items()}
    beside |= {f"margins.{name}": (name, size, "numbers") for name, size in record.margins.sizes.items()}
    for key, (name, size, kind) in beside.items():
        if sizes.get(name, size) != size:
            raise ValueError(f"{key} holds {size} {kind} for {sizes[name]} examples")


def _check_start(record: ScoredRecord, sizes: Mapping[str, int], start: StartRecord) -> None:
    """Positions, objectives and examples are those of the start line, where it names any."""
    if start.coordinates and record.dimensions != len(start.coordinates):
        raise ValueError(
            f"position has {record.dimensions} coordinates, and the start line names {len(start.coordinates)}"
        )
    if not start.items or record.status == "failed":
        return
    if sizes.keys() != start.items.keys():
        raise ValueError(f"scores is of {_names(sizes)}, and the objectives of the run are {_names(start.items)}")
    for name, size in sizes.items():
        known = len(start.items[name].get(record.split, ()))
        if size > known or (size < known and record.status == "ok"):
            raise ValueError(f"examples.{name} holds {size} scores, and the {record.split} split has {known} examples")


def _names(values: object) -> str:
    return ", ".join(map(str, values)) or "nothing"  # type: ignore[call-overload]

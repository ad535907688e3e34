"""The best's coefficients by expert and group."""

import math
from collections.abc import Sequence

from swarm.journal.summary import Coefficients
from swarm.report.read_journal import Journal
from swarm.report.words import signed

NAMED = 8  # of several coefficients; the others are counted


def of_position(position: Sequence[float], journal: Journal) -> Coefficients:
    """The coefficients at a position, by the names of its dimensions."""
    found: dict[str, dict[str, float]] = {}
    for coordinate, value in zip(journal.start.coordinates, position, strict=False):
        expert, group = _split(coordinate, journal)
        found.setdefault(expert, {})[group] = value
    return found


def coefficients_words(found: Coefficients) -> str:
    """ "maths 1.26, code 0.8"; of more than NAMED the largest by magnitude, and how many more there are."""
    values = {(e, g): v for e, groups in found.items() for g, v in groups.items() if math.isfinite(v)}
    if len(values) > 1 and len(set(values.values())) == 1:
        return f"{signed(next(iter(values.values())), '.3g')} each"
    shown = list(values) if len(values) <= NAMED else sorted(values, key=lambda key: -abs(values[key]))[:NAMED]
    words = ", ".join(f"{e}{f' ({g})' if g else ''} {signed(values[e, g], '.3g')}" for e, g in shown)
    return words + (f", and {len(values) - NAMED} smaller" if len(values) > NAMED else "")


def baseline_at(position: tuple[float, ...], journal: Journal) -> str:
    """The key of the baseline at a position, as in `journal.selects`; "" where there is none."""
    if len(set(position)) > 2:  # most are nothing special
        return ""
    alone = [name for name, groups in of_position(position, journal).items() if set(groups.values()) == {1.0}]
    if not any(position):
        return "base"
    if len(alone) == 1 and set(position) <= {0.0, 1.0} and sum(position) == len(position) / len(journal.start.experts):
        return f"expert:{alone[0]}"
    return f"uniform:{position[0]:.4g}" if position[0] > 0 and len(set(position)) == 1 else ""


def group_names(coefficients: Coefficients) -> tuple[str, ...]:
    """Every group of any expert, in order of appearance."""
    return tuple(dict.fromkeys(group for groups in coefficients.values() for group in groups))


def _split(coordinate: str, journal: Journal) -> tuple[str, str]:
    """ "reverse.attention" is ("reverse", "attention") and "reverse" is ("reverse", ""); names may hold dots."""
    owners = [name for name in journal.start.experts if coordinate == name or coordinate.startswith(f"{name}.")]
    expert = max(owners, key=len, default=coordinate)
    return expert, coordinate[len(expert) + 1 :]

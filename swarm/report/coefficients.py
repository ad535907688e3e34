"""The best's coefficients by expert and group."""

from swarm.journal.summary import Coefficients
from swarm.report.read_journal import Journal


def of_position(position: tuple[float, ...], journal: Journal) -> Coefficients:
    """The coefficients at a position, by the names of its dimensions."""
    found: dict[str, dict[str, float]] = {}
    for coordinate, value in zip(journal.start.coordinates, position, strict=False):
        expert, group = _split(coordinate, journal)
        found.setdefault(expert, {})[group] = value
    return found


def group_names(coefficients: Coefficients) -> tuple[str, ...]:
    """Every group of any expert, in order of appearance."""
    return tuple(dict.fromkeys(group for groups in coefficients.values() for group in groups))


def _split(coordinate: str, journal: Journal) -> tuple[str, str]:
    """ "reverse.attention" is ("reverse", "attention") and "reverse" is ("reverse", ""); names may hold dots."""
    owners = [name for name in journal.start.experts if coordinate == name or coordinate.startswith(f"{name}.")]
    expert = max(owners, key=len, default=coordinate)
    return expert, coordinate[len(expert) + 1 :]

"""The best's coefficients by expert and group."""

from collections.abc import Mapping

from swarm.report.read_journal import Journal
from swarm.report.summary import Coefficients


def of_position(position: tuple[float, ...], journal: Journal) -> Coefficients:
    """What a position says, read by the coordinates' names."""
    found: dict[str, dict[str, float]] = {}
    for coordinate, value in zip(journal.start.coordinates, position, strict=False):
        expert, group = _split(coordinate, journal)
        found.setdefault(expert, {})[group] = value
    return found


def with_group_names(coefficients: Coefficients, journal: Journal) -> Coefficients:
    """Lists (groups "0", "1", ...) take their groups' names from the coordinates."""
    pairs = [_split(coordinate, journal) for coordinate in journal.start.coordinates]
    named: dict[str, Mapping[str, float]] = {}
    for expert, groups in coefficients.items():
        names = [group for name, group in pairs if name == expert]
        is_list = len(groups) == len(names) and list(groups) == [str(i) for i in range(len(groups))]
        named[expert] = dict(zip(names, groups.values(), strict=True)) if is_list else groups
    return named


def group_names(coefficients: Coefficients) -> tuple[str, ...]:
    """Every group of any expert, in order of appearance."""
    return tuple(dict.fromkeys(group for groups in coefficients.values() for group in groups))


def _split(coordinate: str, journal: Journal) -> tuple[str, str]:
    """ "reverse.attention" is ("reverse", "attention") and "reverse" is ("reverse", ""), whatever dots the name has."""
    owners = [name for name in journal.start.experts if coordinate == name or coordinate.startswith(f"{name}.")]
    expert = max(owners, key=len, default=coordinate)
    return expert, coordinate[len(expert) + 1 :]

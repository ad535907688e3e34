"""The best's coefficients by expert and group, and how its router is used."""

import math
from collections.abc import Collection, Mapping, Sequence

from swarm.journal.router_use import router_names
from swarm.journal.summary import Coefficients
from swarm.report.read_journal import Journal
from swarm.report.weights import Bounds, acting
from swarm.report.words import signed

Limits = Mapping[str, Mapping[str, Bounds]]  # expert -> group or place -> lowest and highest coefficient
NAMED = 8  # of several coefficients; the others are counted
LOGITS = "logits"  # the place beside weights where an expert may act
DIGITS = 9  # of a coefficient: a position in other units has it up to rounding


def of_position(position: Sequence[float], journal: Journal) -> Coefficients:
    """The coefficients at a position, by the names of its dimensions."""
    at = zip(journal.start.coordinates, position, strict=False)
    values = [acting(name, x * journal.scales.get(name, 1.0)) for name, x in at]
    places = columns_of(journal)
    return {e: {group: values[at] for group, at in own.items() if at < len(values)} for e, own in places.items()}


def units_of(journal: Journal) -> Coefficients:
    """The coefficient that one unit of the search stands for, by expert and place; 1 for most compositions."""
    return of_position([1.0] * len(journal.start.coordinates), journal)


def limits_of(bounds: Bounds, journal: Journal) -> Limits:
    """The lowest and the highest coefficient that a bounded optimizer tries, by expert and place.

    bounds: of a coordinate, in units of the search. Where a unit is small, the search goes beyond them to the expert
    alone, a coefficient of 1 (compositions/mixed.py).
    """
    low, high = bounds
    return {
        expert: {place: (low * unit, max(high * unit, 1.0)) for place, unit in groups.items()}
        for expert, groups in units_of(journal).items()
    }


def without_router(found: Coefficients) -> tuple[Coefficients, Coefficients]:
    """The coefficients of experts, and how the router is used (`router.strength` and so on): empty without one."""
    use = {name: found[name] for name in router_names(found)}
    return {name: each for name, each in found.items() if name not in use}, use


def columns_of(journal: Journal) -> dict[str, dict[str, int]]:
    """Expert -> group or place -> the place of its coordinate in a position."""
    found: dict[str, dict[str, int]] = {}
    for at, coordinate in enumerate(journal.start.coordinates):
        expert, group = _split(coordinate, journal)
        found.setdefault(expert, {})[group] = at
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
    found = of_position(position, journal)
    active = {(e, g): round(value, DIGITS) for e, groups in found.items() for g, value in groups.items() if value}
    if not active:
        return "base"
    if len(set(active.values())) > 1:  # most are nothing special
        return ""
    value, alone = next(iter(active.values())), _alone(found, journal)
    names = [name for name, places in alone.items() if value == 1.0 and places == active.keys()]
    merged = [places for places in alone.values() if {g for _, g in places} != {LOGITS}] or list(alone.values())
    if names:
        return f"expert:{names[0]}"
    return f"uniform:{value:.4g}" if value > 0 and set().union(*merged) == active.keys() else ""


def columns_alone(journal: Journal) -> dict[str, list[int]]:
    """What stands alone as a baseline, by its name -> its places in a position: in two places, an expert is two."""
    columns = columns_of(journal)
    alone = _alone(columns, journal)
    return {name: sorted(columns[expert][group] for expert, group in places) for name, places in alone.items()}


def _alone(found: Mapping[str, Collection[str]], journal: Journal) -> dict[str, set[tuple[str, str]]]:
    """What stands alone as a baseline -> its coordinates: an expert on weights, in all groups, and one on logits."""
    alone: dict[str, set[tuple[str, str]]] = {}
    for expert in (name for name in found if name in journal.start.experts):
        on_logits = {(expert, LOGITS)} if LOGITS in found[expert] else set()
        if merged := {(expert, group) for group in found[expert]} - on_logits:
            alone[expert] = merged
        if on_logits:
            alone[f"{expert}.{LOGITS}" if merged else expert] = on_logits
    return alone


def group_names(coefficients: Coefficients) -> tuple[str, ...]:
    """Every group of any expert, in order of appearance."""
    return tuple(dict.fromkeys(group for groups in coefficients.values() for group in groups))


def _split(coordinate: str, journal: Journal) -> tuple[str, str]:
    """ "reverse.attention" is ("reverse", "attention") and "reverse" is ("reverse", ""); names may hold dots."""
    owners = [name for name in journal.start.experts if coordinate == name or coordinate.startswith(f"{name}.")]
    expert = max(owners, key=len, default=coordinate)
    return expert, coordinate[len(expert) + 1 :]

"""The coefficients of the composed expert and the use of its router, each with its range among the near-best."""

import math
from functools import partial

from swarm.journal.router_use import ROUTER
from swarm.journal.summary import Coefficients
from swarm.report.coefficients import LOGITS, Limits, group_names
from swarm.report.figures import svg
from swarm.report.figures.svg import Figure, Key, Scale
from swarm.report.region import Range, Region
from swarm.report.weights import Bounds
from swarm.report.words import count, cut, signed

NEAR = 0.05  # of the range between the bounds
MOST_ROOM = 1.0  # for a bound beyond the coefficients, as a share of their range
NAMED = 3  # coefficients near a bound; the others are counted
REGION = "; the pale bar is the middle 80 % of its values among the near-best candidates"


def coefficients_figure(
    found: Coefficients, region: Region | None = None, near_bounds: str = "", bounds: Bounds | None = None
) -> Figure | None:
    """One row per expert, and one column per group where coefficients are grouped. None without coefficients.

    near_bounds: what `bounds_words` says.
    bounds: the lowest and the highest coefficient that the search tried, where they are the same for all.
    """
    values = {(e, g): v for e, groups in found.items() for g, v in groups.items() if math.isfinite(v)}
    if not values:
        return None
    (expert, group), top = max(values.items(), key=lambda pair: abs(pair[1]))
    kind = "Largest coefficient" if top >= 0 else "Largest coefficient by magnitude"
    title = f"{kind}: {signed(top, '.3g')} ({expert}{f', {group}' if group else ''})"
    if len(values) > 1 and len(set(values.values())) == 1:
        title = f"All coefficients are equal: {signed(top, '.3g')}"
    is_grouped = len(group_names(found)) > 1
    shown = () if is_grouped else _shown(bounds, _ends(found, region))
    signs = partial(_signed, found, region, shown, "coefficient", title)
    draw = partial(_matrix, found, region, title) if is_grouped else signs
    where = "place (in the base’s weights, on logits)" if LOGITS in group_names(found) else "group"
    reading = "Each dot is an expert’s coefficient" + (f" in one {where}, all on the same scale" if is_grouped else "")
    reading += REGION if region else ""
    away = "A negative coefficient moves the base away from that expert. " if _has_negative(found) else ""
    words = away + (region_words(region) if region else "")
    caption = " ".join(filter(None, (words.strip(), near_bounds)))
    return svg.figure(title, f"{reading}.", draw, _legend(shown), caption)


def router_figure(use: Coefficients, region: Region | None = None) -> Figure | None:
    """One row per coordinate of the router, which are no coefficients of experts. None without a router."""
    values = {name.removeprefix(ROUTER): next(iter(each.values())) for name, each in use.items()}
    if not values:
        return None
    said = [f"{name} {signed(values[name], '.3g')}" for name in ("strength", "sharpness") if name in values]
    title = ": ".join(filter(None, ("How the router is used", ", ".join(said))))
    reading = "Each dot is a coordinate of the router, in units of the search"
    caption = "A router of strength 1 whose other coordinates are 0 is used as it was fitted."
    draw = partial(_signed, use, region, (), "coordinate", title)
    return svg.figure(title, f"{reading}{REGION if region else ''}.", draw, (), caption)


def bounds_words(found: Coefficients, bounds: Bounds, limits: Limits) -> str:
    """Which coefficients lie within NEAR of a bound, and what that may mean; "" where none does.

    bounds: as the config has them. limits: the lowest and the highest value that the search tried of each.
    """
    in_units = any(each != bounds for groups in limits.values() for each in groups.values())
    sentences = []
    for end, key in enumerate(("low", "high")):
        near = [
            f"{expert}{f', {group}' if group else ''} ({signed(value, '.3g')}{_bound(limit[end]) * in_units})"
            for expert, groups in found.items()
            for group, value in groups.items()
            if (limit := limits.get(expert, {}).get(group)) and abs(value - limit[end]) <= NEAR * (limit[1] - limit[0])
        ]
        if near:
            more = [f"{len(near) - NAMED} more"] if len(near) > NAMED else []
            listed = "; ".join([*near[:NAMED], *more])
            units = " times its unit in composition.scales" + (", or 1 if that is higher" if key == "high" else "")
            sentences.append(
                f"Within {NEAR:.0%} of the bound composition.{key}, {signed(bounds[end], '.3g')}"
                f"{units * in_units}: {listed}. A search with wider bounds may find better values."
            )
    return " ".join(sentences).replace("%", " %")


def _bound(value: float) -> str:
    return f"; bound {signed(value, '.3g')}"


def region_words(region: Region) -> str:
    """Which candidates are near-best, and what their range does not show."""
    whole, filled = count(region.compared, "fully scored candidate"), len(region.ids) - region.alike
    who = "only the highest itself is" if region.alike == 1 else f"{region.alike} are"
    near = f"Of {whole}, {who} within one standard error of the highest search score"
    more = f"; the next best are added, {len(region.ids)} in all" if filled > 0 else ""
    paired = "paired by example" + (", weighted mean over the objectives" if region.objectives > 1 else "")
    return (
        f"{near} ({paired}){more}. A wide range means that other values score as well. "
        "A narrow range may also mean that the search tried no other values. It is the range of these candidates "
        "and no error bar: the coefficient itself may lie outside it."
    )


def _signed(
    found: Coefficients, region: Region | None, bounds: tuple[float, ...], axis: str, title: str, width: int
) -> str:
    """The numbers stand in a column of their own, as beside a dot they would be read as the end of its pale bar."""
    narrow, top = width < 500, 4
    left, row, most = (8, 44, 5) if narrow else (_room(found), 28, 9)
    x = Scale(*svg.rounded(*_ends(found, region, bounds), most), left + 8, width - (12 if narrow else 66))
    bottom = top + row * len(found)
    parts = [*_axis(x, top, bottom, most, axis), svg.line(x(0), top, x(0), bottom, "rule")]
    if not narrow:
        parts += [svg.line(x(bound), top, x(bound), bottom, "bound") for bound in bounds]
    for i, (expert, groups) in enumerate(found.items()):
        y, (group, value) = top + row * i + (18 if narrow else 3), next(iter(groups.items()))
        beside = svg.label(left - 12, y + 15, cut(expert, 22), "end")
        parts.append(svg.label(left + 5, y - 5, cut(expert, 40), class_="t over") if narrow else beside)
        parts.append(svg.label(width - 2, y + (-5 if narrow else 15), signed(value, ".3f"), "end", "t number"))
        if narrow:  # beside the dots alone, as names and numbers stand above them
            parts += [svg.line(x(bound), y + 1, x(bound), y + 21, "bound") for bound in bounds]
        parts.append(_lollipop(x, y + 11, value, _range(region, expert, group)))
    return svg.chart(width, bottom + 38, title, *parts)


def _axis(x: Scale, top: float, bottom: float, most: int, name: str) -> list[str]:
    """Ticks over the whole height, their numbers and the axis' name below."""
    parts = []
    for value in svg.ticks(x.low, x.high, most):
        parts.append(svg.line(x(value), top, x(value), bottom + 4, "grid"))
        parts.append(svg.label(x(value), bottom + 18, signed(value, "g"), "middle", "t axis"))
    return [*parts, svg.label((x.start + x.end) / 2, bottom + 34, name, "middle", "t axis")]


def _lollipop(x: Scale, y: float, value: float, good: Range | None) -> str:
    """A dot on a stem from zero, over the range of the near-best candidates."""
    drawn = svg.rect(x(good.low), y - 9, x(good.high) - x(good.low), 18, "good") if good else ""
    dot = svg.element("circle", cx=x(value), cy=y, r=5.5, class_=_sign(value))
    return drawn + svg.line(x(0), y, x(value), y, "stem") + dot


def _matrix(found: Coefficients, region: Region | None, title: str, width: int) -> str:
    names, narrow, cell = group_names(found), width < 500, 92
    left, top = (8 if narrow else _room(found)), (20 if narrow else 8)
    column = (width - left - 34) / len(names)
    y = Scale(*_ends(found, region), cell - 22, 18)  # room for numbers above and below
    parts = []
    for i, (expert, groups) in enumerate(found.items()):
        row = top + i * cell
        beside = svg.label(left - 12, row + y(0) + 4, cut(expert, 22), "end")
        parts.append(svg.label(left, row + 2, cut(expert, 40)) if narrow else beside)
        for value in svg.ticks(y.low, y.high, 3):
            parts.append(svg.line(left, row + y(value), width - 30, row + y(value), "rule" if value == 0 else "grid"))
            parts.append(svg.label(width - 26, row + y(value) + 4, signed(value, "g"), class_="t axis tight"))
        parts.append(svg.line(left, row + y(0), width - 30, row + y(0), "rule"))
        for j, name in enumerate(names):
            if name in groups:
                parts.append(_cell(left + j * column, column, row, y, groups[name], _range(region, expert, name)))
    bottom = top + cell * len(found) + 16
    return svg.chart(width, bottom + 8, title, *parts, _group_labels(names, left, column, bottom))


def _cell(x: float, column: float, row: float, y: Scale, value: float, good: Range | None) -> str:
    """The same vertically, from the row's zero line, with the number beyond the dot where there is room."""
    zero, tip, wide, middle = row + y(0), row + y(value), min(column * 0.6, 30), x + column / 2
    drawn = ""
    if good:
        drawn = svg.rect(middle - wide / 2, row + y(good.high), wide, y(good.low) - y(good.high), "good")
    drawn += svg.line(middle, zero, middle, tip, "stem")
    drawn += svg.element("circle", cx=middle, cy=tip, r=min(4.5, wide / 2), class_=_sign(value))
    if column < 40:
        return drawn
    at = tip + 17 if value < 0 else tip - 8
    return drawn + svg.label(middle, at, signed(value, ".2f"), "middle", "t number over")


def _range(region: Region | None, expert: str, group: str) -> Range | None:
    return region.ranges.get(expert, {}).get(group) if region else None


def _has_negative(found: Coefficients) -> bool:
    return any(value < 0 for groups in found.values() for value in groups.values())


def _shown(bounds: Bounds | None, ends: Bounds) -> tuple[float, ...]:
    """The bounds that are near enough to the coefficients to be drawn."""
    room = MOST_ROOM * (ends[1] - ends[0])
    return tuple(bound for bound in bounds or () if ends[0] - room <= bound <= ends[1] + room)


def _legend(bounds: tuple[float, ...]) -> tuple[Key, ...]:
    words = " and ".join(signed(bound, ".3g") for bound in bounds)
    line = svg.swatch(svg.line(11, 0, 11, 12, "bound"))
    return (Key(line, f"bound{'s' if len(bounds) > 1 else ''} of the search: {words}"),) if bounds else ()


def _ends(found: Coefficients, region: Region | None, bounds: tuple[float, ...] = ()) -> Bounds:
    """The least and greatest value of all dots, ranges and bounds, and zero."""
    ends = [0.0, *bounds]
    for expert, groups in found.items():
        for group, value in groups.items():
            good = _range(region, expert, group)
            ends += [value, *((good.low, good.high) if good else ())]
    return min(filter(math.isfinite, ends)), max(filter(math.isfinite, ends))


def _group_labels(names: tuple[str, ...], left: float, column: float, y: float) -> str:
    """The name of every group, or of the first and the last where they do not all fit."""
    words = [name or "all" for name in names]
    if max(len(word) for word in words) * 7 <= column:
        return "".join(svg.label(left + (j + 0.5) * column, y, word, "middle") for j, word in enumerate(words))
    right = left + column * len(words)
    return svg.label(left, y, cut(words[0], 22)) + svg.label(right, y, cut(words[-1], 22), "end")


def _room(found: Coefficients) -> float:
    """The width of the longest name as it is shown."""
    return 16 + 7.2 * min(22, max(len(expert) for expert in found))


def _sign(value: float) -> str:
    return "bar negative" if value < 0 else "bar positive"

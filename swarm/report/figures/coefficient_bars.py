"""The best's coefficients, and the range that each has in the good region."""

import math
from functools import partial

from swarm.report.coefficients import group_names
from swarm.report.figures import svg
from swarm.report.figures.svg import Figure, Scale
from swarm.report.region import Range, Region
from swarm.report.summary import Coefficients
from swarm.report.words import count, cut, signed


def coefficients_figure(found: Coefficients, region: Region | None = None) -> Figure | None:
    """A row an expert; grouped: one with a column a group."""
    values = {(e, g): v for e, groups in found.items() for g, v in groups.items() if math.isfinite(v)}
    if not values:
        return None
    (expert, group), top = max(values.items(), key=lambda pair: abs(pair[1]))
    title = f"Of the experts, {expert} weighs most: {signed(top, '.3g')}{f' in {group}' if group else ''}"
    if len(values) > 1 and len(set(values.values())) == 1:
        title = f"The experts weigh the same: {signed(top, '.3g')}"
    is_grouped = len(group_names(found)) > 1
    draw = partial(_matrix if is_grouped else _signed, found, region, title)
    reading = "A dot is a coefficient of the best" + (", one a group, all on one scale" if is_grouped else "")
    if region:
        reading += "; the pale bar spans the middle 80 % of what good candidates have there"
    away = "A negative one moves the base away from that expert. " if _has_negative(found) else ""
    return svg.figure(title, f"{reading}.", draw, caption=away + (region_words(region) if region else ""))


def region_words(region: Region) -> str:
    """Which candidates are the good ones, and what their range does not say."""
    whole, filled = count(region.compared, "whole candidate"), len(region.ids) - region.alike
    who = "none but the highest itself" if region.alike == 1 else f"{region.alike}"
    near = f"Of {whole}, {who} {'lies' if region.alike == 1 else 'lie'} within one standard error of the highest"
    more = f"; filled up with the next best to {len(region.ids)}" if filled > 0 else ""
    paired = "paired by example" + ("; weighted mean over the objectives" if region.objectives > 1 else "")
    return (
        f"{near} on the search split ({paired}){more}. Where the bar is long, other values do as well; "
        "where it is short, the swarm may also have looked nowhere else."
    )


def _signed(found: Coefficients, region: Region | None, title: str, width: int) -> str:
    narrow, top = width < 500, 4
    left, row = (8, 44) if narrow else (_room(found), 28)
    low, high = _ends(found, region)
    x = Scale(low, high, left + (54 if _has_negative(found) else 4), width - 60)
    bottom = top + row * len(found)
    parts = [svg.line(x(0), top, x(0), bottom, "rule")]
    for i, (expert, groups) in enumerate(found.items()):
        y, (group, value) = top + row * i + (18 if narrow else 3), next(iter(groups.items()))
        beside = svg.label(left - 12, y + 15, cut(expert, 22), "end")
        parts.append(svg.label(left + 5, y - 5, cut(expert, 40), class_="t over") if narrow else beside)
        parts.append(_lollipop(x, y + 11, value, _range(region, expert, group)))
    return svg.chart(width, bottom + 4, title, *parts)


def _lollipop(x: Scale, y: float, value: float, good: Range | None) -> str:
    """A dot on a stem from zero, over the good ones' range; its number behind both."""
    near, far = sorted((x(0), x(value)))
    drawn = ""
    if good:
        drawn = svg.rect(x(good.low), y - 9, x(good.high) - x(good.low), 18, "good")
        near, far = min(near, x(good.low)), max(far, x(good.high))
    drawn += svg.line(x(0), y, x(value), y, "stem") + svg.element(
        "circle", cx=x(value), cy=y, r=5.5, class_=_sign(value)
    )
    anchor, at = ("end", near - 10) if value < 0 else ("start", far + 10)
    return drawn + svg.label(at, y + 4, signed(value, ".3f"), anchor, "t number")


def _matrix(found: Coefficients, region: Region | None, title: str, width: int) -> str:
    names, narrow, cell = group_names(found), width < 500, 92
    left, top = (8 if narrow else _room(found)), (20 if narrow else 8)
    column = (width - left - 8) / len(names)
    y = Scale(*_ends(found, region), cell - 22, 18)  # room for numbers above and below
    parts = []
    for i, (expert, groups) in enumerate(found.items()):
        row = top + i * cell
        beside = svg.label(left - 12, row + y(0) + 4, cut(expert, 22), "end")
        parts.append(svg.label(left, row + 2, cut(expert, 40)) if narrow else beside)
        parts.append(svg.line(left, row + y(0), width - 8, row + y(0), "rule"))
        for j, name in enumerate(names):
            if name in groups:
                parts.append(_cell(left + j * column, column, row, y, groups[name], _range(region, expert, name)))
    bottom = top + cell * len(found) + 16
    return svg.chart(width, bottom + 8, title, *parts, _group_labels(names, left, column, bottom))


def _cell(x: float, column: float, row: float, y: Scale, value: float, good: Range | None) -> str:
    """The same upright, from the row's zero line, with its number where there is room."""
    zero, tip, wide, middle = row + y(0), row + y(value), min(column * 0.6, 30), x + column / 2
    upper, lower = min(zero, tip), max(zero, tip)
    drawn = ""
    if good:
        upper, lower = min(upper, row + y(good.high)), max(lower, row + y(good.low))
        drawn = svg.rect(middle - wide / 2, row + y(good.high), wide, y(good.low) - y(good.high), "good")
    drawn += svg.line(middle, zero, middle, tip, "stem")
    drawn += svg.element("circle", cx=middle, cy=tip, r=min(4.5, wide / 2), class_=_sign(value))
    if column < 40:
        return drawn
    at = lower + 16 if value < 0 else upper - 7
    return drawn + svg.label(middle, at, signed(value, ".2f"), "middle", "t number")


def _range(region: Region | None, expert: str, group: str) -> Range | None:
    return region.ranges.get(expert, {}).get(group) if region else None


def _has_negative(found: Coefficients) -> bool:
    return any(value < 0 for groups in found.values() for value in groups.values())


def _ends(found: Coefficients, region: Region | None) -> tuple[float, float]:
    """Of all bars and ranges, and zero."""
    ends = [0.0]
    for expert, groups in found.items():
        for group, value in groups.items():
            good = _range(region, expert, group)
            ends += [value, *((good.low, good.high) if good else ())]
    return min(filter(math.isfinite, ends)), max(filter(math.isfinite, ends))


def _group_labels(names: tuple[str, ...], left: float, column: float, y: float) -> str:
    """Every group's name, or where they do not fit the first and the last."""
    words = [name or "all" for name in names]
    if max(len(word) for word in words) * 7 <= column:
        return "".join(svg.label(left + (j + 0.5) * column, y, word, "middle") for j, word in enumerate(words))
    right = left + column * len(words)
    return svg.label(left, y, cut(words[0], 22)) + svg.label(right, y, cut(words[-1], 22), "end")


def _room(found: Coefficients) -> float:
    """The width of the longest name, cut."""
    return 16 + 7.2 * min(22, max(len(expert) for expert in found))


def _sign(value: float) -> str:
    return "bar negative" if value < 0 else "bar positive"

"""The search curve: every candidate's score over the evaluations, and the best so far."""

from collections.abc import Mapping
from functools import partial

from swarm.report.figures import svg
from swarm.report.figures.svg import Figure, Key, Scale
from swarm.report.search_curve import SearchCurve
from swarm.report.words import Unit, count

LEFT, RIGHT, TOP, BOTTOM, HEIGHT = 52, 12, 26, 44, 330
TICKS = 7  # at most, on the axis of scores
FEW = 300  # dots, which have room to be larger
KIND_WORDS = {"best": "best", "uniform": "uniform weights", "expert": "best single expert", "base": "base"}


def search_curve_figure(found: SearchCurve, references: Mapping[str, float], unit: Unit, label: str) -> Figure | None:
    """references: kind -> search score of a baseline. None while nothing has a score."""
    if not found.best:
        return None
    first, last = found.start, found.best[-1][1]
    rise = f"rose from {unit.score(first)} to {unit.score(last)}" if last > first else f"stayed at {unit.score(last)}"
    after = f" after {count(found.known, 'known one')}" if found.known else ""
    title = f"The best search score {rise} in {count(found.total - found.known, 'evaluation')}{after}{label}"
    limits = _range(found, references, unit)
    draw = partial(_search_curve, found, references, unit, title, limits)
    reading = "Each dot is a candidate, in the order of evaluation; higher is better."
    if found.known:
        reading += " Those left of the upright line were known from the run that this one continues."
    return svg.figure(title, reading, draw, _legend(found, references), " ".join(_notes(found, limits[0])))


def _notes(found: SearchCurve, low: float) -> list[str]:
    notes = ["The search maximises these scores, so the best of them are biased upwards."]
    if found.soft:
        notes = [
            "The search climbs a smoothed form of these scores (optimizer.soft). As it chose candidates on the same "
            "examples, the best of these scores are biased upwards."
        ]
    if any(score < low for _, score in found.points):
        notes.append("Dots on the lower edge have lower scores than the axis shows.")
    if len(found.points) > svg.MOST_DOTS:
        drawn = count(len(svg.subsampled(list(found.points))), "candidate")
        notes.append(f"{drawn} of {len(found.points):,} are drawn, at regular intervals; line and band are of all.")
    return notes


def _range(found: SearchCurve, references: Mapping[str, float], unit: Unit) -> tuple[float, float]:
    """The ends of the axis: from zero where scores are shares, else around the best, the references and nine tenths
    of every iteration, so that a few bad candidates do not stretch it.
    """
    lows = [population.tenth for population in found.populations] or [score for _, score in found.points]
    values = [*lows, *references.values(), *(score for _, score in found.best[-1:])]
    low, high = min(values), max(values)
    pad = 0.02 * ((high - low) or abs(high) or 1.0)
    return svg.rounded(0.0, high, TICKS) if unit.percent else svg.rounded(low - pad, high + pad, TICKS)


def _search_curve(
    found: SearchCurve,
    references: Mapping[str, float],
    unit: Unit,
    title: str,
    limits: tuple[float, float],
    width: int,
) -> str:
    x = Scale(0, found.total + 0.5, LEFT, width - RIGHT)
    y = Scale(*limits, HEIGHT - BOTTOM, TOP)
    parts = [_axes(x, y, unit, width)]
    parts += [svg.line(LEFT, y(score), width - RIGHT, y(score), f"reference {k}") for k, score in references.items()]
    band = [(x(p.at), y(p.high)) for p in found.populations] + [(x(p.at), y(p.low)) for p in found.populations[::-1]]
    if len(found.populations) > 1:
        parts.append(svg.path(band, "band", closed=True))
    parts.append(svg.dots([(x(at), y(score)) for at, score in svg.subsampled(list(found.points))], _dots_class(found)))
    if found.known:
        parts.append(svg.line(x(found.known + 0.5), TOP - 6, x(found.known + 0.5), HEIGHT - BOTTOM, "continued"))
    parts.append(svg.path(_steps(found, x, y), "best-line"))
    if len(found.populations) > 1:
        parts.append(svg.path([(x(p.at), y(p.median)) for p in found.populations], "median"))
    parts += [svg.label(x(at), HEIGHT - BOTTOM - 3, "×", "middle", "t cross") for at in found.failed]
    parts += [
        svg.hit(x(at), y(score), f"{unit.score(score)} after {count(int(at), 'evaluation')}")
        for at, score in found.best
    ]
    return svg.chart(width, HEIGHT, title, *parts)


def _dots_class(found: SearchCurve) -> str:
    return "dots few" if len(found.points) < FEW else "dots"


def _axes(x: Scale, y: Scale, unit: Unit, width: int) -> str:
    parts = [svg.label(0, 12, "score on the search split", class_="t axis")]
    parts.append(svg.label(width - RIGHT, HEIGHT - 6, "evaluations", "end", "t axis"))
    for value in svg.ticks(y.low, y.high, TICKS):
        parts.append(svg.line(LEFT, y(value), width - RIGHT, y(value), "grid"))
        parts.append(svg.label(LEFT - 8, y(value) + 4, unit.tick(value), "end"))
    for value in svg.ticks(0, x.high, 11 if width > 500 else 6):
        if value == int(value):
            parts.append(svg.line(x(value), HEIGHT - BOTTOM, x(value), HEIGHT - BOTTOM + 5, "rule"))
            parts.append(svg.label(x(value), HEIGHT - BOTTOM + 19, f"{value:,g}", "middle"))
    return "".join((*parts, svg.line(LEFT, HEIGHT - BOTTOM, width - RIGHT, HEIGHT - BOTTOM, "rule")))


def _steps(found: SearchCurve, x: Scale, y: Scale) -> list[tuple[float, float]]:
    corners = [(x(found.best[0][0]), y(found.best[0][1]))]
    for at, score in found.best[1:]:
        corners += [(x(at), corners[-1][1]), (x(at), y(score))]
    return [*corners, (x(found.total + 0.5), corners[-1][1])]


def _legend(found: SearchCurve, references: Mapping[str, float]) -> tuple[Key, ...]:
    keys = [Key(svg.swatch(svg.line(0, 6, 22, 6, "best-line")), "best so far")]
    if len(found.populations) > 1:
        band = svg.rect(0, 1, 22, 10, "band") + svg.line(0, 6, 22, 6, "median")
        per = "iteration" if found.pooled == 1 else count(found.pooled, "iteration")
        keys.append(Key(svg.swatch(band), f"median and quartiles per {per}"))
    keys.append(Key(svg.swatch(svg.dots([(11, 6)], _dots_class(found))), "candidate"))
    for kind in references:
        keys.append(Key(svg.swatch(svg.line(0, 6, 22, 6, f"reference {kind}")), KIND_WORDS[kind]))
    if found.known:
        keys.append(Key(svg.swatch(svg.line(11, 0, 11, 12, "continued")), "beginning of this run"))
    if found.failed:
        keys.append(Key(svg.swatch(svg.label(11, 11, "×", "middle", "t cross")), "failed"))
    return tuple(keys)

"""Charts of bars: optimism, what changed, time; and the interval drawn in a row of the table."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from swarm.report.examples import Contrast
from swarm.report.figures import svg
from swarm.report.figures.svg import Figure, Key, Scale
from swarm.report.score_table import Row
from swarm.report.search_curve import CostModel
from swarm.report.words import Unit, baseline_name, count, duration, said_before, thousands
from swarm.statistics.intervals import Score

PART_WORDS = {"forward": "forward passes", "compose": "composing weights", "idle": "idle workers", "other": "the rest"}


@dataclass(frozen=True)
class Part:
    """One part of a stacked bar. kind: its class; inside: what stands in it where there is room."""

    kind: str
    words: str
    size: float
    inside: str


@dataclass(frozen=True)
class Flattery:
    """The best on each split, what was foretold of its test score, and the best baseline's test score."""

    scores: Mapping[str, Score]
    predicted: Score | None
    gap: float
    baseline: Row | None

    @property
    def bars(self) -> dict[str, Score]:
        """In the order in which they became known."""
        order = {"search": None, "select": None, "foretold": self.predicted, "test": None}
        found = {name: self.scores.get(name, score) for name, score in order.items()}
        return {name: score for name, score in found.items() if score}


def optimism_figure(found: Flattery, unit: Unit, label: str) -> Figure | None:
    if len(found.scores) < 2 or not math.isfinite(found.gap):
        return None
    title = f"The search score flatters the best by {unit.size(found.gap)}{label}"
    if found.gap <= 0:
        title = f"The best scores as well on test as on search{label}"
    reading = "A bar is the best’s mean on one split, the line over it the 95 % interval."
    caption = "The search chose it by the first score and the selection by the second; only test is untouched."
    if found.predicted:
        caption += f" {said_before(unit, found.predicted, found.scores.get('test'))}"
    legend: tuple[Key, ...] = ()
    if found.baseline and found.baseline.test:
        words = f"best baseline on test ({baseline_name(found.baseline.key)}): {unit.score(found.baseline.test.mean)}"
        legend = (Key(svg.swatch(svg.line(0, 6, 22, 6, f"reference {found.baseline.kind}")), words),)
    return svg.figure(title, reading, partial(_splits, found, unit, title), legend, caption)


def contrast_figure(found: Contrast | None, label: str) -> Figure | None:
    """What changed between a baseline and the best, in four parts."""
    if found is None:
        return None
    right, wrong, than = len(found.right), len(found.wrong), baseline_name(found.other)
    title = f"Against {than}, {thousands(right)} newly right and {thousands(wrong)} newly wrong{label}"
    sizes = {"both": ("both right", found.both), "gained": ("newly right", right)}
    sizes |= {"lost": ("newly wrong", wrong), "neither": ("both wrong", found.neither)}
    parts = [Part(kind, f"{name}: {thousands(n)}", n, thousands(n)) for kind, (name, n) in sizes.items()]
    reading = f"The {count(found.n, 'test example')}, by whether the best and {than} had them right."
    return svg.figure(title, reading, partial(_stack, parts, title), _stack_legend(parts))


def time_figure(costs: CostModel) -> Figure | None:
    total = sum(seconds for _, seconds in costs.parts)
    if not total:
        return None
    part, most = max(costs.parts, key=lambda pair: pair[1])
    of = "time" if costs.has_idle else "busy time"
    title = f"{PART_WORDS[part].capitalize()} took {100 * most / total:.0f} % of the workers' {of}"
    parts = [
        Part(name, f"{PART_WORDS[name]} {duration(seconds)}", seconds, f"{100 * seconds / total:.0f} %")
        for name, seconds in costs.parts
    ]
    reading = "The longer a part, the more of the time it took."
    return svg.figure(title, reading, partial(_stack, parts, title), _stack_legend(parts))


def interval_cell(row: Row, low: float, high: float) -> str:
    """The row's test score and interval on the table's common scale."""
    if row.test is None:
        return ""
    x, score = Scale(low, high, 7, 173), row.test
    whisker = svg.line(x(score.low), 9, x(score.high), 9, f"whisker {row.kind}") if score.has_interval else ""
    rule = svg.line(0, 9, 180, 9, "grid")
    return svg.element(
        "svg", rule + whisker + svg.mark(row.kind, x(score.mean), 9, 4), viewBox="0 0 180 18", width=180, height=18,
        aria_hidden="true",
    )  # fmt: skip


def interval_scale(rows: tuple[Row, ...]) -> tuple[float, float]:
    scores = [row.test for row in rows if row.test]
    ends = [end for s in scores for end in ((s.low, s.high) if s.has_interval else (s.mean,))]
    return (min(ends), max(ends)) if ends else (0.0, 1.0)


def _splits(found: Flattery, unit: Unit, title: str, width: int) -> str:
    bars, row = found.bars, 34
    names = {split: f"{split}, n = {thousands(score.n)}" for split, score in bars.items()}
    left = 18 + 6.6 * max(len(name) for name in names.values())
    baseline = [found.baseline.test.mean] if found.baseline and found.baseline.test else []
    ends = [end for s in bars.values() for end in (s.mean, s.low, s.high) if math.isfinite(end)] + baseline
    x = Scale(min(0.0, *ends), max(0.0, *ends), left, width - 66)
    parts = []
    for i, (split, score) in enumerate(bars.items()):
        y, (near, far) = 4 + row * i, sorted((x(0), x(score.mean)))
        parts.append(svg.label(left - 10, y + 17, names[split], "end"))
        parts.append(svg.rect(near, y, far - near, row - 10, f"split {split}"))
        if score.has_interval:
            parts.append(svg.error(x(score.low), y + 12, x(score.high), y + 12))
            far = max(far, x(score.high))
        far = max([far, *(x(mean) for mean in baseline if far < x(mean) < far + 54)])
        parts.append(svg.label(far + 10, y + 17, unit.score(score.mean), class_="t number"))
    bottom = 4 + row * len(bars)
    parts.append(svg.line(x(0), 0, x(0), bottom - 4, "rule"))
    parts += [_upright(x(mean), bottom - 4, f"reference {found.baseline.kind}") for mean in baseline if found.baseline]
    return svg.chart(width, bottom, title, *parts)


def _upright(x: float, bottom: float, class_: str) -> str:
    """A line from the top that stays readable over bars."""
    return svg.line(x, 0, x, bottom, "halo") + svg.line(x, 0, x, bottom, class_)


def _stack(parts: list[Part], title: str, width: int) -> str:
    total, drawn, x = sum(part.size for part in parts) or 1.0, [], 0.0
    for part in parts:
        length = width * part.size / total
        drawn.append(svg.rect(x, 0, length - 1.5, 30, f"part {part.kind}"))
        if length > 44:
            drawn.append(svg.label(x + 8, 20, part.inside, class_=f"t on-{part.kind}"))
        x += length
    return svg.chart(width, 30, title, *drawn)


def _stack_legend(parts: list[Part]) -> tuple[Key, ...]:
    return tuple(Key(svg.swatch(svg.rect(4, 0, 12, 12, f"part {part.kind}")), part.words) for part in parts)

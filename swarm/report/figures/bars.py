"""Bar charts: generalisation gap, newly right and wrong, time; and the interval drawn in each row of the table."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from swarm.report.examples import Contrast
from swarm.report.figures import svg
from swarm.report.figures.svg import Figure, Key, Scale
from swarm.report.score_table import Row
from swarm.report.search_curve import CostModel
from swarm.report.words import Unit, baseline_name, count, duration, ids_words, prediction, thousands
from swarm.statistics.intervals import Score

CELL = 220  # pixels, the width of the column of intervals
CELL_TICKS = 6  # at most, in the column of intervals
TIME_WORDS = {
    "start": "starting workers",
    "forward": "forward passes",
    "compose": "composing weights",
    "idle": "idle",
    "other": "other",
}


@dataclass(frozen=True)
class Segment:
    """One segment of a stacked bar.

    kind: its CSS class.
    words: its entry in the legend.
    size: its length, in any unit.
    inside: the label in it, where there is room.
    """

    kind: str
    words: str
    size: float
    inside: str


@dataclass(frozen=True)
class SplitScores:
    """The composed expert's score on each split, for one objective.

    scores: split -> score.
    predicted: its test score as predicted from the select split, if it was.
    gap: the generalisation gap, search minus test; NaN where it is not known.
    baseline: the row of the baseline that is best on test.
    """

    scores: Mapping[str, Score]
    predicted: Score | None
    gap: float
    baseline: Row | None

    @property
    def bars(self) -> dict[str, Score]:
        """The scores in the order in which they became known."""
        order = {"search": None, "select": None, "predicted": self.predicted, "test": None}
        found = {name: self.scores.get(name, score) for name, score in order.items()}
        return {name: score for name, score in found.items() if score}


def optimism_figure(found: SplitScores, unit: Unit, label: str) -> Figure | None:
    if len(found.scores) < 2 or not math.isfinite(found.gap):
        return None
    gap = unit.change(found.gap) + (" points" if unit.percent else "")
    title = f"Generalisation gap (search − test): {gap}{label}"
    reading = "Each bar is the composed expert’s mean score on one split, with its 95 % interval."
    caption = "The search and select scores decided the choice and are biased upwards; the test score is not."
    if found.predicted:
        caption += f" {prediction(unit, found.predicted, found.scores.get('test'), found.scores.get('select'))}"
    legend: tuple[Key, ...] = ()
    if found.baseline and found.baseline.test:
        words = f"best baseline on test ({baseline_name(found.baseline.key)}): {unit.score(found.baseline.test.mean)}"
        legend = (Key(svg.swatch(svg.line(0, 6, 22, 6, f"reference {found.baseline.kind}")), words),)
    return svg.figure(title, reading, partial(_splits, found, unit, title), legend, caption)


def contrast_figure(found: Contrast | None, label: str) -> Figure | None:
    """The test examples in four segments: which of a baseline and the composed expert is right."""
    if found is None:
        return None
    right, wrong, than = len(found.right), len(found.wrong), baseline_name(found.other)
    title = f"Compared with {than}: {thousands(right)} newly right and {thousands(wrong)} newly wrong{label}"
    sizes = {"both": ("both right", found.both), "gained": ("newly right", right)}
    sizes |= {"lost": ("newly wrong", wrong), "neither": ("both wrong", found.neither)}
    parts = [Segment(kind, f"{name}: {thousands(n)}", n, thousands(n)) for kind, (name, n) in sizes.items()]
    reading = f"The {count(found.n, 'test example')}, by whether the composed expert and {than} are right."
    named = ids_words(swap.item.id for swap in (*found.right, *found.wrong))
    return svg.figure(title, reading, partial(_stack, parts, title), _stack_legend(parts), named)


def time_figure(costs: CostModel) -> Figure | None:
    total = sum(seconds for _, seconds in costs.parts)
    if not total:
        return None
    part, most = max(costs.parts, key=lambda pair: pair[1])
    of = "worker time" if costs.has_idle else "scoring time"
    title = f"{TIME_WORDS[part].capitalize()}: {100 * most / total:.0f} % of {of}"
    parts = [
        Segment(name, f"{TIME_WORDS[name]}: {duration(seconds)}", seconds, f"{100 * seconds / total:.0f} %")
        for name, seconds in costs.parts
    ]
    reading = "The length of each segment is its share of that time."
    return svg.figure(title, reading, partial(_stack, parts, title), _stack_legend(parts))


def interval_cell(row: Row, low: float, high: float) -> str:
    """A row's test score and interval, on the scale that all rows of the table share."""
    if row.test is None:
        return ""
    x, score = _cell_scale(low, high), row.test
    wide = x(score.high) - x(score.low)
    whisker = svg.rect(x(score.low), 6, wide, 8, f"whisker {row.kind}") if score.has_interval else ""
    rules = [svg.line(x(tick), 0, x(tick), 20, "grid") for tick in svg.ticks(low, high, CELL_TICKS)]
    return _cell("".join(rules) + whisker + svg.rect(x(score.mean) - 1.5, 2, 3, 16, f"mean {row.kind}"))


def interval_axis(low: float, high: float, unit: Unit) -> str:
    """The head of that column: its ticks with their numbers."""
    x, ticks = _cell_scale(low, high), svg.ticks(low, high, CELL_TICKS)
    rules = [svg.line(x(tick), 16, x(tick), 20, "rule") for tick in ticks]
    return _cell(
        "".join(rules)
        + "".join(svg.label(x(t), 12, unit.tick(t).removesuffix(" %"), "middle", "t axis tight") for t in ticks)
    )


def interval_scale(rows: tuple[Row, ...]) -> tuple[float, float]:
    """From zero, so that lengths compare as scores do."""
    scores = [row.test for row in rows if row.test]
    ends = [end for s in scores for end in ((s.low, s.high) if s.has_interval else (s.mean,))]
    if not ends:
        return 0.0, 1.0
    low, high = min(0.0, *ends), max(0.0, *ends)
    if all(score.mean >= 0 for score in scores):
        low = 0.0  # an interval may reach below, where no score can be
    marks = svg.ticks(low, high, CELL_TICKS)
    step = marks[1] - marks[0] if len(marks) > 1 else 0.0
    return (marks[0] - step if low < marks[0] else low), (marks[-1] + step if high > marks[-1] else high)


def _cell_scale(low: float, high: float) -> Scale:
    return Scale(low, high, 12, CELL - 12)


def _cell(content: str) -> str:
    return svg.element("svg", content, viewBox=f"0 0 {CELL} 20", width=CELL, height=20, aria_hidden="true")


def _splits(found: SplitScores, unit: Unit, title: str, width: int) -> str:
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
    axis = []
    for tick in svg.ticks(x.low, x.high, 4 if width < 500 else 7):
        axis.append(svg.line(x(tick), 0, x(tick), bottom, "grid"))
        axis.append(svg.label(x(tick), bottom + 14, unit.tick(tick), "middle", "t axis"))
    parts.append(svg.line(x(0), 0, x(0), bottom - 4, "rule"))
    parts += [_upright(x(mean), bottom - 4, f"reference {found.baseline.kind}") for mean in baseline if found.baseline]
    return svg.chart(width, bottom + 20, title, *axis, *parts)


def _upright(x: float, bottom: float, class_: str) -> str:
    """A vertical line from the top, with a halo so that it stays visible over bars."""
    return svg.line(x, 0, x, bottom, "halo") + svg.line(x, 0, x, bottom, class_)


def _stack(parts: list[Segment], title: str, width: int) -> str:
    total, drawn, x = sum(part.size for part in parts) or 1.0, [], 0.0
    for part in parts:
        length = width * part.size / total
        drawn.append(svg.rect(x, 0, length - 1.5, 30, f"part {part.kind}"))
        if length > 44:
            drawn.append(svg.label(x + 8, 20, part.inside, class_=f"t on-{part.kind}"))
        x += length
    return svg.chart(width, 30, title, *drawn)


def _stack_legend(parts: list[Segment]) -> tuple[Key, ...]:
    return tuple(Key(svg.swatch(svg.rect(4, 0, 12, 12, f"part {part.kind}")), part.words) for part in parts)

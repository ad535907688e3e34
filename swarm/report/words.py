"""The sentences of the report, and its numbers and names as words."""

import math
from collections.abc import Iterable

from swarm.statistics.intervals import Difference, Score
from swarm.statistics.wording import Unit as Unit
from swarm.statistics.wording import baseline_name as baseline_name
from swarm.statistics.wording import capital as capital
from swarm.statistics.wording import signed as signed
from swarm.statistics.wording import uniform_name as uniform_name
from swarm.statistics.wording import unit_of as unit_of

REASONS = {  # why a search ended, as a phrase for use after a colon or in parentheses
    "patience": "no further improvement within the patience",
    "iterations": "all iterations done",
    "evaluations": "evaluation limit reached",
    "minutes": "time limit reached",
    "exhausted": "no more candidates from the optimizer",
}


def scored_on(unit: Unit, score: Score) -> str:
    """The words after the score: "on 800 held-out test examples (95 % interval 68.0 to 74.3)"."""
    interval = f" (95 % interval {unit.interval(score.low, score.high)})" if score.has_interval else ""
    return f"on {count(score.n, 'held-out test example')}{interval}"


def prediction(unit: Unit, predicted: Score, found: Score | None, selected: Score | None = None) -> str:
    """The test score that was predicted from the select split, and whether the measured one agrees with it.

    selected: the score on the select split, which the prediction corrects for the winner's curse.
    """
    interval = unit.interval(predicted.low, predicted.high)
    text = f"Predicted from select, before test was used: {unit.score(predicted.mean)} (95 % interval {interval})."
    if selected and predicted.mean < selected.mean and unit.score(predicted.mean) != unit.score(selected.mean):
        text += " It is lower than the select score, as the best of several finalists tends to be a lucky one."
    if found is None:
        return text
    apart = found.high < predicted.low or found.low > predicted.high
    return f"{text} The interval measured on test {'does not overlap' if apart else 'overlaps'} it."


def claim(unit: Unit, than: str, found: Difference) -> str:
    """The claim that the paired difference from `than` supports, and no more."""
    interval = unit.interval(found.low, found.high)
    if found.low > 0:
        return f"{unit.size(found.difference)} above {than} ({interval})"
    if found.high < 0:
        return f"{unit.size(found.difference)} below {than} ({interval})"
    change = unit.change(found.difference) + (" points" if unit.percent else "")
    return f"no difference from {than} is shown ({change}; the interval {interval} includes zero)"


def gains_words(unit: Unit, corrected: bool) -> str:
    """How to read the last column of the table."""
    together = "are corrected for the number of comparisons: they hold for all baselines at once"
    alone = "are not corrected for the number of comparisons"
    points = ", in points" if unit.percent else ""
    return (
        f"Improvement over baseline: the mean paired difference on the test examples{points}. "
        f"Its 95 % intervals {together if corrected else alone}. An interval that includes zero shows no difference."
    )


def ids_words(ids: Iterable[str]) -> str:
    """What the names of examples are, where they are numbers alone."""
    numbers = list(ids)
    return (
        "The number of an example is its id in the data, or its line where it has none."
        if numbers and all(map(str.isdigit, numbers))
        else ""
    )


def chance(n: float) -> str:
    """What to compare the newly right examples with."""
    return f"For comparison: on average, a single expert is the only source that is right on {n:.1f} of the examples."


def thousands(value: float) -> str:
    return f"{value:,.0f}"


def count(n: int, noun: str) -> str:
    return f"{thousands(n)} {noun}{'' if n == 1 else 's'}"


def duration(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"

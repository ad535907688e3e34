"""Numbers and names as a reader wants them."""

import math

from swarm.statistics.intervals import Difference, Score
from swarm.statistics.wording import Unit as Unit
from swarm.statistics.wording import baseline_name as baseline_name
from swarm.statistics.wording import capital as capital
from swarm.statistics.wording import signed as signed
from swarm.statistics.wording import unit_of as unit_of

REASONS = {
    "patience": "it ended because the best had stopped improving (its patience ran out)",
    "iterations": "it ended after all iterations",
    "evaluations": "it ended when the evaluations allowed were spent",
    "minutes": "it ended when the minutes allowed were spent",
    "exhausted": "it ended because the optimizer had no more candidates",
}


def scored_on(unit: Unit, score: Score) -> str:
    """What stands after the number: "on 800 untouched test examples (95 % interval 68.0 to 74.3)"."""
    interval = f" (95 % interval {unit.interval(score.low, score.high)})" if score.has_interval else ""
    return f"on {count(score.n, 'untouched test example')}{interval}"


def said_before(unit: Unit, expected: Score, found: Score | None) -> str:
    """What was foretold before the test split was opened, and whether it came so."""
    interval = unit.interval(expected.low, expected.high)
    text = f"Before test was opened, {unit.score(expected.mean)} was foretold ({interval})"
    if found is None:
        return f"{text}."
    apart = found.high < expected.low or found.low > expected.high
    return f"{text}; test {'lies apart from that' if apart else 'agrees with that'}."


def claim(unit: Unit, than: str, found: Difference) -> str:
    """What the paired difference from `than` lets one say, and no more."""
    interval = unit.interval(found.low, found.high)
    if found.low > 0:
        return f"{unit.size(found.difference)} above {than} ({interval})"
    if found.high < 0:
        return f"{unit.size(found.difference)} below {than} ({interval})"
    change = unit.change(found.difference) + (" points" if unit.percent else "")
    return f"no better than {than} can be claimed (difference {change}, interval {interval}, which includes zero)"


def gains_words(unit: Unit, corrected: bool) -> str:
    """How the table's last column is to be read."""
    together = "its 95 % intervals are wider, so that they hold for all baselines at once"
    alone = "each of its 95 % intervals stands alone, as if there were no other baseline"
    return (
        f"“Best minus it” compares the same test examples one by one{', in points' if unit.percent else ''}; "
        f"{together if corrected else alone}. Where one includes zero, no difference can be claimed."
    )


def chance(n: float) -> str:
    """What the newly right are to be held against."""
    return f"One more single expert would bring about {n:.1f}: on average, each has so many right that no other has."


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

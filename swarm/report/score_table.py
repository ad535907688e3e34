"""How good the best is: its scores beside the baselines', and what may be claimed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from swarm.journal.records import EvaluationRecord
from swarm.preferences.weighted_sum import utility
from swarm.report.coefficients import of_position, with_group_names
from swarm.report.read_journal import Journal
from swarm.report.summary import SPLITS, Best, Gain, Scores, Summary
from swarm.report.words import Unit, baseline_name, capital, claim, scored_on, unit_of
from swarm.statistics.intervals import Score

ORDER = {"best": 0, "uniform": 1, "expert": 2, "base": 3}
ALONE = "each of these intervals stands alone: how many comparisons there are is not allowed for"


@dataclass(frozen=True)
class Row:
    """One line of the table. kind: one of ORDER. gain: best minus this row, on test; None of the best itself."""

    key: str
    kind: str
    name: str
    search: Score | None
    select: Score | None
    test: Score | None
    gain: Gain | None


@dataclass(frozen=True)
class Headline:
    """label: score rest; then the claims, which say no more than the verdict does."""

    label: str
    score: str
    rest: str
    claims: tuple[str, ...]


def kind_of(key: str) -> str:
    """ "expert:reverse" -> "expert", "uniform:0.25" -> "uniform"."""
    return key.partition(":")[0]


def units(journal: Journal) -> dict[str, Unit]:
    """objective -> how its scores are said, by all scores in the journal."""
    return {
        name: unit_of(
            score
            for line in journal.scored
            for score in (*line.examples.get(name, ()), line.scores.get(name, math.nan))
        )
        for name in journal.objectives
    }


def find_best(journal: Journal, summary: Summary, weights: Mapping[str, float]) -> Best | None:
    """The summary's best; in an unfinished run the highest (by the objectives' weights) on the search split so far."""
    if summary.best:
        return replace(summary.best, coefficients=with_group_names(summary.best.coefficients, journal))
    scored = [line for line in journal.evaluations if line.status == "ok" and line.scores]
    if not scored:
        return None
    line = max(scored, key=lambda line: utility(line.scores, weights))
    return Best(line.id, "search", of_position(line.position, journal), {"search": _without_interval(line)})


def find_baselines(journal: Journal, summary: Summary) -> Mapping[str, Scores]:
    """The summary's baselines; in an unfinished run those that the journal has, without intervals."""
    if summary.baselines:
        return summary.baselines
    found: dict[str, dict[str, Mapping[str, Score]]] = {}
    for line in journal.selects:
        if kind_of(line.id) in ORDER:
            found.setdefault(line.id, {})[line.split] = _without_interval(line)
    return found


def table(objective: str, best: Best | None, baselines: Mapping[str, Scores], summary: Summary) -> tuple[Row, ...]:
    """The best, then the uniform average, single experts (the better on test first) and the base."""
    rows = []
    for key, scores in baselines.items():
        gain = summary.paired.get(key, {}).get(objective) if not is_source(key, best) else None
        rows.append(_row(key, kind_of(key), _row_name(key, summary), scores, objective, gain))
    if best:
        searched = "Composed expert" if summary.best else "Best so far"
        name = searched if best.source == "search" else f"Best: {baseline_name(best.source)}"
        rows.append(_row(best.id, "best", name, best.scores, objective))
    return tuple(sorted(rows, key=lambda row: (ORDER.get(row.kind, len(ORDER)), -_rank(row))))


def best_single(rows: tuple[Row, ...]) -> Row | None:
    """The single expert that is best on test (before the test: on search), the strongest that could be chosen."""
    return next((row for row in rows if row.kind == "expert"), None)


def best_baseline(rows: tuple[Row, ...], best: Best | None) -> Row | None:
    """The baseline that is best on test, though nobody could have known it; never the one that is the best itself."""
    others = [row for row in rows if row.kind != "best" and row.test and not is_source(row.key, best)]
    return max(others, key=_rank, default=None)


def headline(label: str, rows: tuple[Row, ...], unit: Unit) -> Headline | None:
    """None while the best has not been scored on test."""
    best, single = next((row for row in rows if row.kind == "best"), None), best_single(rows)
    if best is None or best.test is None:
        return None
    claims = []
    for row in rows:
        if row.gain and (row.kind != "expert" or row is single):
            than = f"the best single expert “{row.key.partition(':')[2]}”" if row is single else baseline_name(row.key)
            claims.append(claim(unit, than, row.gain))
    if claims and not are_corrected(rows):
        claims.append(ALONE)
    return Headline(label, unit.score(best.test.mean), scored_on(unit, best.test), tuple(claims))


def are_corrected(rows: tuple[Row, ...]) -> bool:
    """Whether the gains' intervals allow for one another."""
    return all(row.gain.corrected for row in rows if row.gain)


def is_source(key: str, best: Best | None) -> bool:
    """Whether this baseline is the best itself."""
    return best is not None and key in (best.source, kind_of(best.source))


def optimism(objective: str, best: Best, summary: Summary) -> float:
    """How much search flattered the best: the summary's figure, else search minus test; NaN if unknown."""
    if objective in summary.optimism:
        return summary.optimism[objective]
    search, test = (best.scores.get(split, {}).get(objective) for split in ("search", "test"))
    return search.mean - test.mean if search and test else math.nan


def _rank(row: Row) -> float:
    score = row.test or row.search
    return score.mean if score else -math.inf


def _row(key: str, kind: str, name: str, scores: Scores, objective: str, gain: Gain | None = None) -> Row:
    search, select, test = (scores.get(split, {}).get(objective) for split in SPLITS)
    return Row(key, kind, name, search, select, test, gain)


def _row_name(key: str, summary: Summary) -> str:
    if key == "uniform" and math.isfinite(summary.uniform_coefficient):
        return f"Uniform average, each {summary.uniform_coefficient:.3g}"
    return capital(baseline_name(key).removeprefix("the "))


def _without_interval(line: EvaluationRecord) -> Mapping[str, Score]:
    return {
        name: Score(mean, math.nan, math.nan, len(line.examples.get(name, ()))) for name, mean in line.scores.items()
    }

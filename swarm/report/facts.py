"""How good the best is: its scores beside the baselines', and what may be claimed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from swarm.evidence import Difference, Score
from swarm.lines import EvaluationLine
from swarm.report.coefficients import of_position, with_group_names
from swarm.report.journal import Journal
from swarm.report.summary import SPLITS, Best, Scores, Summary
from swarm.report.words import Unit, baseline_name, capital, claim, scored_on, unit_of

ORDER = {"best": 0, "uniform": 1, "expert": 2, "base": 3}


@dataclass(frozen=True)
class Row:
    """One line of the table. kind: one of ORDER. paired: best minus this row, on test."""

    key: str
    kind: str
    name: str
    search: Score | None
    select: Score | None
    test: Score | None
    paired: Difference | None


@dataclass(frozen=True)
class Headline:
    """label: score rest; claims, the first of which matters most."""

    label: str
    score: str
    rest: str
    claims: tuple[str, ...]

    @property
    def sentence(self) -> str:
        return "; ".join((f"{self.label}: {self.score} {self.rest}", *self.claims[:1])) + "."


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


def find_best(journal: Journal, summary: Summary) -> Best | None:
    """The summary's best; in an unfinished run the highest (mean over objectives) on the search split so far."""
    if summary.best:
        return replace(summary.best, coefficients=with_group_names(summary.best.coefficients, journal))
    scored = [line for line in journal.evaluations if line.status == "ok" and line.scores]
    if not scored:
        return None
    line = max(scored, key=lambda line: sum(line.scores.values()))
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
    rows = [
        _row(key, kind_of(key), _row_name(key, summary), scores, objective, summary)
        for key, scores in baselines.items()
    ]
    if best:
        searched = "Composed expert" if summary.best else "Best so far"
        name = searched if best.source == "search" else f"Best: {baseline_name(best.source)}"
        rows.append(_row(best.id, "best", name, best.scores, objective))
    return tuple(sorted(rows, key=lambda row: (ORDER.get(row.kind, len(ORDER)), -_rank(row))))


def best_single(rows: tuple[Row, ...]) -> Row | None:
    """The single expert that is best on test (before the test: on search), the strongest that could be chosen."""
    return next((row for row in rows if row.kind == "expert"), None)


def best_baseline(rows: tuple[Row, ...], source: str) -> Row | None:
    """The baseline that is best on test, though nobody could have known it; never the one that is the best itself."""
    others = [row for row in rows if row.kind != "best" and row.test and row.key not in (source, kind_of(source))]
    return max(others, key=_rank, default=None)


def headline(label: str, rows: tuple[Row, ...], unit: Unit, source: str) -> Headline | None:
    """None while the best has not been scored on test. Nothing is claimed against the baseline that is the best."""
    best, single = next((row for row in rows if row.kind == "best"), None), best_single(rows)
    if best is None or best.test is None:
        return None
    claims = []
    for row in rows:
        is_best = row.key in (source, kind_of(source))
        if row.paired and not is_best and (row.kind != "expert" or row is single):
            than = f"the best single expert “{row.key.partition(':')[2]}”" if row is single else baseline_name(row.key)
            claims.append(claim(unit, than, row.paired))
    return Headline(label, unit.score(best.test.mean), scored_on(unit, best.test), tuple(claims))


def optimism(objective: str, best: Best, summary: Summary) -> float:
    """How much search flattered the best: the summary's figure, else search minus test; NaN if unknown."""
    if objective in summary.optimism:
        return summary.optimism[objective]
    search, test = (best.scores.get(split, {}).get(objective) for split in ("search", "test"))
    return search.mean - test.mean if search and test else math.nan


def _rank(row: Row) -> float:
    score = row.test or row.search
    return score.mean if score else -math.inf


def _row(key: str, kind: str, name: str, scores: Scores, objective: str, summary: Summary | None = None) -> Row:
    search, select, test = (scores.get(split, {}).get(objective) for split in SPLITS)
    paired = summary.paired.get(key, {}).get(objective) if summary else None
    return Row(key, kind, name, search, select, test, paired)


def _row_name(key: str, summary: Summary) -> str:
    if key == "uniform" and math.isfinite(summary.uniform_coefficient):
        return f"Uniform average, each {summary.uniform_coefficient:.3g}"
    return capital(baseline_name(key).removeprefix("the "))


def _without_interval(line: EvaluationLine) -> Mapping[str, Score]:
    return {
        name: Score(mean, math.nan, math.nan, len(line.examples.get(name, ()))) for name, mean in line.scores.items()
    }

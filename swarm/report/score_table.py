"""How good the best is: its scores beside the baselines', and what may be claimed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain

from swarm.journal.records import ScoredRecord
from swarm.journal.summary import SPLITS, Best, SplitScores, Summary
from swarm.preferences.weighted_sum import utility
from swarm.report.coefficients import baseline_at, of_position
from swarm.report.read_journal import Journal
from swarm.report.words import Unit, baseline_name, capital, claim, scored_on, uniform_name, unit_of
from swarm.statistics.intervals import Difference, Score
from swarm.statistics.verdict import Verdict

ORDER = {"best": 0, "uniform": 1, "expert": 2, "base": 3}
NOTHING = "No improvement demonstrated"
ALONE = "these intervals are not corrected for the number of comparisons"


@dataclass(frozen=True)
class Row:
    """One row of the table.

    kind: one of ORDER.
    gain: best minus this row on test; None for the best itself.
    corrected: whether the interval of the gain holds for all rows together.
    """

    key: str
    kind: str
    name: str
    search: Score | None
    select: Score | None
    test: Score | None
    gain: Difference | None = None
    corrected: bool = True


@dataclass(frozen=True)
class Headline:
    """The first lines of the report: the comparison, the other baselines, then "label: score rest".

    comparison: the best against the strongest baseline; that no improvement is demonstrated, where that is so.
    claims: against the best single expert, uniform weights and the base, but for the strongest; never more than the
        verdict.
    """

    comparison: str
    claims: tuple[str, ...]
    label: str
    score: str
    rest: str


def kind_of(key: str) -> str:
    """ "expert:reverse" -> "expert", "uniform:0.25" -> "uniform"."""
    return key.partition(":")[0]


def units(journal: Journal) -> dict[str, Unit]:
    """objective -> how its scores are said, by all scores in the journal."""
    lines = journal.scored
    return {
        name: unit_of(
            {
                *chain.from_iterable({line.examples.extremes(name) for line in lines}),
                *(line.scores[name] for line in lines if name in line.scores),
            }
        )
        for name in journal.objectives
    }


def find_best(journal: Journal, summary: Summary | None, weights: Mapping[str, float]) -> Best | None:
    """The summary's best; in an unfinished run the highest (by the objectives' weights) on the search split so far."""
    if summary:
        return summary.best
    scored = [line for line in journal.searched if line.status == "ok" and line.scores]
    if not scored:
        return None
    line = max(scored, key=lambda line: utility(line.scores, weights))
    return Best(id=line.id, coefficients=of_position(line.position, journal), search=_without_interval(line))


def find_baselines(
    journal: Journal, summary: Summary | None, weights: Mapping[str, float]
) -> Mapping[str, SplitScores]:
    """The summary's baselines; in an unfinished run those that the journal has, without intervals."""
    if summary:
        return {name: baseline.scores for name, baseline in summary.baselines.items()}
    found: dict[str, dict[str, Mapping[str, Score]]] = {}
    if not journal.selects:
        found = {key: {"search": _without_interval(line)} for key, line in _met(journal, weights).items()}
    for line in journal.selects:
        if kind_of(line.id) in ORDER:
            found.setdefault(line.id, {})[line.split] = _without_interval(line)
    return found


def _met(journal: Journal, weights: Mapping[str, float]) -> Mapping[str, ScoredRecord]:
    """The baselines that the search has scored by now; of the uniform weights the best."""
    lines = [line for line in journal.searched if line.status == "ok" and line.scores]
    met = {key: line for line in lines if (key := baseline_at(line.position, journal))}
    uniforms = [key for key in met if kind_of(key) == "uniform"]
    top = max(uniforms, key=lambda key: utility(met[key].scores, weights), default="")
    return {key: line for key, line in met.items() if key == top or key not in uniforms}


def table(
    objective: str, best: Best | None, baselines: Mapping[str, SplitScores], summary: Summary | None
) -> tuple[Row, ...]:
    """The best, then uniform weights, single experts (the better on test first) and the base."""
    rows = []
    for key, scores in baselines.items():
        row = _row(key, kind_of(key), _row_name(key, summary), scores, objective)
        gain = (summary.paired.get(key) or {}).get(objective) if summary and not is_source(key, best) else None
        rows.append(replace(row, gain=gain.shown, corrected=gain.corrected is not None) if gain else row)
    if best:
        searched = "Composed expert" if summary else "Best so far"
        name = searched if best.source == "search" else f"Best: {baseline_name(best.source)}"
        rows.append(_row(best.id, "best", name, best.scores, objective))
    return tuple(sorted(rows, key=lambda row: (ORDER.get(row.kind, len(ORDER)), -_rank(row))))


def best_single(rows: tuple[Row, ...]) -> Row | None:
    """The single expert that is best on test, or on search before the test."""
    return next((row for row in rows if row.kind == "expert"), None)


def best_baseline(rows: tuple[Row, ...], best: Best | None) -> Row | None:
    """The baseline that is best on test, with hindsight; never the one that is the best itself."""
    others = [row for row in rows if row.kind != "best" and row.test and not is_source(row.key, best)]
    return max(others, key=_rank, default=None)


def headline(
    title: str, label: str, rows: tuple[Row, ...], unit: Unit, best: Best | None, verdict: Verdict | None
) -> Headline | None:
    """None while the best has not been scored on test. Without a verdict, the intervals decide.

    title: what the best is called. label: ", maths" where there are several objectives.
    """
    ours, single = next((row for row in rows if row.kind == "best"), None), best_single(rows)
    if best is None or ours is None or ours.test is None:
        return None
    others = [single, *(row for row in rows if row.kind in ("uniform", "base"))]
    said = best_baseline(rows, best) if best.source == "search" else None  # in the comparison
    claims = [claim(unit, _than(row), row.gain) for row in others if row and row.gain and row is not said]
    gains = [row.gain for row in rows if row.gain]
    if gains and not are_corrected(rows):
        claims.append(ALONE)
    is_better = verdict.found if verdict else bool(gains) and all(gain.low > 0 for gain in gains)
    found = _comparison(rows, unit, best) if is_better else f"{NOTHING}: {_comparison(rows, unit, best)}"
    score, rest = unit.score(ours.test.mean), scored_on(unit, ours.test)
    return Headline(found + label, tuple(claims), title + label, score, rest)


def _than(row: Row) -> str:
    """ "the best single expert “maths”"; of the experts only the best is compared in words."""
    return f"the best single expert “{row.key.partition(':')[2]}”" if row.kind == "expert" else baseline_name(row.key)


def _comparison(rows: tuple[Row, ...], unit: Unit, best: Best) -> str:
    """ "81.3 % against 40.2 % of the best baseline (expert maths), +41.1 points, 95 % interval 37.0 to 45.2"."""
    score = next(unit.score(row.test.mean) for row in rows if row.kind == "best" and row.test)
    other = best_baseline(rows, best)
    if best.source != "search":
        return f"the result is {baseline_name(best.source)}, with {score} on test"
    if other is None or other.test is None or other.gain is None:
        return f"{score} on test, and no baseline has a score there"
    against = f"{score} against {unit.score(other.test.mean)} of the best baseline ({baseline_name(other.key)})"
    points = " points" if unit.percent else ""
    interval = unit.interval(other.gain.low, other.gain.high)
    return f"{against}, {unit.change(other.gain.difference)}{points}, 95 % interval {interval}"


def are_corrected(rows: tuple[Row, ...]) -> bool:
    """Whether the gains' intervals hold for all baselines together."""
    return all(row.corrected for row in rows if row.gain)


def is_source(key: str, best: Best | None) -> bool:
    """Whether this baseline is the best itself."""
    return best is not None and key in (best.source, kind_of(best.source))


def generalisation_gap(objective: str, best: Best, summary: Summary | None) -> float:
    """Search minus test; NaN where one is unknown. The summary's is of the utility, so of a single objective."""
    if summary and summary.optimism is not None and len(summary.objectives) == 1:
        return summary.optimism
    search, test = (best.scores.get(split, {}).get(objective) for split in ("search", "test"))
    return search.mean - test.mean if search and test else math.nan


def _rank(row: Row) -> float:
    score = row.test or row.search
    return score.mean if score else -math.inf


def _row(key: str, kind: str, name: str, scores: SplitScores, objective: str) -> Row:
    search, select, test = (scores.get(split, {}).get(objective) for split in SPLITS)
    return Row(key, kind, name, search, select, test)


def _row_name(key: str, summary: Summary | None) -> str:
    coefficient = summary.baselines[key].coefficient if summary and key == "uniform" else None
    if coefficient is not None:
        return capital(uniform_name(coefficient))
    kind, _, scale = key.partition(":")
    if kind == "uniform" and scale:
        return f"Uniform weights, {scale} each"
    return capital(baseline_name(key).removeprefix("the "))


def _without_interval(line: ScoredRecord) -> Mapping[str, Score]:
    return {
        name: Score(mean, math.nan, math.nan, len(line.examples.get(name, ()))) for name, mean in line.scores.items()
    }

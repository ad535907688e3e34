"""How the search went: every candidate's score by iteration, the best so far, each iteration's median and quartiles."""

import math
from dataclasses import dataclass

import numpy as np

from swarm.journal.records import EvaluationRecord
from swarm.report.read_journal import Journal

LEAST = 4  # of fewer candidates quartiles say nothing


@dataclass(frozen=True)
class Population:
    """One iteration's scores: median, quartiles and 10th percentile. at: the middle of its column."""

    at: float
    median: float
    low: float
    high: float
    tenth: float


@dataclass(frozen=True)
class SearchCurve:
    """One objective's search. points and best: (where, score); failed: where.

    Iteration i is the column from i to i + 1; its candidates stand side by side in it, in the journal's order.
    total: evaluations made. populations: of iterations with at least LEAST scores.
    """

    total: int
    iterations: int
    points: tuple[tuple[float, float], ...]
    best: tuple[tuple[float, float], ...]
    populations: tuple[Population, ...]
    failed: tuple[float, ...]


def search_curve(journal: Journal, objective: str) -> SearchCurve:
    """Repeats of a scored position cost nothing and do not count as evaluations; they are of the population.

    A stopped candidate stands at the mean of its first examples; it is never the best.
    """
    top = -math.inf
    points, best, failed = [], [], []
    columns = _columns(journal)
    for iteration, lines in columns.items():
        for k, line in enumerate(lines):
            at, score = iteration + (k + 0.5) / len(lines), line.scores.get(objective, math.nan)
            if line.status == "failed" or math.isnan(score):
                failed.append(at)
                continue
            points.append((at, score))
            if line.status == "ok" and score > top:
                top = score
                best.append((at, score))
    return SearchCurve(
        total=sum(not line.repeated for line in journal.evaluations),
        iterations=1 + max(columns, default=0),
        points=tuple(points),
        best=tuple(best),
        populations=_populations(points),
        failed=tuple(failed),
    )


def _columns(journal: Journal) -> dict[int, list[EvaluationRecord]]:
    columns: dict[int, list[EvaluationRecord]] = {}
    for line in journal.evaluations:
        columns.setdefault(line.iteration or 0, []).append(line)
    return dict(sorted(columns.items()))


def _populations(points: list[tuple[float, float]]) -> tuple[Population, ...]:
    columns: dict[int, list[float]] = {}
    for at, score in points:
        columns.setdefault(int(at), []).append(score)
    found = []
    for iteration, scores in columns.items():
        if len(scores) < LEAST:
            continue
        tenth, low, median, high = (float(q) for q in np.percentile(scores, [10, 25, 50, 75]))
        found.append(Population(iteration + 0.5, median, low, high, tenth))
    return tuple(found)


@dataclass(frozen=True)
class CostModel:
    """What the run took. attempts: those that failed; unscored: candidates that never got a score."""

    evaluations: int
    repeated: int
    stopped: int
    unscored: int
    attempts: int
    examples: int
    tokens: int
    workers: int
    total_seconds: float
    parts: tuple[tuple[str, float], ...]
    has_idle: bool  # whether idle time is known, and so the parts are all there is


def costs(journal: Journal, counts: dict[str, int], seconds: dict[str, float]) -> CostModel:
    """The summary's counts and seconds where it has them, the journal's otherwise."""
    lines = journal.evaluations
    made = [line for line in lines if not line.repeated]
    known = {"compose": _total(made, "compose_seconds"), "forward": _total(made, "forward_seconds")} | seconds
    return CostModel(
        evaluations=counts.get("evaluations", len(made)),
        repeated=len(lines) - len(made),
        stopped=sum(line.status == "stopped" for line in lines),
        unscored=sum(line.status == "failed" for line in lines),
        attempts=sum(trouble.times for trouble in troubles(journal)),
        examples=counts.get("example_evaluations", sum(line.n_examples for line in made)),
        tokens=counts.get("tokens", sum(line.tokens for line in made)),
        workers=len({line.worker for line in made if line.worker}),
        total_seconds=seconds.get("total", journal.elapsed),
        parts=tuple((part, known[part]) for part in ("forward", "compose", "idle", "other") if known.get(part, 0) > 0),
        has_idle="idle" in seconds,
    )


def _total(lines: list[EvaluationRecord], name: str) -> float:
    return float(sum(getattr(line, name) for line in lines))


@dataclass(frozen=True)
class Trouble:
    """One error and everything it hit."""

    error: str
    times: int
    ids: tuple[str, ...]
    workers: tuple[str, ...]


def troubles(journal: Journal) -> tuple[Trouble, ...]:
    """Failed attempts by their error, the most frequent first. A candidate's last one is its failed evaluation."""
    hits = [(failure.error, failure.id, failure.worker) for failure in journal.failures]
    hits += [(s.error, s.id, s.worker) for s in journal.scored if s.status == "failed" and not s.repeated]
    groups: dict[str, list[tuple[str, str]]] = {}
    for error, id, worker in hits:
        groups.setdefault(error, []).append((id, worker))
    found = [
        Trouble(error, len(who), tuple(dict.fromkeys(id for id, _ in who)), tuple(sorted({w for _, w in who if w})))
        for error, who in groups.items()
    ]
    return tuple(sorted(found, key=lambda trouble: -trouble.times))

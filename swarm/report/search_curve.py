"""The search by iteration (scores, best so far, median and quartiles), its cost, and its failures."""

import math
from dataclasses import dataclass

import numpy as np

from swarm.journal.records import EvaluationRecord
from swarm.journal.summary import RunSeconds, Summary
from swarm.report.read_journal import Journal

LEAST = 4  # scores: the fewest that quartiles are drawn for


@dataclass(frozen=True)
class Population:
    """The scores of one iteration.

    at: the middle of its column.
    low, high: the quartiles.
    tenth: the 10th percentile.
    """

    at: float
    median: float
    low: float
    high: float
    tenth: float


@dataclass(frozen=True)
class SearchCurve:
    """The search in one objective.

    Iteration i is the column from i to i + 1; its candidates are side by side in it, in the journal's order.

    total: evaluations, without repeats.
    points, best: (place, score) of every candidate, and of every new best.
    populations: the iterations with at least LEAST scores.
    failed: the places of candidates without a score.
    """

    total: int
    iterations: int
    points: tuple[tuple[float, float], ...]
    best: tuple[tuple[float, float], ...]
    populations: tuple[Population, ...]
    failed: tuple[float, ...]


def search_curve(journal: Journal, objective: str) -> SearchCurve:
    """Repeats of a scored position cost nothing and are not counted as evaluations; they belong to the population.

    A stopped candidate is shown at the mean of its first examples; it is never the best.
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
    by_size: dict[int, list[int]] = {}
    for iteration, scores in columns.items():
        if len(scores) >= LEAST:
            by_size.setdefault(len(scores), []).append(iteration)
    found: dict[int, Population] = {}
    for alike in by_size.values():  # together, as a long search has tens of thousands of iterations
        quantiles = np.percentile([columns[iteration] for iteration in alike], [10, 25, 50, 75], axis=1)
        for iteration, (tenth, low, median, high) in zip(alike, quantiles.T.tolist(), strict=True):
            found[iteration] = Population(iteration + 0.5, median, low, high, tenth)
    return tuple(found[iteration] for iteration in columns if iteration in found)


@dataclass(frozen=True)
class CostModel:
    """What the run cost.

    repeated: candidates at a position that was scored before.
    stopped: evaluations that racing stopped.
    unscored: candidates that never got a score.
    attempts: failed attempts.
    parts: what the time went to, in seconds; parts without any are left out.
    has_idle: whether idle time is known, so that the parts add up to the total.
    """

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
    has_idle: bool


def costs(journal: Journal, summary: Summary | None) -> CostModel:
    """The counts and seconds of the summary, which include selection and test; without one, those of the search."""
    lines = journal.evaluations
    made = [line for line in lines if not line.repeated]
    counts, seconds = (summary.counts, summary.seconds) if summary else (None, None)
    return CostModel(
        evaluations=counts.evaluations if counts else len(made),
        repeated=len(lines) - len(made),
        stopped=sum(line.status == "stopped" for line in lines),
        unscored=sum(line.status == "failed" for line in lines),
        attempts=sum(trouble.times for trouble in troubles(journal)),
        examples=counts.example_evaluations if counts else sum(line.n_examples for line in made),
        tokens=counts.tokens if counts else sum(line.tokens for line in made),
        workers=len({line.worker for line in made if line.worker}),
        total_seconds=seconds.total if seconds else journal.elapsed,
        parts=tuple((part, size) for part, size in _parts(made, seconds).items() if size > 0),
        has_idle=seconds is not None,
    )


def _parts(made: list[EvaluationRecord], seconds: RunSeconds | None) -> dict[str, float]:
    """Seconds of an average worker by what it did; without a summary, those of all workers, idle time unknown."""
    if seconds:
        return {
            "forward": seconds.forward,
            "compose": seconds.compose,
            "idle": seconds.idle,
            "other": seconds.other,
        }
    return {
        "forward": sum(line.forward_seconds for line in made),
        "compose": sum(line.compose_seconds for line in made),
    }


@dataclass(frozen=True)
class Trouble:
    """One error with the candidates and workers that it occurred on."""

    error: str
    times: int
    ids: tuple[str, ...]
    workers: tuple[str, ...]


def troubles(journal: Journal) -> tuple[Trouble, ...]:
    """Failed attempts by error, the most frequent first. The last attempt at a candidate is its failed evaluation."""
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

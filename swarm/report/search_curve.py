"""The search over its evaluations (scores, best so far, median and quartiles), its cost, and its failures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from swarm.journal.records import EvaluationRecord
from swarm.journal.summary import RunSeconds, Summary
from swarm.report.read_journal import Journal

MOST = 100  # populations: more would be a thicket
LEAST = 4  # scores: the fewest that quartiles are drawn for


@dataclass(frozen=True)
class Population:
    """The scores of one iteration, or of several, one after another, where there are very many.

    at: the middle of its candidates.
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
    """The search in one objective, over its evaluations in the journal's order.

    A candidate's place is how many evaluations there were with it; a repeat is at the place of the one before it.

    total: evaluations, without repeats.
    known: how many of them, the first ones, another run had made before this one continued it.
    soft: whether the optimizer climbed smoothed scores.
    points, best: (place, score) of every candidate, and of every new best.
    populations: the iterations with at least LEAST scores.
    pooled: how many iterations each population has.
    failed: the places of candidates without a score.
    """

    total: int
    iterations: int
    points: tuple[tuple[float, float], ...]
    best: tuple[tuple[float, float], ...]
    populations: tuple[Population, ...]
    failed: tuple[float, ...]
    known: int = 0
    soft: bool = False
    pooled: int = 1

    @property
    def start(self) -> float:
        """The best score that was known before, or the first one."""
        return [score for at, score in self.best if at <= self.known or at == self.best[0][0]][-1]


def search_curve(journal: Journal, objective: str, soft: bool = False) -> SearchCurve:
    """Repeats of a scored position cost nothing and are not counted as evaluations; they belong to the population.

    A stopped candidate is shown at the mean of its first examples; it is never the best.

    soft: whether the optimizer climbs smoothed scores where there are any.
    """
    top, at = -math.inf, 0
    points, best, failed = [], [], []
    columns: dict[int, list[tuple[float, float]]] = {}
    iterations = 1 + max((line.iteration or 0 for line in journal.evaluations), default=0)
    pooled = math.ceil(iterations / MOST)
    known = len(journal.known)
    for i, line in enumerate(journal.searched):
        at += not line.same_as
        score = line.scores.get(objective, math.nan)
        if line.status == "failed" or math.isnan(score):
            failed.append(float(at))
            continue
        points.append((float(at), score))
        if i >= known:  # the iterations of the other run are not known
            columns.setdefault((line.iteration or 0) // pooled, []).append((float(at), score))
        if line.status == "ok" and score > top:
            top = score
            best.append((float(at), score))
    return SearchCurve(
        total=at,
        iterations=iterations,
        points=tuple(points),
        best=tuple(best),
        populations=_populations([*columns.values()]),
        failed=tuple(failed),
        known=len(journal.known),
        pooled=pooled,
        soft=soft and any(line.soft for line in journal.evaluations),
    )


def _populations(columns: Sequence[Sequence[tuple[float, float]]]) -> tuple[Population, ...]:
    by_size: dict[int, list[int]] = {}
    for i, column in enumerate(columns):
        if len(column) >= LEAST:
            by_size.setdefault(len(column), []).append(i)
    found: dict[int, Population] = {}
    for alike in by_size.values():  # together, as a long search has tens of thousands of iterations
        places, scores = np.moveaxis(np.array([columns[i] for i in alike]), 2, 0)
        quantiles = np.percentile(scores, [10, 25, 50, 75], axis=1)
        rows = zip(alike, places.mean(axis=1).tolist(), quantiles.T.tolist(), strict=True)
        for i, at, (tenth, low, median, high) in rows:
            found[i] = Population(at, median, low, high, tenth)
    return tuple(found[i] for i in sorted(found))


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
        start = min(_start(made), seconds.idle)
        return {
            "start": start,
            "forward": seconds.forward,
            "compose": seconds.compose,
            "idle": seconds.idle - start,
            "other": seconds.other,
        }
    return {
        "forward": sum(line.forward_seconds for line in made),
        "compose": sum(line.compose_seconds for line in made),
    }


def _start(made: list[EvaluationRecord]) -> float:
    """When the first evaluation began: until then, workers and models were starting."""
    return max(0.0, min((line.elapsed - line.seconds for line in made), default=0.0))


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

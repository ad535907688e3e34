"""How the search went: best so far, and the population's mean and spread, against evaluations."""

import math
from dataclasses import dataclass

import numpy as np

from swarm.lines import EvaluationLine
from swarm.report.journal import Journal


@dataclass(frozen=True)
class Population:
    """One iteration: its mean and 10th and 90th percentile once `at` evaluations were made."""

    at: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Course:
    """One objective's search. points and best: (evaluations made, score); failed: evaluations made."""

    total: int
    points: tuple[tuple[int, float], ...]
    best: tuple[tuple[int, float], ...]
    populations: tuple[Population, ...]
    failed: tuple[int, ...]


def course(journal: Journal, objective: str) -> Course:
    """Repeats of a scored position cost nothing and do not count as evaluations; they are of the population.

    A stopped candidate stands at the mean of its first examples; it is never the best.
    """
    made, top = 0, -math.inf
    points, best, failed = [], [], []
    iterations: dict[int, list[tuple[int, float]]] = {}
    for line in journal.evaluations:
        made += not line.repeated
        score = line.scores.get(objective, math.nan)
        if line.status == "failed" or math.isnan(score):
            failed.append(made)
            continue
        points.append((made, score))
        if line.iteration is not None:
            iterations.setdefault(line.iteration, []).append((made, score))
        if line.status == "ok" and score > top:
            top = score
            best.append((made, score))
    populations = tuple(_population(scored) for _, scored in sorted(iterations.items()))
    return Course(made, tuple(points), tuple(best), populations, tuple(failed))


def _population(scored: list[tuple[int, float]]) -> Population:
    scores = np.array([score for _, score in scored])
    low, high = np.percentile(scores, [10, 90])
    return Population(max(at for at, _ in scored), float(scores.mean()), float(low), float(high))


@dataclass(frozen=True)
class Costs:
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


def costs(journal: Journal, counts: dict[str, int], seconds: dict[str, float]) -> Costs:
    """The summary's counts and seconds where it has them, the journal's otherwise."""
    lines = journal.evaluations
    made = [line for line in lines if not line.repeated]
    known = {"compose": _total(made, "compose_seconds"), "forward": _total(made, "forward_seconds")} | seconds
    return Costs(
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


def _total(lines: list[EvaluationLine], name: str) -> float:
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

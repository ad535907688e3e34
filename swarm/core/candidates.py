"""Candidates: what is to be scored, what their scores can change, and the evaluations that come back."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from swarm.core.examples import Split
from swarm.core.requests import Method


@dataclass(frozen=True)
class Candidate:
    """A position to be scored.

    id: "iteration-particle", or the name of a baseline.
    position: one coefficient per coordinate of the space.
    iteration, particle: who asked for it; None for a baseline.
    """

    id: str
    position: tuple[float, ...]
    iteration: int | None = None
    particle: int | None = None

    @property
    def age(self) -> tuple[int, int]:
        """Decides between equals: the lower one is better. Which one was scored first depends on the workers."""
        return self.iteration or 0, self.particle or 0


def distinct_positions(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The first candidate of each position."""
    by_position: dict[tuple[float, ...], Candidate] = {}
    for candidate in candidates:
        by_position.setdefault(candidate.position, candidate)
    return list(by_position.values())


@dataclass(frozen=True)
class Incumbent:
    """A candidate that others are compared with, scored in full on the search split.

    scores: objective -> one score per example, in the split's order.
    surrogates: objective -> one surrogate score per example, in the split's order.
    """

    scores: Mapping[str, tuple[float, ...]]
    surrogates: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class PruningBounds:
    """Which utilities of a candidate change nothing, so that a race may stop once no other is possible.

    low, high: a utility from `low` to `high` changes nothing. By default the interval is empty: scored in full.
    personal: the personal best of the candidate's particle, for a sequential test; None where it has none.
    best: the global best, for a sequential test; None where none is made.
    worst: the lowest utility of the swarm, for a sequential test; None where it changes nothing.
    expected: objective -> the mean score to expect, which decides at which rungs a stop is likely.
    """

    low: float = math.inf
    high: float = -math.inf
    personal: Incumbent | None = None
    best: Incumbent | None = None
    worst: float | None = None
    expected: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """A candidate to be scored.

    pruning: the utilities for which it need not be scored in full.
    together: how many candidates of its kind an engine scores fastest at a time; 1: one after another.
    split: the examples that it is scored on.
    background: whether it is scored only by workers that have nothing else to do.
    """

    candidate: Candidate
    pruning: PruningBounds = field(default_factory=PruningBounds)
    together: int = 1
    split: Split = "search"
    background: bool = False


@dataclass(frozen=True)
class Evaluation:
    """A candidate with its per-example scores, or the reason it has none. Higher is better.

    candidate: whose scores these are.
    status: "ok" scored in full; "stopped" by a race after the first examples, so that scores, examples and outputs
        are of these alone; "failed" without scores.
    scores: objective -> mean score.
    examples: objective -> one score per example, in the order scored.
    outputs: objective -> the model's output per example.
    tokens: token positions that were computed for it.
    seconds: time that it took a worker, composing and forward passes included.
    compose_seconds: time to put its weights in place.
    forward_seconds: time to answer the requests.
    worker: the name of the worker that scored it.
    error: why it failed, in one line.
    surrogates: objective -> one surrogate score per example, where a sequential test needs them.
    soft: objective -> smoothed accuracy, where all answers have margins.
    margins: objective -> one margin per example, where all answers have them.
    method: how its weights were put in place.
    transient: whether a failure may be the machine's, so that another worker may succeed.
    split: the examples that it was scored on.
    """

    candidate: Candidate
    status: Literal["ok", "failed", "stopped"]
    scores: Mapping[str, float] = field(default_factory=dict)
    examples: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    outputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tokens: int = 0
    seconds: float = 0.0
    compose_seconds: float = 0.0
    forward_seconds: float = 0.0
    worker: str = ""
    error: str = ""
    surrogates: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    soft: Mapping[str, float] = field(default_factory=dict)
    margins: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    method: Method = "merged"
    transient: bool = False
    split: Split = "search"

    @property
    def n_examples(self) -> int:
        return sum(len(scores) for scores in self.examples.values())

"""The nouns that every floor shares: examples, requests, recipes, candidates, tasks, evaluations.

Shape suffixes: E experts, D coordinates, U uniform averages.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from swarm.core.requests import Method


@dataclass(frozen=True)
class Candidate:
    """A position to be scored. `id` is "iteration-particle", or a baseline's name."""

    id: str
    position: tuple[float, ...]
    iteration: int | None = None
    particle: int | None = None

    @property
    def age(self) -> tuple[int, int]:
        """Of equals the one with the lower age is better, whichever was scored first: that depends on the workers."""
        return self.iteration or 0, self.particle or 0


@dataclass(frozen=True)
class Incumbent:
    """Another candidate's per-example scores and guides on the search split, by objective, in the split's order."""

    scores: Mapping[str, tuple[float, ...]]
    guides: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class PruningBounds:
    """What a candidate's utility can change.

    A utility u with low <= u <= high changes nothing: a race may stop where no other is left. The default interval
    is empty: scored in full. expected: objective -> mean score of the last generation. personal, best, worst: the
    personal and the global best and the worst utility, for a sequential test.
    """

    low: float = math.inf
    high: float = -math.inf
    personal: Incumbent | None = None
    best: Incumbent | None = None
    worst: float | None = None
    expected: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """A candidate to be scored, and what its score is worth."""

    candidate: Candidate
    pruning: PruningBounds = field(default_factory=PruningBounds)


@dataclass(frozen=True)
class Evaluation:
    """A candidate with its per-example scores, or the reason it has none. Higher is better.

    scores: objective -> mean. examples: objective -> one score for each example, in the order scored.
    outputs: objective -> what the model said, beside each score. guides: objective -> a smooth value beside each
    score, for a sequential test. soft: objective -> the mean of the softened scores, where answers have margins. A
    "stopped" one holds the first examples alone. transient: it failed by the machine's doing, perhaps, and not by the
    candidate's.
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
    guides: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    soft: Mapping[str, float] = field(default_factory=dict)
    method: Method = "merged"
    transient: bool = False

    @property
    def n_examples(self) -> int:
        return sum(len(scores) for scores in self.examples.values())

"""The nouns that every floor shares: examples, requests, recipes, candidates, tasks, evaluations.

Shape suffixes: E experts, D coordinates, U uniform averages.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Split = Literal["search", "select", "test"]
ExpertKind = Literal["adapter", "checkpoint", "vector"]


@dataclass(frozen=True)
class Message:
    """One turn of a chat."""

    role: str
    content: str


Prompt = str | tuple[Message, ...]


@dataclass(frozen=True)
class Example:
    """One labelled example. `answer` is a text, or the key of one of `choices` (key -> text)."""

    id: str
    prompt: Prompt
    answer: str
    choices: Mapping[str, str] | None = None
    task: str = ""
    group: str = ""
    context: str = ""


@dataclass(frozen=True)
class Continuation:
    """Request: the log-likelihood of `text` after `prompt`."""

    prompt: Prompt
    text: str


@dataclass(frozen=True)
class Generation:
    """Request: text after `prompt`; greedy at temperature 0, else sampled from `seed` alone.

    targets: texts that would be right, each with what may stand before it; an engine may answer with a margin.
    """

    prompt: Prompt
    max_new_tokens: int
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    targets: tuple[str, ...] = ()


Request = Continuation | Generation


@dataclass(frozen=True)
class Likelihood:
    """Answer to a Continuation: the sum of its tokens' log-probabilities, in nats."""

    log_likelihood: float
    n_tokens: int


@dataclass(frozen=True)
class Text:
    """Answer to a Generation.

    margin: in logits, by how much the likeliest token that goes on with a target led over every other, where that was
    closest; below zero, by how much it fell short where the text left its targets. None: not known.
    """

    text: str
    n_tokens: int
    margin: float | None = None


Answer = Likelihood | Text


Method = Literal["merged", "stacked", "adapters"]


@dataclass(frozen=True)
class Reply:
    """One recipe's answers, in the order of the requests, and what they cost.

    tokens: positions computed for it. method: how it was put in place: merged into the weights, or beside
    other recipes in one batch, stacked by rows or as adapters of a serving engine.
    """

    answers: tuple[Answer, ...]
    tokens: int
    compose_seconds: float
    forward_seconds: float
    method: Method = "merged"


@dataclass(frozen=True)
class Group:
    """Parameters that share coefficients: those whose name matches one of the shell-style patterns."""

    name: str
    patterns: tuple[str, ...]


@dataclass(frozen=True)
class WeightRecipe:
    """Coefficients on weights: expert -> one coefficient for each group, in the order of `groups`.

    The first group with a matching pattern owns a parameter; the last one's patterns match all.
    """

    algebra: Literal["delta", "factors"]
    groups: tuple[Group, ...]
    coefficients: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class Recipe:
    """What an engine puts in place and what is exported.

    One field for each place where experts can act. Coefficients on logit paths, inserted layers and
    per-input routing are fields beside `weights`.
    """

    weights: WeightRecipe


@dataclass(frozen=True)
class Space:
    """Where a swarm moves: named coordinates, their bounds, and the positions worth starting from.

    low_D, high_D: bounds. experts_ED: each expert alone. neutral_D: the base itself.
    uniforms_UD: the uniform average at several scales.
    """

    coordinates: tuple[str, ...]
    low_D: Array
    high_D: Array
    experts_ED: Array
    neutral_D: Array
    uniforms_UD: Array

    @property
    def dimensions(self) -> int:
        return len(self.coordinates)


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
class Rival:
    """Another candidate's per-example scores and guides on the search split, by objective, in the split's order."""

    scores: Mapping[str, tuple[float, ...]]
    guides: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class Stakes:
    """What a candidate's utility can change.

    A utility u with low <= u <= high changes nothing: a race may stop where no other is left. The default interval
    is empty: scored in full. expected: objective -> mean score of the last generation. personal, best, worst: the
    personal and the global best and the worst utility, for a sequential test.
    """

    low: float = math.inf
    high: float = -math.inf
    personal: Rival | None = None
    best: Rival | None = None
    worst: float | None = None
    expected: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """A candidate to be scored, and what its score is worth."""

    candidate: Candidate
    stakes: Stakes = field(default_factory=Stakes)


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

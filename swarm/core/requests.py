"""What an engine is asked, and what it answers."""

from dataclasses import dataclass
from typing import Literal

from swarm.core.examples import Prompt


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

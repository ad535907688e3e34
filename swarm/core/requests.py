"""Requests to an engine, and its answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from swarm.core.examples import Prompt


@dataclass(frozen=True)
class Continuation:
    """Request: the log-likelihood of `text` after `prompt`.

    template_arguments: what the chat template gets beside a chat's messages.
    greedy: whether it is also asked if greedy generation would write the text.
    divergence: whether it is also asked how far the distributions of its tokens are from the base's.
    """

    prompt: Prompt
    text: str
    template_arguments: Mapping[str, object] = field(default_factory=dict, hash=False)
    greedy: bool = False
    divergence: bool = False


@dataclass(frozen=True)
class Generation:
    """Request: text after `prompt`.

    max_new_tokens: tokens at most.
    stop: texts at which it ends.
    temperature: 0 is greedy.
    top_p: the share of probability that is sampled from.
    seed: all randomness of the sampling.
    targets: texts that would be right, in every form that may be written; an engine may answer with a margin over them.
    template_arguments: what the chat template gets beside a chat's messages.
    """

    prompt: Prompt
    max_new_tokens: int
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    targets: tuple[str, ...] = ()
    template_arguments: Mapping[str, object] = field(default_factory=dict, hash=False)


Request = Continuation | Generation


@dataclass(frozen=True)
class Likelihood:
    """Answer to a Continuation: the sum of its tokens' log-probabilities, in nats.

    greedy: whether each of its tokens is the likeliest; None where that was not asked.
    divergence: KL(base || candidate) of the next token, in nats, mean over its tokens; None where that was not asked.
    """

    log_likelihood: float
    n_tokens: int
    greedy: bool | None = None
    divergence: float | None = None


@dataclass(frozen=True)
class Text:
    """Answer to a Generation.

    text: what was written.
    n_tokens: its length.
    margin: in logits, the lead of the likeliest token that continues a target over all others, at the token where it
        was smallest; below zero, the shortfall at the token where the text left its targets. None: not known.
    """

    text: str
    n_tokens: int
    margin: float | None = None


Answer = Likelihood | Text


Method = Literal["merged", "stacked", "adapters", "logits"]


@dataclass(frozen=True)
class Reply:
    """One recipe's answers, and what they cost.

    answers: in the order of the requests.
    tokens: token positions that were computed for it.
    compose_seconds: time to put its weights in place.
    forward_seconds: time to answer the requests.
    method: how its weights were put in place: merged into the base's, or in one batch with other recipes, either
        stacked by rows or as adapters of a serving engine; or as a sum of the logits of several models.
    """

    answers: tuple[Answer, ...]
    tokens: int
    compose_seconds: float
    forward_seconds: float
    method: Method = "merged"

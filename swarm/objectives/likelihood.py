"""The mean log-likelihood per token of the right answer: it shows small moves that accuracy does not."""

import math
from collections.abc import Sequence
from typing import Literal

from swarm.core.examples import Example
from swarm.core.requests import Answer, Continuation, Request
from swarm.objectives.base import Scored, likelihoods
from swarm.objectives.prompting import PromptedObjective, answer_text, continue_with


class AnswerLikelihood(PromptedObjective):
    """Score: nats per token, at most 0."""

    type: Literal["likelihood"] = "likelihood"
    metric: Literal["log_likelihood"] = "log_likelihood"

    @property
    def range(self) -> tuple[float, float]:
        return -math.inf, 0.0

    def requests(self, example: Example) -> list[Request]:
        prompt = self.prompt(example)
        return [Continuation(prompt, continue_with(prompt, answer_text(example)), self.template_arguments)]

    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        (found,) = likelihoods(answers, 1)
        return Scored(
            found.log_likelihood / found.n_tokens, f"{found.log_likelihood:.3f} nats in {found.n_tokens} tokens"
        )

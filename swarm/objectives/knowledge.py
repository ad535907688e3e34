"""What a candidate has kept of the base's knowledge: how near its next-token distributions are to the base's.

KL(base || candidate), mean over the tokens of a probe text: the forward KL of what the base believes, which grows where
the candidate gives little probability to what the base holds likely. (The penalty of RLHF is the reverse one.)
"""

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

from swarm.core.examples import Example
from swarm.core.requests import Answer, Continuation, Request
from swarm.objectives.base import Scored, likelihoods
from swarm.objectives.prompting import PromptedObjective, answer_text, continue_with


class Knowledge(PromptedObjective):
    """One continuation, the example's answer, at whose tokens candidate and base are compared. Engine: transformers.

    Score: -KL(base || candidate) in nats a token: 0 for the base itself, else below. The base's 128 likeliest tokens
    are told apart at each position, all others count together, so that the divergence is never overstated.
    """

    type: Literal["knowledge"] = "knowledge"
    metric: Literal["kl"] = "kl"
    compares_with_base: ClassVar[bool] = True

    @property
    def range(self) -> tuple[float, float]:
        return -math.inf, 0.0

    def requests(self, example: Example) -> list[Request]:
        prompt = self.prompt(example)
        text = continue_with(prompt, answer_text(example))
        return [Continuation(prompt, text, self.template_arguments, divergence=True)]

    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        (found,) = likelihoods(answers, 1)
        assert found.divergence is not None, "asked for in the request"
        return Scored(0.0 - found.divergence, f"{found.divergence:.4f} nats a token from the base")

    def right(self, example: Example) -> tuple[str, ...]:
        return ("what the base says",)

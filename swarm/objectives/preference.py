"""Whether the model prefers the better of two reference answers: their log-likelihoods after the prompt.

The difference is the log-odds of a choice between the two (Bradley & Terry 1952). It is DPO's implicit reward
(arXiv 2305.18290, equation 5) without the reference model: compare with the base's own score, as reports do.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from swarm.core.examples import Example
from swarm.core.requests import Answer
from swarm.objectives.base import SURROGATE_DIGITS, Scored
from swarm.objectives.choosing import ChoosingObjective, Unit, choices_of


class Preference(ChoosingObjective):
    """Two continuations: the answer that `answer` names and the other one. Data files give them as `chosen` and
    `rejected`, or as two choices.

    Score, of d, the log-likelihood of the chosen answer minus that of the other: 1 where d > 0, else 0; for `margin`, d
    itself (nats, or nats a unit); for `probability`, 1 / (1 + exp(-d)).
    """

    type: Literal["preference"] = "preference"
    metric: Literal["accuracy", "margin", "probability"] = Field(
        "accuracy", description="whether the chosen answer is likelier, by how much, or the probability of choosing it"
    )
    normalise: Unit = Field(
        "tokens", description="what log-likelihoods are divided by: tokens, bytes, characters, or none for their sums"
    )

    @property
    def range(self) -> tuple[float, float]:
        return (-math.inf, math.inf) if self.metric == "margin" else (0.0, 1.0)

    def check(self, example: Example) -> None:
        super().check(example)
        texts = [text.strip() for text in choices_of(example).values()]
        if len(texts) != 2:
            raise self.refusal(example, f"has {len(texts)} choices; give two, as chosen and rejected")
        if texts[0] == texts[1]:
            raise self.refusal(example, "both answers are the same; correct one, or remove the example")

    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        values_C, right = self.values(example, answers)
        margin = float(values_C[right] - values_C[1 - right])
        log_odds = -float(np.logaddexp(0.0, -margin))
        score = {"accuracy": float(margin > 0), "margin": margin, "probability": math.exp(log_odds)}[self.metric]
        said = list(choices_of(example).values())[right if margin > 0 else 1 - right]
        if self.metric == "margin":
            return Scored(score, said)
        surrogate = round(log_odds, SURROGATE_DIGITS)
        return Scored(score, said, surrogate, margin if self.metric == "accuracy" else None)

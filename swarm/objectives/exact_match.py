"""The answer is extracted from the text that the model writes, and must equal the right one: "15" is not "5"."""

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

from swarm.core.examples import Example
from swarm.core.requests import Answer
from swarm.objectives.base import SURROGATE_DIGITS, Scored, generated
from swarm.objectives.extracting import ExtractingObjective
from swarm.objectives.generating import GeneratingObjective


class ExactMatch(ExtractingObjective):
    """Score: 1 or 0. Where an example has choices, the key and the text of the right one both count as right.

    `after_hash`, `boxed` and `last_number` are applied to the example's own `answer` too, which may thus hold a worked
    solution.
    """

    type: Literal["exact_match"] = "exact_match"
    added_later: ClassVar[frozenset[str]] = GeneratingObjective.added_later | {"strip_thinking"}
    metric: Literal["accuracy"] = "accuracy"

    @property
    def range(self) -> tuple[float, float]:
        return 0.0, 1.0

    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        answer = generated(answers)
        right = self._is_right(answer.text, example)
        if answer.margin is None:
            return Scored(float(right), answer.text)
        # A right answer may differ from its targets, and a target may be cut: the score decides the sign.
        margin = abs(answer.margin) if right else -abs(answer.margin)
        surrogate = round(_log_sigmoid(margin), SURROGATE_DIGITS)
        return Scored(float(right), answer.text, surrogate=surrogate, margin=margin)


def _log_sigmoid(margin: float) -> float:
    return min(margin, 0.0) - math.log1p(math.exp(-abs(margin)))

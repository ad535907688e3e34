"""Takes an engine's answers as what they must be: finite likelihoods, or one text."""

import math
from collections.abc import Sequence

from swarm.core.errors import EvaluationError
from swarm.core.requests import Answer, Likelihood, Text


def likelihoods(answers: Sequence[Answer], expected: int) -> list[Likelihood]:
    """`answers` to `expected` continuations. Raises EvaluationError where a model's numbers are not finite."""
    found = [answer for answer in answers if isinstance(answer, Likelihood)]
    assert len(found) == len(answers) == expected, f"{expected} likelihoods asked for, got {answers}"
    for answer in found:
        assert answer.n_tokens > 0, "a continuation has at least one token"
        if not math.isfinite(answer.log_likelihood):
            raise EvaluationError(f"the model's log-likelihood is {answer.log_likelihood}: its weights overflow")
    return found


def written(answers: Sequence[Answer]) -> Text:
    """The one generation that was asked for."""
    (answer,) = answers
    assert isinstance(answer, Text), f"a text was asked for, got {answer}"
    return answer

"""What objectives over choices share: one continuation a choice, and what a choice's log-likelihood is divided by."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from swarm.core.examples import Example
from swarm.core.requests import Answer, Continuation, Likelihood, Request
from swarm.core.space import Array
from swarm.objectives.base import likelihoods
from swarm.objectives.prompting import PromptedObjective, continue_with

Unit = Literal["tokens", "bytes", "characters", "none"]


class ChoosingObjective(PromptedObjective):
    """One continuation per choice, in the order of the choices. Choices are compared by `compared`."""

    normalise: Unit = Field(
        "bytes", description="what a choice's log-likelihood is divided by, so that long choices are not penalised"
    )

    def check(self, example: Example) -> None:
        super().check(example)
        if example.choices is None or len(example.choices) < 2:
            raise self.refusal(example, "has no choices; add at least two, or use exact_match")

    def requests(self, example: Example) -> list[Request]:
        prompt = self.prompt(example)
        texts = [continue_with(prompt, text) for text in choices_of(example).values()]
        return [Continuation(prompt, text, self.template_arguments) for text in texts]

    def found(self, example: Example, answers: Sequence[Answer]) -> str:
        values = self.compared(example, answers)
        return max(values, key=lambda key: values[key])

    def right(self, example: Example) -> tuple[str, ...]:
        return (example.answer,)

    def compared(self, example: Example, answers: Sequence[Answer]) -> dict[str, float]:
        """Key -> the choice's log-likelihood (nats), divided by its length in `normalise`."""
        choices = choices_of(example)
        found = likelihoods(answers, len(choices))
        return {key: divided(each, choices[key], self.normalise) for key, each in zip(choices, found, strict=True)}

    def values(self, example: Example, answers: Sequence[Answer]) -> tuple[Array, int]:
        """What choices are compared by, shape (C,), and the place of the right one."""
        values = self.compared(example, answers)
        return np.array(list(values.values())), list(values).index(example.answer)


def choices_of(example: Example) -> dict[str, str]:
    assert example.choices is not None, "check() refuses examples without choices"
    return dict(example.choices)


def divided(found: Likelihood, text: str, unit: Unit) -> float:
    """The log-likelihood of `text`, divided by its length in this unit."""
    lengths = {"tokens": found.n_tokens, "bytes": len(text.encode()), "characters": len(text), "none": 1}
    return found.log_likelihood / lengths[unit]


def softmax(values_C: Array) -> Array:
    powers_C = np.exp(values_C - values_C.max())
    shares_C: Array = powers_C / powers_C.sum()
    return shares_C


def log_softmax(values_C: Array) -> Array:
    below_C = values_C - values_C.max()
    logs_C: Array = below_C - np.log(np.exp(below_C).sum())
    return logs_C

"""Multiple choice by the log-likelihood of each choice's text, as in lm-eval's `acc`, `acc_norm` and `acc_bytes`."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from swarm.core.examples import Example
from swarm.core.requests import Answer, Continuation, Likelihood, Request
from swarm.core.space import Array
from swarm.objectives.base import SURROGATE_DIGITS, Scored, likelihoods
from swarm.objectives.prompting import PromptedObjective, continue_with

# lm-eval's metrics: accuracy, by what a choice's log-likelihood is divided by.
LM_EVAL = {"acc": "none", "acc_norm": "characters", "acc_bytes": "bytes"}


class MultipleChoice(PromptedObjective):
    """One continuation per choice, in the order of the choices. Of equally likely choices, the first is chosen.

    Score: a probability from 0 to 1 for `probability`; 1 or 0 for all others.
    """

    type: Literal["multiple_choice"] = "multiple_choice"
    metric: Literal["accuracy", "probability", "acc", "acc_norm", "acc_bytes"] = Field(
        "accuracy",
        description="accuracy; the softmax of the normalised log-likelihoods at the right choice; or lm-eval's acc, "
        "acc_norm or acc_bytes, which say what normalise is",
    )
    normalise: Literal["tokens", "bytes", "characters", "none"] = Field(
        "bytes", description="what a choice's log-likelihood is divided by, so that long choices are not penalised"
    )

    @model_validator(mode="before")
    @classmethod
    def _as_in_lm_eval(cls, settings: object) -> object:
        """`acc_norm` divides by characters, whatever the default of `normalise` is."""
        metric = settings.get("metric") if isinstance(settings, Mapping) else None
        if not isinstance(settings, Mapping) or not isinstance(metric, str) or metric not in LM_EVAL:
            return settings
        normalise = settings.get("normalise", LM_EVAL[metric])
        if normalise != LM_EVAL[metric]:
            raise ValueError(
                f"metric: {metric} is lm-eval's, with normalise: {LM_EVAL[metric]}, not {normalise!r}; "
                "remove normalise, or set metric: accuracy"
            )
        return {**settings, "normalise": normalise}

    @property
    def range(self) -> tuple[float, float]:
        return 0.0, 1.0

    def check(self, example: Example) -> None:
        super().check(example)
        if example.choices is None or len(example.choices) < 2:
            raise self.refusal(example, "has no choices; add at least two, or use exact_match")

    def requests(self, example: Example) -> list[Request]:
        prompt = self.prompt(example)
        texts = [continue_with(prompt, text) for text in _choices(example).values()]
        return [Continuation(prompt, text, self.template_arguments) for text in texts]

    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        choices = _choices(example)
        values_C = np.array(list(self.compared(example, answers).values()))
        right = list(choices).index(example.answer)
        chosen = int(np.argmax(values_C))
        score = _softmax(values_C)[right] if self.metric == "probability" else chosen == right
        surrogate = round(float(log_softmax(values_C)[right]), SURROGATE_DIGITS)
        margin = float(values_C[right] - np.delete(values_C, right).max()) if self.metric != "probability" else None
        return Scored(float(score), list(choices.values())[chosen], surrogate, margin)

    def found(self, example: Example, answers: Sequence[Answer]) -> str:
        values = self.compared(example, answers)
        return max(values, key=lambda key: values[key])

    def right(self, example: Example) -> tuple[str, ...]:
        return (example.answer,)

    def compared(self, example: Example, answers: Sequence[Answer]) -> dict[str, float]:
        choices = _choices(example)
        found = likelihoods(answers, len(choices))
        return {key: self._normalised(each, choices[key]) for key, each in zip(choices, found, strict=True)}

    def _normalised(self, found: Likelihood, text: str) -> float:
        lengths = {"tokens": found.n_tokens, "bytes": len(text.encode()), "characters": len(text), "none": 1}
        return found.log_likelihood / lengths[self.normalise]


def _choices(example: Example) -> dict[str, str]:
    assert example.choices is not None, "check() refuses examples without choices"
    return dict(example.choices)


def _softmax(values_C: Array) -> Array:
    powers_C = np.exp(values_C - values_C.max())
    shares_C: Array = powers_C / powers_C.sum()
    return shares_C


def log_softmax(values_C: Array) -> Array:
    below_C = values_C - values_C.max()
    logs_C: Array = below_C - np.log(np.exp(below_C).sum())
    return logs_C

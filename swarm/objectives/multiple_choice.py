"""Multiple choice by the log-likelihood of each choice's text, as in lm-eval's `acc`, `acc_norm` and `acc_bytes`."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from swarm.core.examples import Example
from swarm.core.requests import Answer
from swarm.objectives.base import SURROGATE_DIGITS, Scored
from swarm.objectives.choosing import ChoosingObjective, choices_of, log_softmax, softmax

# lm-eval's metrics: accuracy, by what a choice's log-likelihood is divided by.
LM_EVAL = {"acc": "none", "acc_norm": "characters", "acc_bytes": "bytes"}


class MultipleChoice(ChoosingObjective):
    """One continuation per choice, in the order of the choices. Of equally likely choices, the first is chosen.

    Score: a probability from 0 to 1 for `probability`; 1 or 0 for all others.
    """

    type: Literal["multiple_choice"] = "multiple_choice"
    metric: Literal["accuracy", "probability", "acc", "acc_norm", "acc_bytes"] = Field(
        "accuracy",
        description="accuracy; the softmax of the normalised log-likelihoods at the right choice; or lm-eval's acc, "
        "acc_norm or acc_bytes, which say what normalise is",
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

    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        values_C, right = self.values(example, answers)
        chosen = int(np.argmax(values_C))
        score = softmax(values_C)[right] if self.metric == "probability" else chosen == right
        surrogate = round(float(log_softmax(values_C)[right]), SURROGATE_DIGITS)
        margin = float(values_C[right] - np.delete(values_C, right).max()) if self.metric != "probability" else None
        return Scored(float(score), list(choices_of(example).values())[chosen], surrogate, margin)

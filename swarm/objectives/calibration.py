"""How well a model's probabilities over choices are calibrated: proper scores of each example.

A score of this kind is proper (Brier 1950; Gneiting & Raftery 2007): its expectation is highest where the model's
probabilities are the true ones, so that neither boldness nor caution is rewarded for its own sake. It measures accuracy
and calibration together. The expected calibration error (Guo et al. 2017, arXiv 1706.04599) measures calibration alone,
but it is a property of all examples together and no mean over them: `expected_calibration_error` gives it, for reports.

Shape suffixes: C choices, P predictions.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from swarm.core.examples import Example
from swarm.core.requests import Answer
from swarm.core.space import Array
from swarm.objectives.base import SURROGATE_DIGITS, Scored
from swarm.objectives.choosing import ChoosingObjective, Unit, choices_of, log_softmax


class Calibration(ChoosingObjective):
    """One continuation per choice. The probabilities are the softmax of what choices are compared by.

    Score, of probabilities p and the right choice r: for `brier`, 1 - sum_c (p_c - [c = r])^2 / 2, from 0 to 1; for
    `log`, log p_r (nats), at most 0.
    """

    type: Literal["calibration"] = "calibration"
    metric: Literal["brier", "log"] = Field("brier", description="the proper score: Brier's, from 0 to 1, or log p")
    normalise: Unit = Field(
        "none", description="what log-likelihoods are divided by; with any but none, they say less of the probabilities"
    )

    @property
    def range(self) -> tuple[float, float]:
        return (0.0, 1.0) if self.metric == "brier" else (-math.inf, 0.0)

    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        values_C, right = self.values(example, answers)
        logs_C = log_softmax(values_C)
        score = brier(np.exp(logs_C), right) if self.metric == "brier" else float(logs_C[right])
        said = list(choices_of(example).values())[int(np.argmax(values_C))]
        return Scored(score, said, round(float(logs_C[right]), SURROGATE_DIGITS) if self.metric == "brier" else None)

    def confidence(self, example: Example, answers: Sequence[Answer]) -> tuple[float, bool]:
        """The probability of the likeliest choice, and whether that is the right one."""
        values_C, right = self.values(example, answers)
        chosen = int(np.argmax(values_C))
        return float(np.exp(log_softmax(values_C)[chosen])), chosen == right


def brier(shares_C: Array, right: int) -> float:
    """1 - sum_c (p_c - y_c)^2 / 2: 1 where the right choice has all of the probability, 0 where a wrong one has."""
    outcome_C = np.zeros(len(shares_C))
    outcome_C[right] = 1.0
    return max(0.0, 1.0 - float(((shares_C - outcome_C) ** 2).sum()) / 2)


def expected_calibration_error(confidence_P: Array, right_P: Array, bins: int = 15) -> float:
    """sum_b n_b / n |mean confidence - accuracy| over bins of equal width: 0 is calibrated, 1 the worst.

    confidence_P: the probability of each answer that was given, from 0 to 1.
    right_P: whether it was right.
    It is biased upwards where bins hold few examples. Raises ValueError for lengths that differ or are 0, for numbers
    that are no probabilities, and for fewer bins than one.
    """
    if len(confidence_P) != len(right_P) or not len(confidence_P) or bins < 1:
        raise ValueError(f"{len(confidence_P)} confidences, {len(right_P)} outcomes, {bins} bins; give one of each")
    if not ((confidence_P >= 0) & (confidence_P <= 1)).all():
        raise ValueError("confidences are probabilities, from 0 to 1")
    bin_P = np.minimum((confidence_P * bins).astype(int), bins - 1)
    gaps_P = confidence_P - right_P.astype(float)
    gaps = [abs(float(gaps_P[bin_P == b].sum())) for b in range(bins)]  # n_b |conf_b - acc_b|
    return sum(gaps) / len(confidence_P)

"""The utility of scores: what a search maximises."""

import math
from collections.abc import Mapping

from swarm.types import Evaluation

Weights = Mapping[str, float]


def utility(scores: Mapping[str, float], weights: Weights) -> float:
    """The weighted mean of the objectives: what a single-objective optimizer is told. Higher is better.

    It never falls when a score rises, also not by rounding, so that bounds on scores are bounds on it.
    """
    total = sum(weights[name] for name in scores)
    return sum(weights[name] * score for name, score in scores.items()) / total


def worth(evaluation: Evaluation, weights: Weights, soft: bool) -> float:
    """The utility of an evaluation's scores; `soft`: of its softened scores, where there are any."""
    return utility({**evaluation.scores, **evaluation.soft} if soft else evaluation.scores, weights)


def estimate(stopped: Evaluation, rival: Evaluation, weights: Weights, soft: bool) -> float:
    """What the utility of a stopped evaluation would be if it differed from a whole one's as it did so far.

    The examples are the same, so their difficulty cancels. It may lie outside what scores allow.
    """
    gaps = {
        name: math.fsum(x - y for x, y in zip(own, rival.examples[name], strict=False)) / len(own)
        for name, own in stopped.examples.items()
    }
    return worth(rival, weights, soft) + utility(gaps, weights)

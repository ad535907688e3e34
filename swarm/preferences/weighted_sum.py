"""The weighted sum of objectives: the utility that a search maximises."""

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from swarm.core.candidates import Evaluation

Weights = Mapping[str, float]


class Scored(Protocol):
    """What was scored in full. scores, soft: objective -> mean score, and mean smoothed score."""

    @property
    def scores(self) -> Mapping[str, float]: ...
    @property
    def soft(self) -> Mapping[str, float]: ...


def utility(scores: Mapping[str, float], weights: Weights) -> float:
    """The weighted mean of the objectives' mean scores. Higher is better.

    It never falls when a score rises, not even by rounding, so bounds on scores give bounds on it.
    """
    if len(scores) == 1:  # as below, and faster: reports ask for it a hundred thousand times
        [(name, score)] = scores.items()
        return weights[name] * score / weights[name]
    total = sum(weights[name] for name in scores)
    return sum(weights[name] * score for name, score in scores.items()) / total


def worth(evaluation: Scored, weights: Weights, soft: bool) -> float:
    """The utility of an evaluation.

    soft: by smoothed accuracy for the objectives that have it, by scores for the others; else by scores alone.
    """
    return utility({**evaluation.scores, **evaluation.soft} if soft else evaluation.scores, weights)


def equal_examples(examples: Mapping[str, Sequence[float]], weights: Weights) -> float:
    """How many examples of one objective would tell the utility as well, were all objectives equally noisy."""
    total = sum(weights[name] for name in examples)
    return total**2 / sum(weights[name] ** 2 / len(scores) for name, scores in examples.items())


def estimate(stopped: Evaluation, incumbent: Evaluation, weights: Weights, soft: bool) -> float:
    """An estimate of the utility that a stopped evaluation would have in full, at most that of the incumbent.

    The first examples may be easy or hard ones. So the mean of their scores is corrected by what the incumbent, which
    is scored in full, has on them compared with all, as far as the scores of the two are correlated (the regression
    estimator, Cochran 1977, eq. 7.1). It was stopped for being worse than the incumbent, hence the limit.
    """
    scores = {name: _regression_estimate(own, incumbent.examples[name]) for name, own in stopped.examples.items()}
    for name in incumbent.soft if soft else ():
        scores[name] += stopped.soft.get(name, stopped.scores[name]) - stopped.scores[name]
    return min(utility(scores, weights), worth(incumbent, weights, soft))


def _regression_estimate(first: Sequence[float], incumbent: Sequence[float]) -> float:
    """The mean over all examples, from the first scores and the incumbent's scores of all."""
    n, paired = len(first), incumbent[: len(first)]
    own, theirs = math.fsum(first) / n, math.fsum(paired) / n
    covariation = math.fsum((x - own) * (y - theirs) for x, y in zip(first, paired, strict=True))
    variation = math.fsum((y - theirs) ** 2 for y in paired)
    slope = min(max(covariation / variation, 0.0), 1.0) if variation > 0 else 0.0
    return own + slope * (math.fsum(incumbent) / len(incumbent) - theirs)

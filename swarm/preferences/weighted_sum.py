"""The utility of scores: what a search maximises."""

import math
from collections.abc import Mapping, Sequence

from swarm.core.candidates import Evaluation

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


def estimate(stopped: Evaluation, incumbent: Evaluation, weights: Weights, soft: bool) -> float:
    """What the utility of an evaluation that was stopped for being worse than a whole one's may be: no more than that.

    The first examples may be easy or hard ones: the mean of their scores is corrected by what the rival's scores say of
    that, as far as the two go together (the regression estimator, Cochran 1977, eq. 7.1).
    """
    whole = {name: _regressed(own, incumbent.examples[name]) for name, own in stopped.examples.items()}
    for name in incumbent.soft if soft else ():
        whole[name] += stopped.soft.get(name, stopped.scores[name]) - stopped.scores[name]
    return min(utility(whole, weights), worth(incumbent, weights, soft))


def _regressed(first: Sequence[float], incumbent: Sequence[float]) -> float:
    """The mean over all examples, from the first scores and a rival's scores of all."""
    n, beside = len(first), incumbent[: len(first)]
    own, theirs = math.fsum(first) / n, math.fsum(beside) / n
    together = math.fsum((x - own) * (y - theirs) for x, y in zip(first, beside, strict=True))
    spread = math.fsum((y - theirs) ** 2 for y in beside)
    slope = min(max(together / spread, 0.0), 1.0) if spread > 0 else 0.0
    return own + slope * (math.fsum(incumbent) / len(incumbent) - theirs)

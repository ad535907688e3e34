"""The utility of scores: what a search maximises."""

from collections.abc import Mapping

from swarm.types import Evaluation


def utility(scores: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The weighted mean of the objectives: what a single-objective optimizer is told. Higher is better.

    It never falls when a score rises, also not by rounding, so that bounds on scores are bounds on it.
    """
    total = sum(weights[name] for name in scores)
    return sum(weights[name] * score for name, score in scores.items()) / total


def worth(evaluation: Evaluation, weights: Mapping[str, float], soft: bool) -> float:
    """The utility of an evaluation's scores; `soft`: of its softened scores, where there are any."""
    return utility({**evaluation.scores, **evaluation.soft} if soft else evaluation.scores, weights)

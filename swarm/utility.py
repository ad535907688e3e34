"""The utility of scores: what a search maximises."""

from collections.abc import Mapping


def utility(scores: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The weighted mean of the objectives: what a single-objective optimizer is told. Higher is better.

    It never falls when a score rises, also not by rounding, so that bounds on scores are bounds on it.
    """
    total = sum(weights[name] for name in scores)
    return sum(weights[name] * score for name, score in scores.items()) / total

"""What a search measures beside the utility: objectives that it holds apart, and floors.

Shape suffixes: P examples of an objective.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from swarm.core.candidates import Evaluation
from swarm.core.floors import Floor
from swarm.core.measured import Measured
from swarm.preferences.weighted_sum import Weights, utility

BOUND = 1.751  # standard errors: of a one-sided lower bound with 96 % confidence, as floors are tested


@dataclass(frozen=True)
class Goals:
    """What counts of a candidate's scores.

    weights: objective -> its weight in the utility.
    apart: the objectives that are held apart; empty where the utility alone is maximised.
    floors: objective -> its floor.
    references: objective -> the score from which its gains count, where the config gives one.
    soft: smoothed scores, where there are any, take the place of scores in what is maximised.
    error_ratio: objective -> the standard error of its mean on the select split, over that on the search split. A floor
        is held by a lower bound there; so a search is for what can be expected to be above the floor by that bound.
    ranges: objective -> the lowest and the highest score that an example can have.
    """

    weights: Weights
    apart: tuple[str, ...] = ()
    floors: Mapping[str, Floor] = field(default_factory=dict)
    references: Mapping[str, float] = field(default_factory=dict)
    soft: bool = False
    error_ratio: Mapping[str, float] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def several(self) -> bool:
        """Whether anything counts beside the utility."""
        return bool(self.apart or self.floors)

    def measured(self, evaluation: Evaluation) -> Measured | None:
        """What an optimizer learns of an evaluation beside its utility; None where there is no such thing."""
        if not self.several or evaluation.status != "ok":
            return None
        error = {name: standard_error(scores) for name, scores in evaluation.examples.items()}
        scores = {**evaluation.scores, **evaluation.soft} if self.soft else evaluation.scores
        margin = {name: BOUND * self.error_ratio.get(name, 0.0) * each for name, each in error.items()}
        floors = self.floors.items()
        return Measured(
            values=tuple(scores[name] for name in self.apart) or (utility(scores, self.weights),),
            errors=tuple(error[name] for name in self.apart) or (_utility_error(error, self.weights),),
            references=tuple(self.references.get(name, math.nan) for name in self.apart),
            slacks=tuple(
                evaluation.scores[name] - (0.0 if floor.from_base else floor.value + margin[name])
                for name, floor in floors
            ),
            slack_errors=tuple(error[name] for name in self.floors),
            allowed=tuple(-floor.value - margin[name] if floor.from_base else math.nan for name, floor in floors),
        )


def standard_error(scores_P: Sequence[float]) -> float:
    """Of the mean of the scores: 0 for a single one, of which no spread is known."""
    n = len(scores_P)
    if n < 2:
        return 0.0
    mean = math.fsum(scores_P) / n
    return math.sqrt(math.fsum((score - mean) ** 2 for score in scores_P) / (n - 1) / n)


def _utility_error(error: Mapping[str, float], weights: Weights) -> float:
    """Of the weighted mean of independent means."""
    total = sum(weights[name] for name in error)
    return math.sqrt(sum((weights[name] * each) ** 2 for name, each in error.items())) / total

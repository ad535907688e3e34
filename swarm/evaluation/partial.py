"""A candidate that is being scored, rung by rung: its scores so far, what they cost, and whether it is done.

Costs are measured by the worker's clock; the engine divides the cost of shared work evenly.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import replace

from swarm.core.candidates import Candidate, Evaluation
from swarm.core.errors import EvaluationError, first_line
from swarm.core.examples import Example
from swarm.core.recipes import Recipe
from swarm.core.requests import Answer, Method, Reply
from swarm.evaluation.racing import Race
from swarm.evaluation.smoothed_accuracy import smoothed
from swarm.evaluation.workload import WorkloadSlice
from swarm.objectives.base import Objective, Scored

LARGEST = 1e150  # of a score: the squares of larger ones are not finite, and neither may their sum be


class PartialEvaluation:
    """A candidate, its recipe and its race, with the scores so far. n_scored: of how many examples."""

    def __init__(self, candidate: Candidate, recipe: Recipe, race: Race) -> None:
        self.recipe = recipe
        self.n_scored = 0
        self._candidate = candidate
        self._race = race
        self._total = sum(race.sizes.values())
        self._scored: dict[str, list[Scored]] = {name: [] for name in race.sizes}
        self._tokens = 0
        self._seconds = self._compose = self._forward = 0.0
        self._method: Method = "merged"
        self._stopped = False
        self._error = ""
        self._transient = False

    @property
    def done(self) -> bool:
        return self._stopped or bool(self._error) or self.n_scored == self._total

    @property
    def next_rung(self) -> int:
        """The number of examples after which the race is looked at again."""
        return self._race.next_rung(self._scores())

    def fail(self, error: Exception, transient: bool) -> None:
        """End with an error. transient: whether another worker may succeed."""
        self._error = first_line(error)
        self._transient = transient

    def take(self, part: WorkloadSlice, reply: Reply, objectives: Mapping[str, Objective]) -> None:
        """Score a rung's answers. Raises EvaluationError where an objective gives no finite score."""
        start = time.perf_counter()
        answered: dict[str, list[tuple[Example, list[Answer]]]] = {}
        for item, places in zip(part.examples, part.places, strict=True):
            answers = [reply.answers[place] for place in places]
            answered.setdefault(item.objective, []).append((item.example, answers))
        for name, own in answered.items():
            for (example, _), scored in zip(own, objectives[name].signed_scores(own), strict=True):
                _check(name, example, scored)
                self._scored[name].append(scored)
        self.n_scored += len(part.examples)
        self._add_costs(reply)
        if self.n_scored < self._total:
            self._stopped = self._race.over(self._scores(), self._surrogates())
        self._seconds += time.perf_counter() - start

    def evaluation(self, worker: str) -> Evaluation:
        """The evaluation that the candidate ends with."""
        if self._error:
            failed = Evaluation(self._candidate, "failed", worker=worker, error=self._error)
            return replace(failed, transient=self._transient, tokens=self._tokens, seconds=self._seconds)
        scores = self._scores()
        return Evaluation(
            self._candidate,
            "stopped" if self._stopped else "ok",
            scores={name: math.fsum(values) / len(values) for name, values in scores.items()},
            examples=scores,
            outputs={name: tuple(item.output for item in items) for name, items in self._scored.items()},
            surrogates=self._surrogates() if self._race.settings.sequential else {},
            soft=self._smoothed(),
            margins=self._margins(),
            tokens=self._tokens,
            seconds=self._seconds,
            compose_seconds=self._compose,
            forward_seconds=self._forward,
            method=self._method,
            worker=worker,
        )

    def _add_costs(self, reply: Reply) -> None:
        self._tokens += reply.tokens
        self._compose += reply.compose_seconds
        self._forward += reply.forward_seconds
        self._seconds += reply.compose_seconds + reply.forward_seconds
        if reply.method != "merged":
            self._method = reply.method

    def _scores(self) -> dict[str, tuple[float, ...]]:
        return {name: tuple(item.score for item in items) for name, items in self._scored.items()}

    def _surrogates(self) -> dict[str, tuple[float, ...]]:
        """One surrogate score per example: the score itself where the objective has no other."""
        return {
            name: tuple(item.score if item.surrogate is None else item.surrogate for item in items)
            for name, items in self._scored.items()
        }

    def _smoothed(self) -> dict[str, float]:
        """The smoothed accuracy of each objective whose answers all have margins."""
        return {name: smoothed(values) for name, values in self._margins().items()}

    def _margins(self) -> dict[str, tuple[float, ...]]:
        """The margins of each objective whose answers all have them."""
        known = {
            name: tuple(item.margin for item in items if item.margin is not None)
            for name, items in self._scored.items()
        }
        return {name: values for name, values in known.items() if 0 < len(values) == len(self._scored[name])}


def _check(objective: str, example: Example, scored: Scored) -> None:
    """Raise EvaluationError where a score is not finite."""
    for value in (scored.score, scored.surrogate, scored.margin):
        if value is not None and not abs(value) < LARGEST:  # a nan is not, either
            raise EvaluationError(f"objective {objective} gave {value} for example {example.id}")

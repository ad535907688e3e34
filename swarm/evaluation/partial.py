"""One candidate on its way through the rungs: what it has scored so far, what that cost, and whether it is over.

Costs are counted by the clock of the worker; work done together is shared out evenly by the engine.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import replace

from swarm.core.candidates import Candidate, Evaluation
from swarm.core.errors import DeviceError, EvaluationError
from swarm.core.recipes import Recipe
from swarm.core.requests import Method, Reply
from swarm.evaluation.racing import Race
from swarm.evaluation.smoothed_accuracy import smoothed
from swarm.evaluation.workload import Part
from swarm.objectives.base import Objective, Scored


class PartialEvaluation:
    """A candidate, its recipe and its race, with the scores so far."""

    def __init__(self, candidate: Candidate, recipe: Recipe, race: Race) -> None:
        self.recipe = recipe
        self.at = 0
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
        return self._stopped or bool(self._error) or self.at == self._total

    @property
    def next_rung(self) -> int:
        """The number of examples after which the race is looked at again."""
        return self._race.next_rung(self._scores())

    def fail(self, error: Exception) -> None:
        self._error = str(error).splitlines()[0] if str(error) else type(error).__name__
        # What torch raises may be the device's fault; a verdict on the candidate is an EvaluationError.
        self._transient = isinstance(error, RuntimeError | DeviceError)

    def take(self, part: Part, reply: Reply, objectives: Mapping[str, Objective]) -> None:
        """Score a rung's answers. Raises EvaluationError where an objective gives no finite score."""
        start = time.perf_counter()
        used = 0
        for question in part.questions:
            answers = reply.answers[used : used + len(question.requests)]
            used += len(question.requests)
            scored = objectives[question.objective].score(question.example, answers)
            for value in (scored.score, scored.surrogate, scored.margin):
                if value is not None and not math.isfinite(value):
                    raise EvaluationError(
                        f"objective {question.objective} gave {value} for example {question.example.id}"
                    )
            self._scored[question.objective].append(scored)
        self.at += len(part.questions)
        self._add_costs(reply)
        if self.at < self._total:
            self._stopped = self._race.over(self._scores(), self._guides())
        self._seconds += time.perf_counter() - start

    def evaluation(self, worker: str) -> Evaluation:
        """What came of it."""
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
            guides=self._guides() if self._race.settings.sequential else {},
            soft=self._soft(),
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

    def _guides(self) -> dict[str, tuple[float, ...]]:
        """A smooth value beside each score, where the objective has one."""
        return {
            name: tuple(item.score if item.surrogate is None else item.surrogate for item in items)
            for name, items in self._scored.items()
        }

    def _soft(self) -> dict[str, float]:
        """The mean softened score of each objective whose answers have margins."""
        margins = {name: [item.margin for item in items] for name, items in self._scored.items()}
        known = {name: [margin for margin in values if margin is not None] for name, values in margins.items()}
        return {name: smoothed(values) for name, values in known.items() if 0 < len(values) == len(margins[name])}

"""The search: ask, evaluate, journal, tell, until a budget is spent; here generation by generation.

It sees an optimizer and a callable that scores candidates; it cannot reach the test split.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from swarm.core.candidates import Candidate, Evaluation, Incumbent, PruningBounds, Task
from swarm.core.errors import RunError
from swarm.core.outcomes import Failure, Feed, Outcome, closed
from swarm.core.space import Array, Space
from swarm.journal.archive import Archive
from swarm.optimizers import Optimizer
from swarm.optimizers.base import Proposal, Result
from swarm.preferences.weighted_sum import estimate, worth

Place = Sequence[Proposal]  # of one generation and one position: the first is scored, for all of them
Evaluate = Callable[[Feed], Iterator[Outcome]]


@dataclass(frozen=True)
class Search:
    """What a search is made of. The archive holds what has been scored, so running again goes on.

    finalists: how many of the best its result depends on. sequential: whether tasks carry the rivals that a
    sequential test compares a candidate with.
    """

    optimizer: Optimizer[Any]
    space: Space
    seed: int
    weights: Mapping[str, float]
    archive: Archive
    evaluate: Evaluate
    on_evaluation: Callable[[Evaluation], None]
    finalists: int
    sequential: bool = False

    def run(self) -> str:
        """Search until something ends it; returns what did: a budget's name, or "exhausted"."""
        state = self.optimizer.init(self.space, self.seed)
        best, best_iteration = -math.inf, 0
        while proposals := self.optimizer.ask(state):
            iteration = proposals[0].iteration
            if reason := self._spent(iteration, iteration - 1 - best_iteration):
                return reason
            if reason := self._score(proposals):
                return reason
            best_before = self._ranked(iteration)[:1]
            results = [self._result(proposal, best_before) for proposal in proposals]
            if iteration == 0 and all(math.isnan(result.utility) for result in results):
                raise RunError(f"every candidate of the first generation failed; the first said: {self._first_error()}")
            state = self.optimizer.tell(state, results)
            top = max((r.utility for r in results if not math.isnan(r.utility)), default=-math.inf)
            if top > best:
                best, best_iteration = top, iteration
        return "exhausted"

    def _spent(self, iteration: int, stale: int) -> str:
        """The budget that is spent before a generation, or "". `stale`: generations since the best was found."""
        budget = self.optimizer
        if iteration >= budget.iterations:
            return "iterations"
        if budget.patience is not None and stale >= budget.patience:
            return "patience"
        return ""

    def _score(self, proposals: Sequence[Proposal]) -> str:
        """Score what the archive does not hold yet; returns the budget that ended it early, or ""."""
        places = _places(proposals)
        unscored = self._unscored(places)
        affordable = self._affordable(unscored)
        if affordable and self._out_of_time():
            return "minutes"
        feed = deque(Task(candidate_of(place[0]), pruning) for place, pruning in self._with_bounds(affordable))
        with closed(self.evaluate(feed)) as outcomes:
            for outcome in outcomes:
                if isinstance(outcome, Failure):
                    self.archive.append_failure(outcome)
                    continue
                self.archive.append_evaluation("evaluation", outcome)
                self.on_evaluation(outcome)
                if self._out_of_time() and self._unscored(affordable):
                    return "minutes"
        self._repeat(places)
        return "evaluations" if len(affordable) < len(unscored) else ""

    def _unscored(self, places: Sequence[Place]) -> list[Place]:
        """Places where nobody was scored before, nor anybody of this generation; stopped ones are raced anew."""
        for candidate in (candidate_of(proposal) for place in places for proposal in place):
            known = self.archive.of(candidate.id)
            if known is not None and known.candidate.position != candidate.position:
                raise RunError(
                    f"{self.archive.journal.path}: candidate {candidate.id} was scored at another position than this "
                    "config gives; the config or this version differs from the run's: start a new run"
                )
        return [place for place in places if self._known(place) is None]

    def _known(self, place: Place) -> Evaluation | None:
        """The evaluation that holds for a place: of the position, or of its first proposal, which may be stopped."""
        first = candidate_of(place[0])
        return self.archive.at(first.position) or self.archive.of(first.id)

    def _affordable(self, places: Sequence[Place]) -> list[Place]:
        """Those that the budget of evaluations still holds. A position that was stopped before is paid for."""
        limit = self.optimizer.evaluations
        if limit is None:
            return list(places)
        left = limit - self.archive.evaluations
        new = accumulate(not self.archive.paid(candidate_of(place[0]).position) for place in places)
        return [place for place, spent in zip(places, new, strict=True) if spent <= left]

    def _with_bounds(self, places: Sequence[Place]) -> list[tuple[Place, PruningBounds]]:
        """Each place with what its utility can change: the optimizer's course, or who is among the finalists.

        Only earlier generations count, so neither the workers' order nor a resume matters.
        """
        if not places:
            return []
        ranked = self._ranked(places[0][0].iteration)
        enough = len(ranked) >= self.finalists
        bar = self._worth(ranked[self.finalists - 1]) if enough else -math.inf
        expected = self._expected(places[0][0].iteration - 1)
        return [(place, replace(self._pruning_bounds(place, bar, ranked[:1]), expected=expected)) for place in places]

    def _expected(self, iteration: int) -> dict[str, float]:
        """The mean score of an iteration's candidates, by objective; nothing where none was scored."""
        made = [e for e in self.archive.searched() if e.candidate.iteration == iteration and e.status != "failed"]
        return {name: math.fsum(e.scores[name] for e in made) / len(made) for name in made[0].scores} if made else {}

    def _pruning_bounds(self, place: Place, bar: float, best: Sequence[Evaluation]) -> PruningBounds:
        low, high = max(p.low for p in place), min(p.high for p in place)
        pruning = PruningBounds(low, min(high, bar))
        stoppable = high > -math.inf or self.optimizer.takes_estimates
        if not self.sequential or not best or not stoppable or len(place) > 1:
            return pruning
        personal_D = place[0].personal_D
        personal = None if personal_D is None else self.archive.at(position_of(personal_D))
        return replace(
            pruning,
            personal=None if personal is None else incumbent(personal),
            best=incumbent(best[0]),
            worst=low if math.isfinite(low) else None,
        )

    def _repeat(self, places: Sequence[Place]) -> None:
        """Journal candidates at a place that was scored: nothing is scored twice."""
        for place in places:
            if self._known(place) is None:
                continue
            for candidate in (candidate_of(proposal) for proposal in place):
                if self.archive.of(candidate.id) is None:
                    self.on_evaluation(self.archive.append_repeat("evaluation", candidate, "search"))

    def _ranked(self, before: int) -> list[Evaluation]:
        """What was scored in full before an iteration, best first."""
        return self.archive.ranked(self.weights, before, self.optimizer.climbs_soft)

    def _result(self, proposal: Proposal, best: Sequence[Evaluation]) -> Result:
        evaluation = self.archive.of(candidate_of(proposal).id)
        assert evaluation is not None, "a generation is told when all of it is scored"
        return Result(proposal.iteration, proposal.particle, self._told(evaluation, best))

    def _told(self, evaluation: Evaluation, best: Sequence[Evaluation]) -> float:
        """What the optimizer is told of it: of what was stopped an estimate, never above the best, if it takes one."""
        if evaluation.status == "stopped" and self.optimizer.takes_estimates:
            return estimate(evaluation, best[0], self.weights, self.optimizer.climbs_soft)
        return self._worth(evaluation)

    def _worth(self, evaluation: Evaluation) -> float:
        """Its utility as the search ranks it: nan where it failed or was stopped."""
        return worth(evaluation, self.weights, self.optimizer.climbs_soft) if evaluation.status == "ok" else math.nan

    def _first_error(self) -> str:
        return f"{self.archive.searched()[0].error}; correct that and start a new run"

    def _out_of_time(self) -> bool:
        """True once the search has worked its minutes, counted from its first evaluation on."""
        if self.optimizer.minutes is None:
            return False
        began = self.archive.search_began
        return began is not None and self.archive.elapsed - began >= 60.0 * self.optimizer.minutes


def candidate_of(proposal: Proposal) -> Candidate:
    name = f"{proposal.iteration}-{proposal.particle}"
    return Candidate(name, position_of(proposal.x_D), proposal.iteration, proposal.particle)


def position_of(x_D: Array) -> tuple[float, ...]:
    return tuple(float(x) for x in x_D)


def incumbent(evaluation: Evaluation) -> Incumbent:
    return Incumbent(evaluation.examples, evaluation.guides)


def _places(proposals: Sequence[Proposal]) -> list[Place]:
    """Proposals by their position, in the order of each one's first."""
    places: dict[tuple[float, ...], list[Proposal]] = {}
    for proposal in proposals:
        places.setdefault(position_of(proposal.x_D), []).append(proposal)
    return list(places.values())

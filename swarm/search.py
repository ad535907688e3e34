"""The search: ask, evaluate, journal, tell, until a budget is spent.

It sees an optimizer and a callable that scores candidates; it cannot reach the test split.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from swarm.archive import Archive, utility
from swarm.errors import RunError
from swarm.optimizers import Optimizer
from swarm.optimizers.base import Proposal, Result
from swarm.pool import Failure, Outcome
from swarm.types import Candidate, Evaluation, Space

Evaluate = Callable[[Sequence[Candidate]], Iterator[Outcome]]


@dataclass(frozen=True)
class Search:
    """What a search is made of. The archive holds what has been scored, so running again goes on."""

    optimizer: Optimizer[Any]
    space: Space
    seed: int
    weights: Mapping[str, float]
    archive: Archive
    evaluate: Evaluate
    on_evaluation: Callable[[Evaluation], None]

    def run(self) -> str:
        """Search until something ends it; returns what did: a budget's name, or "exhausted"."""
        state = self.optimizer.init(self.space, self.seed)
        best, best_iteration = -math.inf, 0
        while proposals := self.optimizer.ask(state):
            iteration = proposals[0].iteration
            if reason := self._spent(iteration, iteration - 1 - best_iteration):
                return reason
            if reason := self._score([_candidate(proposal) for proposal in proposals]):
                return reason
            results = [self._result(proposal) for proposal in proposals]
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

    def _score(self, candidates: Sequence[Candidate]) -> str:
        """Score what the archive does not hold yet; returns the budget that ended it early, or ""."""
        fresh = self._unscored(candidates)
        limit = self.optimizer.evaluations
        affordable = fresh if limit is None else fresh[: max(0, limit - self.archive.evaluations)]
        if affordable and self._out_of_time():
            return "minutes"
        outcomes = self.evaluate(affordable)
        for outcome in outcomes:
            if isinstance(outcome, Failure):
                self.archive.append_failure(outcome)
                continue
            self.archive.append_evaluation("evaluation", outcome)
            self.on_evaluation(outcome)
            if self._out_of_time() and any(self.archive.of(c.id) is None for c in affordable):
                outcomes.close()  # type: ignore[attr-defined]  # cancels what is in flight
                return "minutes"
        self._repeat(candidates)
        return "evaluations" if len(affordable) < len(fresh) else ""

    def _unscored(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Candidates whose position nobody has scored; the first of several with one position."""
        fresh: dict[tuple[float, ...], Candidate] = {}
        for candidate in candidates:
            known = self.archive.of(candidate.id)
            if known is not None and known.candidate.position != candidate.position:
                raise RunError(
                    f"{self.archive.journal.path}: candidate {candidate.id} was scored at another position than this "
                    "config gives; the config or this version differs from the run's: start a new run"
                )
            if known is None and self.archive.at(candidate.position) is None:
                fresh.setdefault(candidate.position, candidate)
        return list(fresh.values())

    def _repeat(self, candidates: Sequence[Candidate]) -> None:
        """Journal candidates whose position another one has scored: no position is scored twice."""
        for candidate in candidates:
            if self.archive.of(candidate.id) is None and self.archive.at(candidate.position) is not None:
                self.on_evaluation(self.archive.append_repeat("evaluation", candidate, "search"))

    def _result(self, proposal: Proposal) -> Result:
        evaluation = self.archive.of(_candidate(proposal).id)
        assert evaluation is not None, "a generation is told when all of it is scored"
        value = utility(evaluation.scores, self.weights) if evaluation.status == "ok" else math.nan
        return Result(proposal.iteration, proposal.particle, value)

    def _first_error(self) -> str:
        return f"{self.archive.searched()[0].error}; correct that and start a new run"

    def _out_of_time(self) -> bool:
        """True once the search has worked its minutes, counted from its first evaluation on."""
        minutes, began = self.optimizer.minutes, self.archive.search_began
        return minutes is not None and began is not None and self.archive.elapsed - began >= 60.0 * minutes


def _candidate(proposal: Proposal) -> Candidate:
    name = f"{proposal.iteration}-{proposal.particle}"
    return Candidate(name, tuple(float(x) for x in proposal.x_D), proposal.iteration, proposal.particle)

"""The search without generations (`async`): a particle moves as soon as its own score is in.

The optimizer's state is a fold of its steps over the journal's order, so what a journal holds leads to one state,
whoever scored it and when; a resumed run takes the same steps again, then goes on.
"""

import heapq
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from swarm.core.candidates import Evaluation, PruningBounds, Task
from swarm.core.errors import RunError
from swarm.core.outcomes import Failure, Feed, closed
from swarm.optimizers.base import Proposal, Result
from swarm.search.generational import Search, candidate_of, position_of

Position = tuple[float, ...]


@dataclass
class Latest:
    """The mean scores of the latest evaluations, by objective; it takes no longer where more of them are kept."""

    kept: deque[Mapping[str, float]] = field(default_factory=deque)
    sums: dict[str, float] = field(default_factory=dict)

    def add(self, scores: Mapping[str, float], most: int) -> None:
        self.kept.append(scores)
        oldest = self.kept.popleft() if len(self.kept) > most else {}
        self.sums = {name: self.sums.get(name, 0.0) + score - oldest.get(name, 0.0) for name, score in scores.items()}

    @property
    def means(self) -> dict[str, float]:
        return {name: total / len(self.kept) for name, total in self.sums.items()}


@dataclass
class Course:
    """Where a stepping search stands: the optimizer's state and who is still to be scored.

    wanting: proposals that nobody scores yet. parked: those that the budget has no room for, nor ever will: what is
    in flight is paid for. flying: position -> those that one evaluation will answer, the first
    of which is being scored. told: results so far; told_at_best: at the best one. top: the finalists' utilities;
    ranked: the positions that were compared for it.
    """

    state: Any
    wanting: deque[Proposal]
    deferred: list[Proposal] = field(default_factory=list)
    flying: dict[Position, list[Proposal]] = field(default_factory=dict)
    unpaid: int = 0
    capped: bool = False
    told: int = 0
    scored: int = 0
    heard_at_best: int = 0
    best: Evaluation | None = None
    best_utility: float = -math.inf
    top: list[float] = field(default_factory=list)
    ranked: set[Position] = field(default_factory=set)
    latest: Latest = field(default_factory=Latest)


@dataclass(frozen=True)
class AsynchronousSearch(Search):
    """A search whose particles do not wait for one another. Budgets are those of any search."""

    def run(self) -> str:
        state = self.optimizer.init(self.space, self.seed)
        course = Course(state, deque(self.optimizer.ask(state)))
        self._replay(course)
        feed: Feed = deque()
        if reason := self._supply(course, feed):
            return reason
        with closed(self.evaluate(feed)) as outcomes:
            for outcome in outcomes:
                if isinstance(outcome, Failure):
                    self.archive.append_failure(outcome)
                    continue
                course.unpaid -= not self.archive.paid(outcome.candidate.position)
                self.archive.append_evaluation("evaluation", outcome)
                self.on_evaluation(outcome)
                self._answer(course, outcome)
                if reason := self._supply(course, feed):
                    return reason
        return self._exhausted(course)

    # Results

    def _replay(self, course: Course) -> None:
        """The steps that the journal tells of."""
        open_ = {(p.iteration, p.particle): p for p in course.wanting}
        course.wanting.clear()
        for evaluation in self.archive.history():
            candidate = evaluation.candidate
            proposal = open_.pop((candidate.iteration or 0, candidate.particle or 0), None)
            if proposal is None or position_of(proposal.x_D) != candidate.position:
                raise RunError(
                    f"{self.archive.journal.path}: candidate {candidate.id} was scored where this config would not "
                    "have it; the config or this version differs from the run's: start a new run"
                )
            self._tell(course, proposal, evaluation)
            open_ |= {(p.iteration, p.particle): p for p in course.wanting}
            course.wanting.clear()
        course.wanting.extend(open_.values())

    def _answer(self, course: Course, evaluation: Evaluation) -> None:
        """An evaluation for all who wanted this position."""
        first, *others = course.flying.pop(evaluation.candidate.position)
        self._tell(course, first, evaluation)
        course.wanting.extendleft(reversed(others))

    def _tell(self, course: Course, proposal: Proposal, evaluation: Evaluation) -> None:
        """One step. The journal has the evaluation already."""
        value = self._told(evaluation, [course.best] if course.best else [])
        course.state, proposals = self.optimizer.step(
            course.state, Result(proposal.iteration, proposal.particle, value)
        )
        course.wanting.extend(proposals)
        course.told += 1
        self._remember(course, evaluation, self._worth(evaluation))

    def _remember(self, course: Course, evaluation: Evaluation, value: float) -> None:
        if evaluation.status != "failed":
            course.scored += 1
            course.latest.add(evaluation.scores, self._population)
        elif not course.scored and course.told >= self._population:
            raise RunError(f"the first {course.told} candidates failed; the first said: {self._first_error()}")
        if math.isnan(value):
            return
        if (position := evaluation.candidate.position) not in course.ranked:
            course.ranked.add(position)
            put = heapq.heappush if len(course.top) < self.finalists else heapq.heappushpop
            put(course.top, value)
        if value > course.best_utility:
            course.best, course.best_utility, course.heard_at_best = evaluation, value, course.told

    # What to score next

    def _supply(self, course: Course, feed: Feed) -> str:
        """Hand out what may be scored; returns the budget that ends the search at once, or ""."""
        while course.wanting:
            if reason := self._over(course):
                return reason
            proposal = course.wanting.popleft()
            if proposal.iteration >= self.optimizer.iterations:
                course.capped = True
            elif not self._hand_out(course, proposal, feed):
                course.deferred.append(proposal)
        return self._over(course)

    def _hand_out(self, course: Course, proposal: Proposal, feed: Feed) -> bool:
        """Score a proposal, or take the score of its position; False where the budget has no room for it."""
        candidate = candidate_of(proposal)
        if self.archive.at(candidate.position) is not None:
            repeated = self.archive.append_repeat("evaluation", candidate, "search")
            self.on_evaluation(repeated)
            self._tell(course, proposal, repeated)
        elif candidate.position in course.flying:
            course.flying[candidate.position].append(proposal)
        elif self._affords(course, candidate.position):
            course.flying[candidate.position] = [proposal]
            course.unpaid += not self.archive.paid(candidate.position)
            feed.append(Task(candidate, self._bounds_of(course, proposal)))
        else:
            return False
        return True

    def _affords(self, course: Course, position: Position) -> bool:
        limit = self.optimizer.evaluations
        if limit is None or self.archive.paid(position):
            return True
        return self.archive.evaluations + course.unpaid < limit

    def _over(self, course: Course) -> str:
        patience = self.optimizer.patience
        if patience is not None and course.told - course.heard_at_best >= patience * self._population:
            return "patience"
        return "minutes" if self._out_of_time() else ""

    def _exhausted(self, course: Course) -> str:
        """What ended a search in which nothing is left to be handed out."""
        if course.deferred:
            return "evaluations"
        return "iterations" if course.capped else "exhausted"

    def _bounds_of(self, course: Course, proposal: Proposal) -> PruningBounds:
        """As in a generation, but against all that has been told: finalists only rise."""
        bar = course.top[0] if len(course.top) >= self.finalists else -math.inf
        best = [course.best] if course.best else []
        # Just below the bar: of equals the earlier candidate is the finalist, which may be this one.
        pruning = self._pruning_bounds([proposal], math.nextafter(bar, -math.inf), best)
        return replace(pruning, expected=course.latest.means)

    @property
    def _population(self) -> int:
        return int(getattr(self.optimizer, "particles", 1))

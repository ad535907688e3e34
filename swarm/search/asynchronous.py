"""The search without generations (`async`): a particle moves as soon as its own score is known.

The optimizer's state is a fold of its steps over the journal's order. So a journal leads to one state, whoever scored
its candidates and when; a resumed run takes the same steps again, then continues.
"""

import heapq
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from swarm.core.candidates import Evaluation, PruningBounds
from swarm.core.errors import RunError
from swarm.core.outcomes import Feed, closed
from swarm.core.space import Position
from swarm.optimizers.base import Proposal
from swarm.search.loop import Loop
from swarm.search.pareto import ObservedFront

CHECKED_EVERY = 100  # steps of a replay


@dataclass
class RecentScores:
    """The mean scores of the latest evaluations, by objective, at a cost that does not grow with their number.

    kept: the scores of each, oldest first.
    sums: objective -> the sum over `kept`.
    """

    kept: deque[Mapping[str, float]] = field(default_factory=deque)
    sums: dict[str, float] = field(default_factory=dict)

    def add(self, scores: Mapping[str, float], most: int) -> None:
        """Take in an evaluation; of more than `most` the oldest is forgotten."""
        self.kept.append(scores)
        oldest = self.kept.popleft() if len(self.kept) > most else {}
        self.sums = {name: self.sums.get(name, 0.0) + score - oldest.get(name, 0.0) for name, score in scores.items()}

    @property
    def means(self) -> dict[str, float]:
        return {name: total / len(self.kept) for name, total in self.sums.items()}


@dataclass
class AsyncState:
    """Where an asynchronous search is.

    optimizer: the optimizer's state.
    queued: proposals that are still to be handed out.
    deferred: proposals that the budget of evaluations has no room for, nor will have.
    in_flight: position -> the proposals that its evaluation will answer; the first of them is being scored.
    new_in_flight: positions in flight that the budget has yet to count.
    out_of_iterations: whether a proposal lay beyond the last iteration.
    looked_ahead: whether what is scored after the search was handed out.
    results: how many the optimizer has learnt.
    results_at_best: how many it had learnt when the latest best was among them, or the latest member of the front.
    scored: how many of the results are of candidates that did not fail.
    best, best_utility: the best evaluation scored in full, and its utility.
    top: a heap of the finalists' utilities, the lowest first.
    top_positions: the positions that were compared for it.
    recent: the scores of about one generation's worth of evaluations.
    front: of what it has learnt, where objectives are held apart.
    """

    optimizer: Any
    queued: deque[Proposal]
    deferred: list[Proposal] = field(default_factory=list)
    in_flight: dict[Position, list[Proposal]] = field(default_factory=dict)
    new_in_flight: set[Position] = field(default_factory=set)
    out_of_iterations: bool = False
    looked_ahead: bool = False
    results: int = 0
    results_at_best: int = 0
    scored: int = 0
    best: Evaluation | None = None
    best_utility: float = -math.inf
    top: list[float] = field(default_factory=list)
    top_positions: set[Position] = field(default_factory=set)
    recent: RecentScores = field(default_factory=RecentScores)
    front: ObservedFront = field(default_factory=ObservedFront)


@dataclass(frozen=True)
class AsynchronousSearch:
    """A search whose particles do not wait for one another. Budgets are those of any search."""

    loop: Loop

    def run(self) -> str:
        """Search until something ends it; returns what did: a budget's name, or "exhausted"."""
        initial = self.loop.begin()
        state = AsyncState(initial, deque(self.loop.optimizer.ask(initial)))
        for known in self.loop.archive.prior_results():
            self._rank(state, known)
        self._replay(state)
        feed: Feed = deque()
        if reason := self._supply(state, feed):
            return reason
        if not state.in_flight:
            return _exhausted(state)
        with closed(self.loop.evaluate(feed)) as outcomes:
            for outcome in outcomes:
                if (evaluation := self.loop.append(outcome)) is None:
                    continue
                self._answer(state, evaluation)
                if reason := self._supply(state, feed):
                    return reason
                if not state.in_flight:  # what is scored ahead goes on beside the selection
                    break
        return _exhausted(state)

    # Results

    def _replay(self, state: AsyncState) -> None:
        """Take the steps that the journal holds. Raises RunError where they are not this config's."""
        history = self.loop.archive.history()
        following = {e.candidate.age: e.candidate.position for e in history}
        shared = set(self.loop.space.same_model.values())
        waiting = {(p.iteration, p.particle): p for p in state.queued}
        state.queued.clear()
        for done, evaluation in enumerate(history):
            candidate = evaluation.candidate
            proposal = waiting.pop(candidate.age, None)
            if proposal is None or self.loop.position(proposal.x_D) != candidate.position:
                raise RunError(
                    f"{self.loop.archive.journal.path}: candidate {candidate.id} was scored where this config would "
                    "not have it; the config or this version differs from the run's: start a new run"
                )
            iteration, particle = candidate.age
            checked = is_checked(done, len(history), self.loop.optimizer.population)
            known = following.get((iteration + 1, particle))
            stands_for_others = known in shared
            self._step(state, proposal, evaluation, None if checked or stands_for_others else known)
            waiting |= {(p.iteration, p.particle): p for p in state.queued}
            state.queued.clear()
            self.loop.on_replayed(done + 1, len(history))
        state.queued.extend(waiting.values())

    def _answer(self, state: AsyncState, evaluation: Evaluation) -> None:
        """Use an evaluation for all proposals of its position: the others are handed out again, as repeats."""
        position = evaluation.candidate.position
        state.new_in_flight.discard(position)
        first, *others = state.in_flight.pop(position)
        self._step(state, first, evaluation)
        state.queued.extendleft(reversed(others))

    def _step(
        self, state: AsyncState, proposal: Proposal, evaluation: Evaluation, known: Position | None = None
    ) -> None:
        """One step of the optimizer. The journal has the evaluation already. known: where the step led, if it is."""
        result, optimizer = self.loop.result(proposal, evaluation, state.best), self.loop.optimizer
        if known is None:
            state.optimizer, proposals = optimizer.step(state.optimizer, result)
        else:
            state.optimizer, proposals = optimizer.retrace(state.optimizer, result, np.array(known))
        state.queued.extend(proposals)
        state.results += 1
        self._count(state, evaluation)
        self._rank(state, evaluation)

    def _count(self, state: AsyncState, evaluation: Evaluation) -> None:
        population = self.loop.optimizer.population
        if evaluation.status != "failed":
            state.scored += 1
            state.recent.add(evaluation.scores, population)
        elif not state.scored and state.results >= population:
            raise RunError(f"the first {state.results} candidates failed; the first said: {self.loop.first_error()}")

    def _rank(self, state: AsyncState, evaluation: Evaluation) -> None:
        """Keep the best and the finalists' utilities."""
        value = self.loop.worth(evaluation)
        if math.isnan(value):
            return
        if (position := evaluation.candidate.position) not in state.top_positions:
            state.top_positions.add(position)
            put = heapq.heappush if len(state.top) < self.loop.finalists else heapq.heappushpop
            put(state.top, value)
        if self.loop.optimizer.holds_apart and state.front.widened_by([self.loop.measured(evaluation)]):
            state.results_at_best = state.results
        if value > state.best_utility:
            state.best, state.best_utility, state.results_at_best = evaluation, value, state.results

    # What to score next

    def _supply(self, state: AsyncState, feed: Feed) -> str:
        """Hand out what may be scored; returns the budget that ends the search at once, or ""."""
        while state.queued:
            if reason := self._spent(state):
                return reason
            proposal = state.queued.popleft()
            if proposal.iteration >= self.loop.optimizer.iterations:
                state.out_of_iterations = True
            elif not self._hand_out(state, proposal, feed):
                state.deferred.append(proposal)
        if (state.deferred or state.out_of_iterations) and not state.looked_ahead:
            state.looked_ahead = True
            feed.extend(self.loop.afterwards())
        return self._spent(state)

    def _hand_out(self, state: AsyncState, proposal: Proposal, feed: Feed) -> bool:
        """Score a proposal, or take the score of its position; False where the budget has no room for it."""
        candidate = self.loop.candidate(proposal)
        position = candidate.position
        if self.loop.archive.at(position) is not None:
            self._step(state, proposal, self.loop.append_repeat(candidate))
        elif position in state.in_flight:
            state.in_flight[position].append(proposal)
        elif self.loop.affords(position, len(state.new_in_flight)):
            state.in_flight[position] = [proposal]
            if not self.loop.archive.paid(position):
                state.new_in_flight.add(position)
            feed.append(self.loop.task(candidate, self._bounds(state, proposal)))
        else:
            return False
        return True

    def _spent(self, state: AsyncState) -> str:
        """The budget that ends the search at once, or ""."""
        patience = self.loop.optimizer.patience
        stale = state.results - state.results_at_best
        if patience is not None and stale >= patience * self.loop.optimizer.population:
            return "patience"
        return "minutes" if self.loop.out_of_time() else ""

    def _bounds(self, state: AsyncState, proposal: Proposal) -> PruningBounds:
        """As in a generation, but against everything scored so far: the bar for finalists only rises."""
        bar = state.top[0] if len(state.top) >= self.loop.finalists else -math.inf
        # Just below the bar: of equals the earlier candidate is the finalist, which may be this one.
        return self.loop.pruning_bounds([proposal], math.nextafter(bar, -math.inf), state.best, state.recent.means)


def is_checked(done: int, of: int, population: int) -> bool:
    """Whether a replay takes the step after `done` of its steps as it was at first, and so checks the journal.

    An optimizer may believe the journal in the others. All that was observed before decides a step, so those that are
    taken show another config or version, and most changes of the journal by hand. What they may miss is a line whose
    change moves none of their proposals.
    """
    return min(done, of - done) <= 2 * population or done % CHECKED_EVERY == 0


def _exhausted(state: AsyncState) -> str:
    """What ended a search in which nothing is left to hand out."""
    if state.deferred:
        return "evaluations"
    return "iterations" if state.out_of_iterations else "exhausted"

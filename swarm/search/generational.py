"""The search generation by generation (`sync`): ask, evaluate, journal, tell, until a budget is spent.

Only generations that are complete when one is asked decide how it is scored, so neither the order in which workers
answer nor a resume changes the result. Where the optimizer proposes ahead, two generations are being scored at a time,
and the next one is handed to the workers as soon as the older one is complete.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from swarm.core.candidates import Evaluation, Task
from swarm.core.errors import RunError
from swarm.core.outcomes import Feed, closed
from swarm.core.space import Position
from swarm.journal.archive import Archive
from swarm.optimizers.base import Observation, Proposal
from swarm.search.loop import Loop
from swarm.search.open_generations import OpenGeneration, SamePosition, SyncState, by_position
from swarm.search.pareto import ObservedFront


@dataclass(frozen=True)
class GenerationalSearch:
    """A search whose optimizer learns a whole generation at once."""

    loop: Loop

    def run(self) -> str:
        """Search until something ends it; returns what did: a budget's name, or "exhausted"."""
        prior = self.loop.archive.prior_results()
        best = max(map(self.loop.worth, prior), default=-math.inf)
        state = SyncState(self.loop.begin(), best, ObservedFront(map(self.loop.measured, prior)))
        feed: Feed = deque()
        reason = self._supply(state, feed)
        while not reason:
            assert feed, "a pool answers every task of its feed"
            reason = self._score(state, feed)
        return reason

    def _score(self, state: SyncState, feed: Feed) -> str:
        """Score the feed, and what is added to it meanwhile; returns what ended the search, or ""."""
        with closed(self.loop.evaluate(feed)) as outcomes:
            for outcome in outcomes:
                if (evaluation := self.loop.append(outcome)) is None:
                    continue
                self._take(state, evaluation)
                if self.loop.out_of_time() and not all(generation.scored for generation in state.open):
                    return "minutes"
                if reason := self._supply(state, feed):
                    return reason
        return ""

    def _take(self, state: SyncState, evaluation: Evaluation) -> None:
        """An evaluation of an open generation. The journal has it already."""
        position = evaluation.candidate.position
        state.new_in_flight.discard(position)
        for generation in state.open:
            if generation.iteration == evaluation.candidate.iteration:
                generation.missing.discard(position)

    def _supply(self, state: SyncState, feed: Feed) -> str:
        """Learn what is complete and hand out what it leads to; returns what ended the search, or ""."""
        while not state.open or state.open[0].scored:
            if state.open:
                self._close(state, feed)
            if not state.spent and not self._ask(state, feed):
                return "minutes"
            if not state.open:
                return state.spent or "exhausted"
        if not state.looked_ahead and self._is_last(state):
            state.looked_ahead = True
            feed.extend(self.loop.afterwards())
        return ""

    def _is_last(self, state: SyncState) -> bool:
        """Whether the budgets leave no room for a generation after those that are open, but for repeated positions."""
        over = state.open[-1].iteration + 1 >= self.loop.optimizer.iterations
        return bool(state.spent) or over or not self.loop.has_room(len(state.new_in_flight))

    # A generation from its beginning to its end

    def _ask(self, state: SyncState, feed: Feed) -> bool:
        """Hand out the generations that are asked for and not yet open; False once the minutes are over."""
        last = state.open[-1].iteration if state.open else -1
        for iteration, proposals in groupby(self.loop.optimizer.ask(state.optimizer), lambda each: each.iteration):
            if iteration <= last or state.spent:
                continue
            stale = iteration - 1 - self.loop.lag - state.best_iteration
            state.spent = self._spent(iteration, stale)
            if not state.spent and not self._open(state, feed, list(proposals)):
                return False
        return True

    def _spent(self, iteration: int, stale: int) -> str:
        """The budget that is spent before a generation, or "". stale: generations since the best was found."""
        budget = self.loop.optimizer
        if iteration >= budget.iterations:
            return "iterations"
        if budget.patience is not None and stale >= budget.patience:
            return "patience"
        return ""

    def _open(self, state: SyncState, feed: Feed, proposals: Sequence[Proposal]) -> bool:
        """Hand out what the archive does not hold yet, as far as the budgets go; False once the minutes are over."""
        ranked = self.loop.ranked(proposals[0].iteration - self.loop.lag)
        generation = OpenGeneration(proposals, by_position(proposals, self.loop.position), next(iter(ranked), None))
        unscored = self._unscored(generation.groups)
        self._check_complete(unscored)
        in_flight = {position for each in state.open for position in each.missing}
        affordable = self._affordable(unscored, in_flight, state.new_in_flight)
        if affordable and self.loop.out_of_time():
            return False
        for task in self._tasks(affordable, ranked):
            position = task.candidate.position
            if position in in_flight:
                generation.waiting.append(task)
            else:
                generation.missing.add(position)
                feed.append(task)
        if len(affordable) < len(unscored):
            generation.partial, state.spent = True, "evaluations"
        state.open.append(generation)
        return True

    def _close(self, state: SyncState, feed: Feed) -> None:
        """Let the optimizer learn the older generation, all of which is scored."""
        generation = state.open.pop(0)
        self._append_repeats(generation.groups)
        for later in state.open:
            for task in later.waiting:
                if self.loop.archive.at(task.candidate.position) is None:  # it was stopped: raced anew
                    later.missing.add(task.candidate.position)
                    feed.append(task)
            later.waiting.clear()
        if generation.partial:
            return
        results = self._results(generation)
        if state.spent:
            return
        state.optimizer = self.loop.optimizer.tell(state.optimizer, results)
        top = max((r.utility for r in results if not math.isnan(r.utility)), default=-math.inf)
        widened = self.loop.optimizer.holds_apart and state.front.widened_by(r.measured for r in results)
        if top > state.best or widened:
            state.best, state.best_iteration = max(top, state.best), generation.iteration

    def _results(self, generation: OpenGeneration) -> list[Observation]:
        """What the optimizer learns of a generation. Raises RunError where all of the first one failed."""
        results = [self.loop.result(each, self._evaluation(each), generation.best) for each in generation.proposals]
        if generation.iteration == 0 and all(math.isnan(result.utility) for result in results):
            raise RunError(f"every candidate of the first generation failed; the first said: {self.loop.first_error()}")
        return results

    def _evaluation(self, proposal: Proposal) -> Evaluation:
        evaluation = self.loop.archive.of(self.loop.candidate(proposal).id)
        assert evaluation is not None, "the optimizer learns a generation when all of it is scored"
        return evaluation

    # What is to be scored

    def _unscored(self, groups: Sequence[SamePosition]) -> list[SamePosition]:
        """Those whose score is not known, from this generation or before. A position that was stopped is raced anew."""
        for candidate in (self.loop.candidate(proposal) for group in groups for proposal in group):
            known = self.loop.archive.of(candidate.id)
            if known is not None and known.candidate.position != candidate.position:
                raise RunError(
                    f"{self.loop.archive.journal.path}: candidate {candidate.id} was scored at another position than "
                    "this config gives; the config or this version differs from the run's: start a new run"
                )
        return [group for group in groups if self._known(group) is None]

    def _check_complete(self, unscored: Sequence[SamePosition]) -> None:
        """Raise RunError where a later generation was scored before all of this one: its lines are lost."""
        archive = self.loop.archive
        if not unscored or (later := archive.beyond(unscored[0][0].iteration + self.loop.lag)) is None:
            return
        missing = self.loop.candidate(unscored[0][0]).id
        raise RunError(
            f"{archive.journal.path}: candidate {missing} has no line, and candidate {later}, "
            f"which came after it, has one; restore it from a copy, or cut off the line of candidate {later} and all "
            f"that follow, then swarm resume {archive.journal.path.parent}"
        )

    def _known(self, group: SamePosition) -> Evaluation | None:
        """The evaluation that holds for a group: of the position, or of its first proposal, which may be stopped."""
        first = self.loop.candidate(group[0])
        return self.loop.archive.at(first.position) or self.loop.archive.of(first.id)

    def _affordable(
        self, groups: Sequence[SamePosition], in_flight: set[Position], new_in_flight: set[Position]
    ) -> list[SamePosition]:
        """Those that the budget of evaluations has room for, the first ones first. What is in flight is paid for."""
        affordable = []
        for group in groups:
            position = self.loop.position(group[0].x_D)
            if position in in_flight or self.loop.archive.paid(position):
                affordable.append(group)
            elif self.loop.affords(position, len(new_in_flight)):
                affordable.append(group)
                new_in_flight.add(position)
        return affordable

    def _tasks(self, groups: Sequence[SamePosition], ranked: Sequence[Evaluation]) -> list[Task]:
        """A task for each group. ranked: what was scored in full when the generation was asked, best first."""
        if not groups:
            return []
        enough = len(ranked) >= self.loop.finalists
        bar = self.loop.worth(ranked[self.loop.finalists - 1]) if enough else -math.inf
        best = ranked[0] if ranked else None
        expected = mean_scores(self.loop.archive, groups[0][0].iteration - 1 - self.loop.lag)
        return [
            self.loop.task(self.loop.candidate(group[0]), self.loop.pruning_bounds(group, bar, best, expected))
            for group in groups
        ]

    def _append_repeats(self, groups: Sequence[SamePosition]) -> None:
        """Journal the candidates whose position has been scored for another one: nothing is scored twice."""
        for group in groups:
            if self._known(group) is None:
                continue
            for candidate in map(self.loop.candidate, group):
                if self.loop.archive.of(candidate.id) is None:
                    self.loop.append_repeat(candidate)


def mean_scores(archive: Archive, iteration: int) -> dict[str, float]:
    """Objective -> mean score of an iteration's candidates; empty where none was scored."""
    made = [evaluation for evaluation in archive.searched_in(iteration) if evaluation.status != "failed"]
    return {name: math.fsum(e.scores[name] for e in made) / len(made) for name in made[0].scores} if made else {}

"""The search generation by generation (`sync`): ask, evaluate, journal, tell, until a budget is spent.

Only earlier generations decide how a candidate is scored, so neither the order in which workers answer nor a resume
changes the result.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from swarm.core.candidates import Evaluation, PruningBounds, Task
from swarm.core.errors import RunError
from swarm.core.outcomes import closed
from swarm.journal.archive import Archive
from swarm.optimizers.base import Observation, Proposal
from swarm.search.loop import Loop, Position, candidate_of, position_of

SamePosition = Sequence[Proposal]  # of one generation; the first is scored, for all of them


@dataclass(frozen=True)
class GenerationalSearch:
    """A search whose optimizer learns a whole generation at once."""

    loop: Loop

    def run(self) -> str:
        """Search until something ends it; returns what did: a budget's name, or "exhausted"."""
        optimizer = self.loop.optimizer
        state = self.loop.begin()
        best, best_iteration = max(map(self.loop.worth, self.loop.archive.prior_results()), default=-math.inf), 0
        while proposals := optimizer.ask(state):
            iteration = proposals[0].iteration
            if reason := self._spent(iteration, iteration - 1 - best_iteration):
                return reason
            if reason := self._score(proposals):
                return reason
            results = self._results(proposals)
            state = optimizer.tell(state, results)
            top = max((r.utility for r in results if not math.isnan(r.utility)), default=-math.inf)
            if top > best:
                best, best_iteration = top, iteration
        return "exhausted"

    def _spent(self, iteration: int, stale: int) -> str:
        """The budget that is spent before a generation, or "". stale: generations since the best was found."""
        budget = self.loop.optimizer
        if iteration >= budget.iterations:
            return "iterations"
        if budget.patience is not None and stale >= budget.patience:
            return "patience"
        return ""

    def _results(self, proposals: Sequence[Proposal]) -> list[Observation]:
        """What the optimizer learns of a generation. Raises RunError where all of the first one failed."""
        iteration = proposals[0].iteration
        best = next(iter(self.loop.ranked(iteration)), None)
        results = [self.loop.result(proposal, self._evaluation(proposal), best) for proposal in proposals]
        if iteration == 0 and all(math.isnan(result.utility) for result in results):
            raise RunError(f"every candidate of the first generation failed; the first said: {self.loop.first_error()}")
        return results

    def _evaluation(self, proposal: Proposal) -> Evaluation:
        evaluation = self.loop.archive.of(candidate_of(proposal).id)
        assert evaluation is not None, "the optimizer learns a generation when all of it is scored"
        return evaluation

    # One generation

    def _score(self, proposals: Sequence[Proposal]) -> str:
        """Score what the archive does not hold yet; returns the budget that ended it early, or ""."""
        groups = _by_position(proposals)
        unscored = self._unscored(groups)
        self._check_complete(unscored)
        affordable = self._affordable(unscored)
        if affordable and self.loop.out_of_time():
            return "minutes"
        feed = deque(Task(candidate_of(group[0]), bounds) for group, bounds in self._with_bounds(affordable))
        with closed(self.loop.evaluate(feed)) as outcomes:
            for outcome in outcomes:
                if self.loop.append(outcome) and self.loop.out_of_time() and self._unscored(affordable):
                    return "minutes"
        self._append_repeats(groups)
        return "evaluations" if len(affordable) < len(unscored) else ""

    def _unscored(self, groups: Sequence[SamePosition]) -> list[SamePosition]:
        """Those whose score is not known, from this generation or before. A position that was stopped is raced anew."""
        for candidate in (candidate_of(proposal) for group in groups for proposal in group):
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
        if not unscored or (later := archive.beyond(unscored[0][0].iteration)) is None:
            return
        raise RunError(
            f"{archive.journal.path}: candidate {candidate_of(unscored[0][0]).id} has no line, and candidate {later}, "
            f"which came after it, has one; restore it from a copy, or cut off the line of candidate {later} and all "
            f"that follow, then swarm resume {archive.journal.path.parent}"
        )

    def _known(self, group: SamePosition) -> Evaluation | None:
        """The evaluation that holds for a group: of the position, or of its first proposal, which may be stopped."""
        first = candidate_of(group[0])
        return self.loop.archive.at(first.position) or self.loop.archive.of(first.id)

    def _affordable(self, groups: Sequence[SamePosition]) -> list[SamePosition]:
        """Those that the budget of evaluations has room for, the first ones first."""
        affordable, new = [], 0
        for group in groups:
            position = position_of(group[0].x_D)
            if self.loop.affords(position, new):
                affordable.append(group)
                new += not self.loop.archive.paid(position)
        return affordable

    def _with_bounds(self, groups: Sequence[SamePosition]) -> list[tuple[SamePosition, PruningBounds]]:
        """Each group with its pruning bounds, which only earlier generations decide."""
        if not groups:
            return []
        iteration = groups[0][0].iteration
        ranked = self.loop.ranked(iteration)
        enough = len(ranked) >= self.loop.finalists
        bar = self.loop.worth(ranked[self.loop.finalists - 1]) if enough else -math.inf
        best = ranked[0] if ranked else None
        expected = mean_scores(self.loop.archive, iteration - 1)
        return [(group, self.loop.pruning_bounds(group, bar, best, expected)) for group in groups]

    def _append_repeats(self, groups: Sequence[SamePosition]) -> None:
        """Journal the candidates whose position has been scored for another one: nothing is scored twice."""
        for group in groups:
            if self._known(group) is None:
                continue
            for candidate in map(candidate_of, group):
                if self.loop.archive.of(candidate.id) is None:
                    self.loop.append_repeat(candidate)


def mean_scores(archive: Archive, iteration: int) -> dict[str, float]:
    """Objective -> mean score of an iteration's candidates; empty where none was scored."""
    made = [evaluation for evaluation in archive.searched_in(iteration) if evaluation.status != "failed"]
    return {name: math.fsum(e.scores[name] for e in made) / len(made) for name in made[0].scores} if made else {}


def _by_position(proposals: Sequence[Proposal]) -> list[SamePosition]:
    """Proposals grouped by position, each group where its first proposal stood."""
    groups: dict[Position, list[Proposal]] = {}
    for proposal in proposals:
        groups.setdefault(position_of(proposal.x_D), []).append(proposal)
    return list(groups.values())

"""What a search is made of, and the decisions that both schedules share: budgets, pruning bounds, what is learnt.

It sees an optimizer and a callable that scores candidates; it cannot reach the test split.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from swarm.core.candidates import Candidate, Evaluation, Incumbent, PruningBounds, Task
from swarm.core.errors import RunError
from swarm.core.measured import Measured
from swarm.core.outcomes import Failure, Feed, Outcome
from swarm.core.space import Array, Position, Space
from swarm.journal.archive import Archive
from swarm.journal.records import VoidRecord
from swarm.optimizers import Optimizer
from swarm.optimizers.base import Observation, PriorResult, Proposal
from swarm.preferences.goals import Goals
from swarm.preferences.weighted_sum import estimate, worth

Evaluate = Callable[[Feed], Iterator[Outcome]]


@dataclass(frozen=True)
class Loop:
    """What a search is made of, whatever its schedule.

    optimizer: proposes positions, and holds the budgets.
    space: where the optimizer may move.
    seed: decides every random draw.
    weights: objective -> its weight in the utility.
    archive: what has been scored so far; a search over an archive that is not empty resumes.
    evaluate: scores the tasks of a feed, in any order.
    on_evaluation: hears of every evaluation, after the journal.
    finalists: how many of the best candidates the result of the run depends on.
    sequential: whether tasks carry the incumbents that a sequential test compares a candidate with.
    together: how many candidates with such bounds a worker is best given at a time.
    on_replayed: hears of the steps that a resumed search takes again: how many of how many.
    afterwards: what is to be scored after the search, whatever it finds: handed out to workers that have nothing else
        to do once the search has no more candidates for them.
    goals: what counts beside the utility; None where nothing does.
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
    together: Callable[[PruningBounds], int] = lambda bounds: 1
    on_replayed: Callable[[int, int], None] = lambda done, of: None
    afterwards: Callable[[], Sequence[Task]] = lambda: ()
    goals: Goals | None = None

    def begin(self) -> Any:
        """The optimizer's state before anything is scored; it has been told of the search that this one continues."""
        state = self.optimizer.init(self.space, self.seed)
        prior = self.archive.prior_results()
        known = [PriorResult(np.array(e.candidate.position), self.worth(e), self.measured(e)) for e in prior]
        return self.optimizer.remember(state, known) if known else state

    @property
    def lag(self) -> int:
        """How many generations before another one are not complete when that one is asked."""
        return 1 if self.optimizer.proposes_ahead else 0

    # Where proposals are scored: several may be one position, and several positions one model

    def position(self, x_D: Array) -> Position:
        return self.space.scored_at(x_D)

    def candidate(self, proposal: Proposal) -> Candidate:
        name = f"{proposal.iteration}-{proposal.particle}"
        return Candidate(name, self.position(proposal.x_D), proposal.iteration, proposal.particle)

    # Budgets

    def affords(self, position: Position, pending: int) -> bool:
        """Whether the budget of evaluations has room for a position: always, if it was paid for before.

        pending: how many new positions are already to be scored and not yet in the archive.
        """
        return self.archive.paid(position) or self.has_room(pending)

    def has_room(self, pending: int) -> bool:
        """Whether the budget of evaluations has room for a new position. pending: as for `affords`."""
        limit = self.optimizer.evaluations
        return limit is None or self.archive.evaluations + pending < limit

    def out_of_time(self) -> bool:
        """True once the search has worked its minutes, counted from its first evaluation on."""
        if self.optimizer.minutes is None:
            return False
        began = self.archive.search_began
        return began is not None and self.archive.elapsed - began >= 60.0 * self.optimizer.minutes

    # The journal

    def append(self, outcome: Outcome) -> Evaluation | None:
        """Journal what came of a task; returns it where it is an evaluation of a candidate of the search."""
        if isinstance(outcome, Failure):
            self.archive.append_failure(outcome)
            return None
        if outcome.split != "search":  # a baseline, scored ahead for the selection
            self.archive.append_evaluation("select", outcome, outcome.split)
            return None
        self.archive.append_evaluation("evaluation", outcome)
        self.on_evaluation(outcome)
        return outcome

    def append_repeat(self, candidate: Candidate) -> Evaluation:
        """Journal a candidate at a position that was scored before: it takes those scores."""
        repeated = self.archive.append_repeat("evaluation", candidate, "search")
        self.on_evaluation(repeated)
        return repeated

    def first_error(self) -> str:
        return f"{self.archive.searched()[0].error}; correct that and start a new run"

    def check_failures(self) -> None:
        """Void the search and raise RunError where more than half of its candidates failed.

        Some candidates cannot be scored, which is data. Most of them can, so the cause is another one.
        """
        searched = self.archive.searched()
        failed = [evaluation for evaluation in searched if evaluation.status == "failed"]
        if 2 * len(failed) <= len(searched):
            return
        self.archive.append(VoidRecord(failed=len(failed), scored=len(searched), error=failed[0].error))
        folder = self.archive.journal.path.parent
        raise RunError(
            f"{folder}: {len(failed)} of {len(searched)} candidates failed; the first said: {failed[0].error}; mend "
            f"the cause, then swarm resume {folder} scores them again"
        )

    # What an evaluation is worth

    def ranked(self, before: int) -> Sequence[Evaluation]:
        """What was scored in full before an iteration, best first."""
        return self.archive.ranked(self.weights, before, self.optimizer.climbs_soft)

    def worth(self, evaluation: Evaluation) -> float:
        """Its utility as the search ranks it: NaN where it failed or was stopped."""
        return worth(evaluation, self.weights, self.optimizer.climbs_soft) if evaluation.status == "ok" else math.nan

    def measured(self, evaluation: Evaluation) -> Measured | None:
        """What counts of it beside the utility."""
        return None if self.goals is None else self.goals.measured(evaluation)

    def result(self, proposal: Proposal, evaluation: Evaluation, best: Evaluation | None) -> Observation:
        """What the optimizer learns of a proposal. best: the best that was scored in full before it.

        An optimizer that takes estimates learns one for a stopped evaluation, which is never above the best.
        """
        if evaluation.status == "stopped" and self.optimizer.takes_estimates:
            assert best is not None, "only a comparison with the best stops a candidate of such an optimizer"
            value = estimate(evaluation, best, self.weights, self.optimizer.climbs_soft)
        else:
            value = self.worth(evaluation)
        return Observation(proposal.iteration, proposal.particle, value, self.measured(evaluation))

    # What is handed out

    def task(self, candidate: Candidate, bounds: PruningBounds) -> Task:
        return Task(candidate, bounds, self.together(bounds))

    def pruning_bounds(
        self, proposals: Sequence[Proposal], bar: float, best: Evaluation | None, expected: Mapping[str, float]
    ) -> PruningBounds:
        """Which utilities change nothing: neither the trajectory of the optimizer nor the set of finalists.

        proposals: all that share the position. bar: the highest utility that makes no finalist. best: the best that
        was scored in full. expected: objective -> the mean score to expect.
        """
        if self.goals is not None:
            return PruningBounds(expected=expected)  # a low utility may still widen a front, or keep a floor
        low, high = max(p.low for p in proposals), min(p.high for p in proposals)
        stoppable = high > -math.inf or self.optimizer.takes_estimates
        exact = PruningBounds(low, min(high, bar), expected=expected)
        if not self.sequential or best is None or not stoppable or len(proposals) > 1:
            return exact
        personal_D = proposals[0].personal_D
        personal = None if personal_D is None else self.archive.at(self.position(personal_D))
        remembered = (each for each in (best, personal) if each and each.candidate.iteration is None)
        if not all(each.surrogates for each in remembered):
            return exact  # scored by a search that this one continues, and that made no tests
        return PruningBounds(
            low,
            min(high, bar),
            personal=None if personal is None else incumbent_of(personal),
            best=incumbent_of(best),
            worst=low if math.isfinite(low) else None,
            expected=expected,
        )


def incumbent_of(evaluation: Evaluation) -> Incumbent:
    return Incumbent(dict(evaluation.examples), dict(evaluation.surrogates))

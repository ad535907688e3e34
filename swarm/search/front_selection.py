"""Selection where several things count: the members of a front, floors that are held, a rule that chooses.

The members are the best by the posterior means on the search split. They and the baselines are scored on the select
split. Whom another one dominates there with significance leaves, and so does who does not keep the floors by lower
bounds; of the others the rule chooses.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from swarm.core.candidates import Candidate, distinct_positions
from swarm.core.errors import RunError
from swarm.core.space import Array, Space
from swarm.preferences import Rule
from swarm.preferences.goals import Goals
from swarm.search.front import CONFIDENCE, Front, stacked
from swarm.search.posterior_front import posterior_finalists, safest_first
from swarm.search.selection import Selection
from swarm.statistics.intervals import Score


@dataclass(frozen=True)
class FrontSelection(Selection):
    """Settings beside those of `Selection`.

    space: where the search moved. goals: what counts. rule: who is chosen of the members.
    cautious: members are compared by lower bounds instead of means.
    nearest: where no one keeps the floors, the nearest is chosen, instead of no one.
    labels: objective -> the group of each select example; empty where the data name none.
    """

    space: Space = field(kw_only=True)
    goals: Goals = field(kw_only=True)
    rule: Rule = field(kw_only=True)
    cautious: bool = False
    nearest: bool = False
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def finalists(self, count: int) -> list[Candidate]:
        """The members, at most `count`; of a search that this one continues, those that were scored on select, too."""
        super().finalists(count)  # raises where nothing was scored
        baselines = {candidate.position for candidate in self.baselines.all()}
        before = (e.candidate for e in self.archive.prior_results() if self._scored(e.candidate, "select"))
        best = posterior_finalists(self.space, self.searched(), self.goals, count, baselines)
        return distinct_positions([*best, *(c for c in before if c.position not in baselines)])

    def members(self) -> list[Candidate]:
        """Those that no one dominates with significance on the select split, of a front alone. The test split decides
        nothing: it says how good the front is."""
        front = self.front(self.selected()) if self.goals.apart else None
        return [] if front is None else [front.candidates[row] for row in np.flatnonzero(front.dominated() < 0)]

    def selected(self) -> list[Candidate]:
        """Those that were scored on the select split, in the journal's order."""
        records = [r for r in self.archive.scored if r.kind == "select" and r.split == "select"]
        return distinct_positions(Candidate(r.id, r.position, r.iteration, r.particle) for r in records)

    def winner(self, finalists: Iterable[Candidate]) -> Candidate:
        """The rule's choice among the members that are not dominated and keep the floors, baselines included.

        Raises RunError where all failed on the select split, or where no one keeps the floors and the nearest is not
        asked for.
        """
        finalists = list(finalists)
        if (front := self.front(finalists)) is None:
            return super().winner(finalists)
        rows = front.eligible()
        if len(rows):
            return front.candidates[front.ranked(self.rule, rows)[0]]
        if not self.nearest:
            raise RunError(self._broken(front))
        return front.candidates[front.nearest()]

    def predicted(self, finalists: Sequence[Candidate], winner: Candidate) -> dict[str, Score]:
        front = self.front(finalists)
        if front is None or winner not in front.candidates:
            return {}
        rows = front.eligible()
        return front.predicted(self.rule, rows, front.candidates.index(winner))

    def front(self, finalists: Sequence[Candidate]) -> Front | None:
        """What a choice rests on; None where no one was scored on the select split."""
        # In an order that does not depend on the workers.
        every = sorted(distinct_positions([*self.contenders(), *finalists]), key=lambda c: (c.age, c.id))
        pairs = [(e, s) for c in every if (e := self._scored(c, "select")) and (s := self._scored(c, "search"))]
        if not pairs:
            return None
        by_position = {candidate.position: candidate for candidate in every}  # a position may have several ids
        base = self._scored(self.baselines.base, "select")
        if base is None and (self.rule.needs_examples or any(f.from_base for f in self.goals.floors.values())):
            raise RunError(
                f"{self.archive.journal.path.parent}: the base failed on the select split, and floors or the rule "
                f"{self.rule.type} compare with it; mend the cause and start a new run"
            )
        pooled = self.pooled and self.baselines.groups is None
        return Front(
            candidates=tuple(by_position[e.candidate.position] for e, _ in pairs),
            goals=self.goals,
            select=stacked([e for e, _ in pairs]),
            search=stacked([s for _, s in pairs]) if pooled else None,
            base={name: scores_MP[0] for name, scores_MP in stacked([base]).items()} if base else {},
            reference_K=self.reference_K,
            labels=self.labels,
            safest=safest_first(self.space, self.searched(), self.goals, [s for _, s in pairs]),
            cautious=self.cautious,
        )

    @property
    def reference_K(self) -> Array:
        """Where gains count from: as the config says, else the lowest of the baselines' scores on the search split."""
        names = [name for name, weight in self.weights.items() if weight > 0]
        scored = [found for c in self.baselines.all() if (found := self._scored(c, "search"))]
        lowest = {name: min((found.scores[name] for found in scored), default=0.0) for name in names}
        return np.array([self.goals.references.get(name, lowest[name]) for name in names])

    def _broken(self, front: Front) -> str:
        """What there is to say where nobody keeps the floors."""
        row = front.nearest()
        bounds_F = front.sure_bounds()[row]
        worst = int(bounds_F.argmin())
        name, floor = list(self.goals.floors.items())[worst]
        folder, sure = self.archive.journal.path.parent, round(100 * CONFIDENCE)
        return (
            f"{folder}: no candidate keeps the floors with {sure} % confidence on the select split, so nothing is "
            f"delivered; the nearest, {front.candidates[row].id}, is {-bounds_F[worst]:.3g} below the floor of {name} "
            f"({floor}) by its lower bound; swarm resume {folder} --set selection.floors=nearest delivers it, or "
            "start a new run with a lower floor or a larger select split"
        )

"""The generations that are being scored: one, or two where the optimizer proposes ahead."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from swarm.core.candidates import Evaluation, Task
from swarm.core.space import Array, Position
from swarm.optimizers.base import Proposal
from swarm.search.pareto import ObservedFront

SamePosition = Sequence[Proposal]  # of one generation; the first is scored, for all of them


@dataclass
class OpenGeneration:
    """A generation that is being scored.

    proposals: all of it. groups: the same by position.
    best: the best that was scored in full when it was asked.
    partial: whether the budget of evaluations has no room for all of it.
    missing: positions that are being scored for it.
    waiting: tasks whose position is being scored for the generation before.
    """

    proposals: Sequence[Proposal]
    groups: Sequence[SamePosition]
    best: Evaluation | None
    partial: bool = False
    missing: set[Position] = field(default_factory=set)
    waiting: list[Task] = field(default_factory=list)

    @property
    def iteration(self) -> int:
        return self.proposals[0].iteration

    @property
    def scored(self) -> bool:
        """Whether everything is scored that the budget has room for."""
        return not self.missing and not self.waiting


@dataclass
class SyncState:
    """Where a search by generations is.

    optimizer: the optimizer's state.
    best: the highest utility of the generations that it has learnt.
    front: the front of these generations, where objectives are held apart.
    best_iteration: the latest one with a new best, or with a new member of the front.
    open: the generations that are being scored, the older one first.
    new_in_flight: positions in flight that the budget has yet to count.
    spent: the budget that leaves no room for another generation, or "".
    looked_ahead: whether what is scored after the search was handed out.
    """

    optimizer: Any
    best: float
    front: ObservedFront
    best_iteration: int = 0
    open: list[OpenGeneration] = field(default_factory=list)
    new_in_flight: set[Position] = field(default_factory=set)
    spent: str = ""
    looked_ahead: bool = False


def by_position(proposals: Sequence[Proposal], position: Callable[[Array], Position]) -> list[SamePosition]:
    """Proposals grouped by the position where they are scored, each group where its first proposal stood."""
    groups: dict[Position, list[Proposal]] = {}
    for proposal in proposals:
        groups.setdefault(position(proposal.x_D), []).append(proposal)
    return list(groups.values())

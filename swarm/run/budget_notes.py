"""Whether the budget of a search reaches beyond its starting points, and is spent on experts that change nothing."""

import math
from collections.abc import Iterable
from typing import Any

from swarm.core.space import Position, Space
from swarm.experts.catalog import Catalog
from swarm.optimizers import Optimizer, Proposal
from swarm.search.baselines import Baselines
from swarm.search.status import Budget


def budget_notes(optimizer: Optimizer[Any], space: Space, seed: int) -> list[str]:
    """A note where the budget ends before the starting points do, or with them. Raises ConfigError.

    The starting points are what the optimizer asks for first: a generation, or two that overlap.
    """
    first = optimizer.ask(optimizer.init(space, seed))
    starts, generations = _positions(space, first), 1 + max(proposal.iteration for proposal in first)
    within = _positions(space, (each for each in first if each.iteration < optimizer.iterations))
    most = optimizer.evaluations or math.inf
    if most < len(starts):
        return [
            f"{_counted(most)} cover {most} of {len(starts)} starting points; "
            f"raise optimizer.evaluations above {len(starts)}"
        ]
    if len(within) < len(starts):
        return [
            f"the iterations cover {len(within)} of {len(starts)} starting points; "
            f"raise optimizer.iterations above {generations}"
        ]
    baselines = {candidate.position for candidate in Baselines.of(space).all()}
    if starts <= baselines and len(starts) > 1 and (most == len(starts) or optimizer.iterations <= generations):
        key = "optimizer.evaluations" if most == len(starts) else "optimizer.iterations"
        return [
            f"the budget covers the {len(starts)} starting points, which are baselines, and nothing else; raise {key}"
        ]
    return []


def idle_expert_notes(catalog: Catalog) -> list[str]:
    """A note for each expert that is the base itself."""
    return [
        f"expert {expert.name} is the base itself: its coefficient changes nothing, and the search has a dimension "
        "without use; remove it from experts"
        for expert in catalog.experts
        if expert.kind == "checkpoint" and expert.fingerprint == catalog.base.tensors.fingerprint
    ]


def known_note(budget: Budget, known: int) -> str:
    """How much of a search is not to be done again when its run is resumed."""
    return f"resuming: {known} of at most {budget.evaluations} evaluations are known already"


def _positions(space: Space, proposals: Iterable[Proposal]) -> set[Position]:
    return {space.scored_at(proposal.x_D) for proposal in proposals}


def _counted(evaluations: float) -> str:
    return "1 evaluation" if evaluations == 1 else f"{evaluations} evaluations"

"""Greedy soup (Wortsman et al. 2022, arXiv 2203.05482, Recipe 1), of experts' coefficients in place of whole weights.

The anchors are scored first; then, from the best expert alone, one expert after another in the order of their own
utilities joins the plain average (the uniform average's scale 1) if the utility does not fall. A trial is a generation
of one candidate, so there are as many as experts, less one: it ends by itself, and needs no more workers than anchors.

Shape suffixes: A anchors, E experts, D coordinates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from swarm.core.space import Array, Space
from swarm.optimizers.base import Proposal
from swarm.optimizers.generational import Generation, Generational, GenerationState, indifferent
from swarm.optimizers.initial_design import clip, reference_points


@dataclass(frozen=True, kw_only=True)
class SoupState(GenerationState):
    """ranked: the experts, best alone first; none before they are scored. tried: how many of them were.

    soup: those that stayed. soup_D: their average. utility: its utility, -inf where there is none.
    """

    ranked: tuple[int, ...] = ()
    tried: int = 0
    soup: tuple[int, ...] = ()
    soup_D: Array
    utility: float = -np.inf


class GreedySoup(Generational[SoupState]):
    """The steps of a greedy soup. It has no settings but the budgets."""

    type: Literal["greedy_soup"] = "greedy_soup"

    def init(self, space: Space, seed: int) -> SoupState:
        known_AD = reference_points(space)
        return SoupState(space=space, seed=seed, generation=Generation.fresh(0, known_AD), soup_D=known_AD[0])

    def with_bounds(self, state: SoupState, proposal: Proposal) -> Proposal:
        """The averages and the base do not count for the soup; a trial has to be as good as what there is."""
        if not state.ranked:
            alone = any(proposal.particle == i for i in _alone(state.space))
            return proposal if alone else indifferent(proposal)
        if state.utility == -np.inf:
            return proposal
        return replace(
            proposal, low=-np.inf, high=float(np.nextafter(state.utility, -np.inf)), personal_D=state.soup_D.copy()
        )

    def advance(self, state: SoupState) -> SoupState:
        state = _judged(state) if state.ranked else _ranked(state)
        left = state.ranked[state.tried : state.tried + 1]
        trial_ND = np.array([average(state.space, [*state.soup, expert]) for expert in left])
        return replace(
            state,
            generation=Generation.fresh(
                state.generation.iteration + 1, trial_ND.reshape(len(left), state.space.dimensions)
            ),
        )


def average(space: Space, experts: Sequence[int]) -> Array:
    """The plain average of some experts. Shape D."""
    mean_D: Array = space.experts_ED[sorted(experts)].mean(axis=0)
    return clip(mean_D, space)


def _alone(space: Space) -> list[int]:
    """Each expert's place among the anchors."""
    known_AD = reference_points(space)
    return [int(np.abs(known_AD - x_D).max(axis=1).argmin()) for x_D in clip(space.experts_ED, space)]


def _ranked(state: SoupState) -> SoupState:
    """The soup of the best expert alone; those without a utility come last."""
    utility_E = state.generation.utilities_N[_alone(state.space)]
    utility_E = np.where(np.isnan(utility_E), -np.inf, utility_E)
    ranked = tuple(np.argsort(-utility_E, kind="stable").tolist())
    first = ranked[0]
    soup_D = average(state.space, [first])
    return replace(state, ranked=ranked, tried=1, soup=(first,), soup_D=soup_D, utility=float(utility_E[first]))


def _judged(state: SoupState) -> SoupState:
    """The soup with the expert that was tried, if the utility did not fall; without it where it is unknown."""
    expert, utility = state.ranked[state.tried], float(state.generation.utilities_N[0])
    state = replace(state, tried=state.tried + 1)
    if np.isnan(utility) or utility < state.utility:
        return state
    return replace(state, soup=(*state.soup, expert), soup_D=state.generation.x_ND[0], utility=utility)

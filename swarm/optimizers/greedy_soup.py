"""Greedy soup (Wortsman et al. 2022, arXiv 2203.05482, Recipe 1), of experts' coefficients in place of whole weights.

The reference points are scored first. Then, from the best expert alone, one expert after another in the order of their
own utilities joins the plain average (the uniform average of scale 1) if the utility does not fall. A trial is a
generation of one candidate, so after E - 1 trials the search ends by itself. It needs no more workers than there are
reference points.

Shape suffixes: R reference points, E experts, D coordinates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from swarm.core.space import Array, Space
from swarm.optimizers.base import Proposal
from swarm.optimizers.generational import Generational, GenerationState, ParticleGeneration, always_prunable
from swarm.optimizers.initial_design import reference_points
from swarm.optimizers.positions import clip


@dataclass(frozen=True, kw_only=True)
class SoupState(GenerationState):
    """The soup so far.

    ranked: the experts, best alone first; empty before they are scored.
    tried: how many of them were tried.
    soup: those that stayed.
    soup_D: their average.
    utility: its utility, -inf where there is none.
    """

    ranked: tuple[int, ...] = ()
    tried: int = 0
    soup: tuple[int, ...] = ()
    soup_D: Array
    utility: float = -np.inf


class GreedySoup(Generational[SoupState]):
    """The steps of a greedy soup. Its only settings are the budgets."""

    type: Literal["greedy_soup"] = "greedy_soup"

    def init(self, space: Space, seed: int) -> SoupState:
        x_RD = reference_points(space)
        return SoupState(space=space, seed=seed, generation=ParticleGeneration.fresh(0, x_RD), soup_D=x_RD[0])

    def most_positions(self, space: Space, seed: int) -> int:
        """The reference points, then a trial in every iteration, of every expert but the best."""
        return len(reference_points(space)) + min(self.iterations, len(space.experts)) - 1

    def with_pruning_bounds(self, state: SoupState, proposal: Proposal) -> Proposal:
        """Utilities of averages and base do not matter to the soup; a trial has to be as good as the soup so far."""
        if not state.ranked:
            alone = proposal.particle in _alone(state.space)
            return proposal if alone else always_prunable(proposal)
        if state.utility == -np.inf:
            return proposal
        return replace(
            proposal, low=-np.inf, high=float(np.nextafter(state.utility, -np.inf)), personal_D=state.soup_D.copy()
        )

    def advance(self, state: SoupState) -> SoupState:
        state = _after_trial(state) if state.ranked else _ranked(state)
        left = state.ranked[state.tried : state.tried + 1]
        trial_ND = np.array([average(state.space, [*state.soup, expert]) for expert in left])
        return replace(
            state,
            generation=ParticleGeneration.fresh(
                state.generation.iteration + 1, trial_ND.reshape(len(left), state.space.dimensions)
            ),
        )


def average(space: Space, experts: Sequence[int]) -> Array:
    """The plain average of some experts. Shape D."""
    mean_D: Array = space.experts_ED[sorted(experts)].mean(axis=0)
    return clip(mean_D, space)


def _alone(space: Space) -> list[int]:
    """Each expert's index among the reference points."""
    x_RD = reference_points(space)
    return [int(np.abs(x_RD - x_D).max(axis=1).argmin()) for x_D in clip(space.experts_ED, space)]


def _ranked(state: SoupState) -> SoupState:
    """The soup of the best expert alone; those without a utility come last."""
    utility_E = state.generation.utilities_N[_alone(state.space)]
    utility_E = np.where(np.isnan(utility_E), -np.inf, utility_E)
    ranked = tuple(np.argsort(-utility_E, kind="stable").tolist())
    first = ranked[0]
    soup_D = average(state.space, [first])
    return replace(state, ranked=ranked, tried=1, soup=(first,), soup_D=soup_D, utility=float(utility_E[first]))


def _after_trial(state: SoupState) -> SoupState:
    """The soup with the expert that was tried, if the utility is known and did not fall; else without it."""
    expert, utility = state.ranked[state.tried], float(state.generation.utilities_N[0])
    state = replace(state, tried=state.tried + 1)
    if np.isnan(utility) or utility < state.utility:
        return state
    return replace(state, soup=(*state.soup, expert), soup_D=state.generation.x_ND[0], utility=utility)

"""An optimizer that proposes ahead: cheap, and it repeats positions. It moves by all that it has learnt, so that a leak
of what is pending, or another order of results, changes its way.

Shape suffixes: N particles, D coordinates.
"""

import math
from dataclasses import replace
from typing import Literal

import numpy as np

from swarm.core.space import Array, Space
from swarm.optimizers.base import Proposal
from swarm.optimizers.generational import Generational
from swarm.optimizers.history import HistoryState, appended, initial_state, proposed
from swarm.optimizers.positions import to_unit_cube

STEP = 0.25  # of the grid that its positions lie on: coarse, so that many coincide


def best_of(state: HistoryState) -> tuple[float, Array]:
    """The best utility of the complete generations, and where."""
    found = [
        (float(u), -g.iteration, -i) for g in state.history for i, u in enumerate(g.utilities_N) if not math.isnan(u)
    ]
    if not found:
        return -math.inf, state.space.neutral_D
    value, g, i = max(found)
    return value, state.history[-g].x_ND[-i]


class Ahead(Generational[HistoryState]):
    type: Literal["ahead"] = "ahead"
    particles: int = 3

    @property
    def proposes_ahead(self) -> bool:
        return True

    def init(self, space: Space, seed: int) -> HistoryState:
        return initial_state(space, seed, max(2 * self.particles, 7), overlap=self.particles)

    def advance(self, state: HistoryState) -> HistoryState:
        assert state.pending is not None
        assert state.pending.open_N.all()
        assert np.isnan(state.pending.utilities_N).all()
        state = appended(state)
        rng = np.random.default_rng([state.seed, len(state.history)])
        near_D = to_unit_cube(state.space, best_of(state)[1])
        x_ND = near_D + rng.normal(0.0, STEP, (self.particles, len(near_D)))
        return proposed(state, np.clip(np.round(x_ND / STEP) * STEP, 0.0, 1.0))

    def with_pruning_bounds(self, state: HistoryState, proposal: Proposal) -> Proposal:
        best = best_of(state)[0]
        return replace(proposal, low=-math.inf, high=best) if best > -math.inf else proposal

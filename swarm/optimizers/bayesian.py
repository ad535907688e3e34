"""Bayesian optimisation: a Gaussian process over all observations proposes a generation at a time (GP-BUCB).

Shape suffixes: C particles that move, K pending positions, D coordinates.
"""

from typing import Literal

import numpy as np

from swarm.core.space import Array, Space
from swarm.optimizers.acquisition import LEVEL_OBSERVATIONS, LOCAL_CENTRES, blind, candidates, chosen, untried
from swarm.optimizers.front_acquisition import greedy
from swarm.optimizers.front_model import FrontModel
from swarm.optimizers.front_moves import around, refined_front
from swarm.optimizers.grouped_moves import grouped_candidates
from swarm.optimizers.history import HistoryState
from swarm.optimizers.positions import to_unit_cube
from swarm.optimizers.randomness import Stream, draw
from swarm.optimizers.surrogate import Indices, SurrogateOptimizer, tried
from swarm.optimizers.thread_limits import one_blas_thread


class Bayesian(SurrogateOptimizer[HistoryState]):
    """Settings and steps of Bayesian optimisation."""

    type: Literal["bayesian"] = "bayesian"

    def init(self, space: Space, seed: int) -> HistoryState:
        return self.first_state(space, seed)

    def next_positions(self, state: HistoryState, iteration: int, particles_C: Indices, pending_KD: Array) -> Array:
        space, rng = state.space, draw(state.seed, len(state.history), 0, Stream.MOVE)
        tried_ND, pending_KD = tried(state), to_unit_cube(space, pending_KD)
        if (model := FrontModel.of(state)) is not None:
            known_ND = np.vstack([tried_ND, pending_KD])
            with one_blas_thread():
                x_MD = refined_front(model, around(model, space, rng), known_ND, rng)
                widest: Array = x_MD[greedy(model, pending_KD, x_MD, len(particles_C), rng)]
            return widest
        if (process := self.process(state)) is None:
            return blind(space, len(particles_C), rng, np.vstack([tried_ND, pending_KD]))
        with one_blas_thread():
            share = 1.0 if self.schedule == "sync" else min(1.0, LEVEL_OBSERVATIONS / len(process.x_ND))
            if process.groups is not None:
                x_MD = grouped_candidates(process, process.x_ND, LOCAL_CENTRES, rng, share)
                return self.one_by_one(process, iteration, particles_C, (tried_ND, pending_KD), lambda _: x_MD)
            x_MD = untried(candidates(process, space, rng, share), np.vstack([tried_ND, pending_KD]))
            positions: Array = x_MD[chosen(process, x_MD, self.kappas()[particles_C], pending_KD)]
        return positions

"""Particle swarm optimisation, the field's standard: constriction (Clerc & Kennedy 2002) and a global best.

Shape suffixes: N particles, D coordinates.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from swarm.core.space import Array, Space
from swarm.optimizers.base import MOST_PARTICLES, PriorResult, Proposal
from swarm.optimizers.initial_design import initial_design
from swarm.optimizers.randomness import Stream, draw, random_other
from swarm.optimizers.swarm_state import (
    Movement,
    ParticleSwarm,
    SwarmState,
    below_personal_best,
    global_best,
    initial_swarm,
    personal_best,
    with_known_bests,
)


class PSO(ParticleSwarm):
    """Settings and steps of PSO. Fewer particles than reference points start at the most promising ones."""

    type: Literal["pso"] = "pso"
    particles: int = Field(
        20, ge=2, le=MOST_PARTICLES, description="particles; the first ones start at averages, experts and the base"
    )
    patience: int | None = Field(10, ge=1, description="stop after so many iterations without a new best")
    constriction: float = Field(0.7298, gt=0, le=1, description="chi: factor on the whole velocity")
    cognitive: float = Field(2.05, ge=0, description="phi_p: pull of the personal best")
    social: float = Field(2.05, ge=0, description="phi_g: pull of the global best")

    def init(self, space: Space, seed: int) -> SwarmState:
        x_ND = initial_design(space, seed, self.particles)
        others = [random_other(seed, i, self.particles) for i in range(self.particles)]
        # Half the difference, as in Standard PSO 2006 (Clerc 2012, hal-00764996), but to another particle instead of a
        # uniform point of the bounds: so the first steps stay among the starting points.
        return initial_swarm(space, seed, x_ND, (x_ND[others] - x_ND) / 2)

    def remember(self, state: SwarmState, known: Sequence[PriorResult]) -> SwarmState:
        """The best of them are the global best and the personal bests, which attract particles from the first move."""
        return with_known_bests(state, known)

    def with_pruning_bounds(self, state: SwarmState, proposal: Proposal) -> Proposal:
        return below_personal_best(state, proposal)

    def move(self, state: SwarmState, i: int) -> Movement:
        """Particle i into the next iteration: the constricted update of Clerc & Kennedy 2002."""
        x_D = state.generation.x_ND[i]
        rng = draw(state.seed, state.generation.iteration + 1, i, Stream.MOVE)
        u_p_D, u_g_D = rng.uniform(size=(2, len(x_D)))  # one per coordinate: moves can leave the particles' span
        v_D = self.constriction * (
            state.v_ND[i]
            + self.cognitive * u_p_D * (personal_best(state, i) - x_D)
            + self.social * u_g_D * (global_best(state, i) - x_D)
        )
        return reflect(x_D + v_D, v_D, state.space)


def reflect(x_D: Array, v_D: Array, space: Space) -> Movement:
    """A coordinate beyond a bound is mirrored at it (at most to the other bound), its velocity reversed."""
    mirrored_D = np.where(x_D > space.high_D, 2 * space.high_D - x_D, x_D)
    mirrored_D = np.where(x_D < space.low_D, 2 * space.low_D - x_D, mirrored_D)
    outside_D = (x_D > space.high_D) | (x_D < space.low_D)
    return Movement(np.clip(mirrored_D, space.low_D, space.high_D), np.where(outside_D, -v_D, v_D))

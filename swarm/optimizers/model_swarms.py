"""Model Swarms (Feng et al. 2024, arXiv 2410.11163, Algorithm 1), as its authors coded it.

It draws one scalar per term and particle, starts from experts and affine pairs of them, and moves by differences. So it
moves coefficients exactly as it would move weights, and coefficients that sum to one keep their sum.

Shape suffixes: E experts, N particles, D coordinates.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field

from swarm.core.errors import ConfigError
from swarm.core.space import Array, Space
from swarm.optimizers.base import MOST_PARTICLES, Proposal
from swarm.optimizers.generational import Mask
from swarm.optimizers.randomness import Stream, draw, random_other
from swarm.optimizers.swarm_state import (
    Indices,
    Movement,
    ParticleSwarm,
    SwarmState,
    at_personal_bests,
    below_personal_best,
    global_best,
    global_worst,
    initial_swarm,
    personal_best,
)


class ModelSwarms(ParticleSwarm):
    """Settings and steps of Model Swarms. No bounds: crossover and repel extrapolate."""

    type: Literal["model_swarms"] = "model_swarms"
    particles: int = Field(20, ge=2, le=MOST_PARTICLES, description="N: particles, at least as many as experts")
    patience: int | None = Field(10, ge=1, description="c: stop after so many iterations without a new best")
    restart_patience: int = Field(
        5, ge=1, description="c_r: restart a particle after so many iterations without a new personal best"
    )
    inertia: float = Field(0.2, ge=0, description="phi_v: share of the old velocity")
    cognitive: float = Field(0.3, ge=0, description="phi_p: pull of the personal best")
    social: float = Field(0.4, gt=0, description="phi_g: pull of the global best")
    repel: float = Field(0.05, ge=0, description="phi_w: push away from the global worst; 0 is the ablation")
    step_length: float = Field(0.8, gt=0, description="lambda: length of the first step")
    step_decay: float = Field(0.95, gt=0, le=1, description="phi_lambda: factor on lambda per iteration")
    min_step: float = Field(0.1, ge=0, description="least lambda")
    randomness: bool = Field(True, description="ablation: off, the terms keep fixed shares")
    crossover: bool = Field(True, description="ablation: off, the start is the experts and copies of them")
    restart: bool = Field(True, description="ablation: off, no particle restarts")
    drop_iteration: float = Field(0.0, ge=0, lt=1, description="drop-K: chance that an iteration is not scored")
    drop_particle: float = Field(0.0, ge=0, lt=1, description="drop-N: chance that a particle is not scored")

    def init(self, space: Space, seed: int) -> SwarmState:
        self._check(len(space.experts_ED))
        x_ND = self.initial_design(space.experts_ED, seed)
        others = [random_other(seed, i, self.particles) for i in range(self.particles)]
        return initial_swarm(space, seed, x_ND, x_ND[others] - x_ND)  # v_i = x_j - x_i

    def with_pruning_bounds(self, state: SwarmState, proposal: Proposal) -> Proposal:
        """A new worst repels, so a utility below the worst so far matters too."""
        return replace(below_personal_best(state, proposal), low=state.worst_utility)

    def move(self, state: SwarmState, i: int) -> Movement:
        """Particle i into the next iteration: the velocity and position updates of Algorithm 1."""
        iteration = state.generation.iteration + 1
        x_D, v_D = state.generation.x_ND[i], state.v_ND[i]
        a, b, s, w = self.shares(draw(state.seed, iteration, i, Stream.MOVE))
        v_D = (
            a * v_D
            + b * (personal_best(state, i) - x_D)
            + s * (global_best(state, i) - x_D)
            + w * (x_D - global_worst(state, i))
        )  # v <- (r_v phi_v v + r_p phi_p (p - x) + r_g phi_g (g - x) - r_w phi_w (g_w - x)) / C
        return Movement(x_D + self.step_length_in(iteration) * v_D, v_D)  # x <- x + lambda v

    def shares(self, rng: np.random.Generator) -> Array:
        """The weight of each term of the velocity: r * phi divided by their sum C. Shape 4."""
        phi = np.array([self.inertia, self.cognitive, self.social, self.repel])
        r = rng.uniform(size=4) if self.randomness else np.ones(4)
        shares: Array = r * phi / (r * phi).sum()
        return shares

    def step_length_in(self, iteration: int) -> float:
        """lambda in an iteration, the first of which is 1.

        It equals the authors' lambda <- max(phi_lambda lambda, lambda_min) after each iteration.
        """
        return max(self.step_length * self.step_decay ** (iteration - 1), self.min_step)

    def restarted(self, state: SwarmState, particles_K: Indices) -> SwarmState:
        """Particles too long without a new personal best: x <- p, v <- 0. They move on from there."""
        # Deviations: the authors' count is one higher, as it includes the iteration that found p; and a restart does
        # not reset theirs, so that a stagnant particle restarts in every iteration.
        due_K = (state.stale_N[particles_K] >= self.restart_patience) & self.restart
        return at_personal_bests(state, particles_K[due_K])

    def scored(self, seed: int, iteration: int, particles_K: Indices) -> Mask:
        """drop-K and drop-N: who is scored. The others move on, and count as without a new best."""
        if self._iteration_dropped(seed, iteration):
            return np.zeros(len(particles_K), bool)
        return np.array([not self._particle_dropped(seed, iteration, int(i)) for i in particles_K])

    def _iteration_dropped(self, seed: int, iteration: int) -> bool:
        return draw(seed, iteration, 0, Stream.DROP_ITERATION).uniform() < self.drop_iteration

    def _particle_dropped(self, seed: int, iteration: int, i: int) -> bool:
        return draw(seed, iteration, i, Stream.DROP_PARTICLE).uniform() < self.drop_particle

    def initial_design(self, experts_ED: Array, seed: int) -> Array:
        """The experts, then crossover children of the growing pool. Shape ND."""
        if not self.crossover:
            # Deviation: the authors' swarm shrinks to the experts; copies keep the budget of the ablation equal.
            return np.resize(experts_ED, (self.particles, experts_ED.shape[1]))
        pool = list(experts_ED)
        for i in range(len(pool), self.particles):
            rng = draw(seed, 0, i, Stream.START)
            mother, father = rng.choice(i, size=2, replace=False)
            w = rng.uniform(0.0, 2.0)  # as coded; the paper writes t ~ U(0, 1), between experts only
            pool.append(w * pool[mother] + (1 - w) * pool[father])
        return np.stack(pool)

    def _check(self, experts: int) -> None:
        if experts < 2:
            raise ConfigError(
                f"experts: {experts} given, but optimizer.type: model_swarms moves along differences of experts;"
                " add an expert or take optimizer.type: pso"
            )
        if self.particles < experts:
            raise ConfigError(
                f"optimizer.particles: {self.particles} is fewer than the {experts} experts that the swarm starts from;"
                f" set it to {experts} or more"
            )

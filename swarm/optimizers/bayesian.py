"""Bayesian optimisation: a Gaussian process over all observations proposes a generation at a time (GP-BUCB).

Utilities from few examples are noisy. The process averages over neighbours, so it neither follows the luckiest
candidate nor forgets a generation: of all optimizers that were compared it needs the fewest evaluations
(docs/results/discovery.md).

Shape suffixes: N particles or observations, K pending positions, D coordinates.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from swarm.core.space import Array, Space
from swarm.optimizers.acquisition import LEVEL_OBSERVATIONS, MIXTURE_CANDIDATES, candidates, chosen, mixtures, untried
from swarm.optimizers.base import MOST_EVALUATIONS, Observation, ParticlesOrAuto, PriorResult, Proposal
from swarm.optimizers.gaussian_process import GaussianProcess, Kernel
from swarm.optimizers.generational import Generational, ParticleGeneration
from swarm.optimizers.history import HistoryState, appended, initial_state, proposed
from swarm.optimizers.initial_design import reference_points
from swarm.optimizers.kernel_schedule import scheduled_kernel
from swarm.optimizers.positions import distinct_rows, from_unit_cube, to_unit_cube
from swarm.optimizers.randomness import Stream, draw
from swarm.optimizers.thread_limits import one_blas_thread

# Utilities below this quantile count as being at it: how bad a bad weighting is says nothing of where the best is. Mean
# regret was 1.06 points with it, 1.17 without, 1.33 with half of the utilities raised (docs/log.md).
LOWEST_QUANTILE = 0.2
MAX_OBSERVATIONS = 400  # that are fitted: the cost of a fit rises with their cube. Twice the default budget
BEST_SHARE = 3 / 4  # of MAX_OBSERVATIONS, as the best decide where to look; the others are the latest


class Bayesian(Generational[HistoryState]):
    """Settings and steps of Bayesian optimisation. It starts at all reference points."""

    type: Literal["bayesian"] = "bayesian"
    particles: ParticlesOrAuto = Field(
        10,
        description="candidates per generation; auto, for overlap: 5 for up to four workers, then as many as workers,"
        " but at most a sixth of the evaluations",
    )
    evaluations: int | None = Field(200, ge=1, le=MOST_EVALUATIONS, description="evaluations at most; none: no limit")
    patience: int | None = Field(10, ge=1, description="stop after so many generations without a new best")
    overlap: bool = Field(
        False,
        description="propose a generation while the one before is being scored, so that no worker waits for the slowest"
        " candidate; twice `particles` candidates are then scored at a time (schedule: sync)",
    )
    boldness: float = Field(
        5.0,
        ge=0,
        description="kappa of the last particle, the weight of the standard deviation in its upper confidence bound;"
        " the others are spaced evenly from 0 up",
    )
    soft: bool = Field(
        True,
        description="climb smoothed accuracy where answers have margins (multiple_choice, exact_match)",
    )

    added_later: ClassVar[frozenset[str]] = frozenset({"overlap"})

    @property
    def proposes_ahead(self) -> bool:
        return self.overlap and self.schedule == "sync"

    @property
    def climbs_soft(self) -> bool:
        return self.soft

    @property
    def takes_estimates(self) -> bool:
        return True

    def init(self, space: Space, seed: int) -> HistoryState:
        # Under async each position of the first generation is a particle, so there are `particles` of them.
        points = len(reference_points(space)) if self.schedule == "sync" else 0
        if not self.proposes_ahead:
            return initial_state(space, seed, max(self.population, points))
        return initial_state(space, seed, max(2 * self.population, points), overlap=self.population)

    def remember(self, state: HistoryState, known: Sequence[PriorResult]) -> HistoryState:
        """They are observations like its own. So what is scored first is proposed by the process, not designed."""
        x_ND, utilities_N = np.stack([each.x_D for each in known]), np.array([each.utility for each in known])
        before = ParticleGeneration(-1, x_ND, np.zeros(len(known), bool), utilities_N)
        state = replace(state, history=(before,))
        at_once = 2 if self.proposes_ahead else 1
        x_ND = from_unit_cube(state.space, self.next_positions(state, np.tile(self.kappas(), at_once)))
        first, *pending = (ParticleGeneration.fresh(i, part) for i, part in enumerate(np.split(x_ND, at_once)))
        return replace(state, generation=first, pending=pending[0] if pending else None)

    def advance(self, state: HistoryState) -> HistoryState:
        state = appended(state)
        return proposed(state, self.next_positions(state, self.kappas(), state.pending_KD))

    def step(self, state: HistoryState, observation: Observation) -> tuple[HistoryState, list[Proposal]]:
        """Each observation is a generation of its own in the history; the other particles' proposals are pending."""
        i, state = observation.particle, answered(state, observation)
        (unit_D,) = self.next_positions(state, self.kappas()[[i]], np.delete(state.generation.x_ND, i, axis=0))
        return moved(state, observation, from_unit_cube(state.space, unit_D))

    def retrace(
        self, state: HistoryState, observation: Observation, next_D: Array
    ) -> tuple[HistoryState, list[Proposal]]:
        return moved(answered(state, observation), observation, next_D)

    def kappas(self) -> Array:
        """Each particle's weight of the standard deviation, from 0 to `boldness`; one alone takes half. Shape N."""
        count = self.population
        return np.linspace(0.0, self.boldness, count) if count > 1 else np.array([self.boldness / 2])

    def next_positions(self, state: HistoryState, kappas: Array, pending_KD: Array | None = None) -> Array:
        """A point of the unit cube for each kappa, none tried before. pending_KD: positions that are being scored."""
        space, rng = state.space, draw(state.seed, len(state.history), 0, Stream.MOVE)
        tried_ND = np.concatenate([generation.x_ND for generation in state.history])
        x_ND, y_N = observations(state)
        if len(y_N) < 2 or np.ptp(y_N) == 0.0:  # no utility is better than another: there is nothing to fit
            return untried(mixtures(space, MIXTURE_CANDIDATES, rng), to_unit_cube(space, tried_ND))[: len(kappas)]
        pending_KD = np.empty((0, space.dimensions)) if pending_KD is None else pending_KD
        tried_ND = to_unit_cube(space, np.vstack([tried_ND, pending_KD]))
        with one_blas_thread():
            process = GaussianProcess.fitted(x_ND, y_N, self.kernel(state))
            share = 1.0 if self.schedule == "sync" else min(1.0, LEVEL_OBSERVATIONS / len(process.x_ND))
            x_MD = untried(candidates(process, space, rng, share), tried_ND)
            positions: Array = x_MD[chosen(process, x_MD, kappas, to_unit_cube(space, pending_KD))]
        return positions

    def kernel(self, state: HistoryState) -> Kernel | None:
        """The process's kernel, where it is not fitted anew: after single results, and once there are many."""
        if self.schedule == "sync" and sum(len(generation.x_ND) for generation in state.history) <= MAX_OBSERVATIONS:
            return None
        return scheduled_kernel(state.history, lambda history: observations(replace(state, history=history)))


def answered(state: HistoryState, observation: Observation) -> HistoryState:
    """The state whose history ends with this observation, as a generation of its own."""
    x_1D = state.generation.x_ND[[observation.particle]]
    alone = ParticleGeneration(observation.iteration, x_1D, np.zeros(1, bool), np.array([observation.utility]))
    return replace(state, history=(*state.history, alone))


def moved(state: HistoryState, observation: Observation, next_D: Array) -> tuple[HistoryState, list[Proposal]]:
    """The state once the particle that this observation is of has moved, and its proposal."""
    x_ND = state.generation.x_ND.copy()
    x_ND[observation.particle] = next_D
    proposal = Proposal(observation.iteration + 1, observation.particle, x_ND[observation.particle].copy())
    return replace(state, generation=replace(state.generation, x_ND=x_ND)), [proposal]


def observations(state: HistoryState) -> tuple[Array, Array]:
    """Positions in the unit cube, each once, and utilities: the best and the latest, if more than MAX_OBSERVATIONS.

    A failed candidate counts as the worst. A utility below LOWEST_QUANTILE counts as being at it.
    """
    x_ND = to_unit_cube(state.space, np.concatenate([generation.x_ND for generation in state.history]))
    y_N = np.concatenate([generation.utilities_N for generation in state.history])
    once = distinct_rows(x_ND)
    x_ND, y_N = x_ND[once], y_N[once]
    if np.isnan(y_N).all():
        return x_ND[:0], y_N[:0]
    y_N = np.where(np.isnan(y_N), np.nanmin(y_N), y_N)
    if len(y_N) > MAX_OBSERVATIONS:
        best = int(BEST_SHARE * MAX_OBSERVATIONS)
        top = np.argsort(-y_N, kind="stable")[:best]
        kept = np.union1d(top, np.arange(len(y_N) - (MAX_OBSERVATIONS - best), len(y_N)))
        x_ND, y_N = x_ND[kept], y_N[kept]
    return x_ND, np.maximum(y_N, np.quantile(y_N, LOWEST_QUANTILE))

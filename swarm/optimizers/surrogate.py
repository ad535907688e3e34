"""What Bayesian optimisation and guided PSO share: a Gaussian process over all observations chooses the positions.

Utilities from few examples are noisy. The process averages over neighbours, so it neither follows the luckiest
candidate nor forgets a generation (docs/results/discovery.md).

Shape suffixes: N particles or observations, C particles that move, K pending positions, D coordinates.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from swarm.core.expert_groups import ExpertGroups
from swarm.core.space import Array, Space
from swarm.optimizers.acquisition import chosen, untried
from swarm.optimizers.base import MOST_EVALUATIONS, Observation, ParticlesOrAuto, PriorResult, Proposal
from swarm.optimizers.gaussian_process import GaussianProcess, Kernel
from swarm.optimizers.generational import Generational, ParticleGeneration
from swarm.optimizers.grouped_moves import evened
from swarm.optimizers.history import HistoryState, appended, initial_state, told
from swarm.optimizers.initial_design import reference_points
from swarm.optimizers.kernel_schedule import scheduled_kernel
from swarm.optimizers.positions import distinct_rows, from_unit_cube, to_unit_cube
from swarm.optimizers.thread_limits import one_blas_thread

# Utilities below this quantile count as being at it: how bad a bad weighting is says nothing of where the best is. Mean
# regret was 1.06 points with it, 1.17 without, 1.33 with half of the utilities raised (docs/log.md).
LOWEST_QUANTILE = 0.2
MAX_OBSERVATIONS = 400  # that are fitted: the cost of a fit rises with their cube. Twice the default budget
ALIKE, MOST_ALIKE = 8, 100  # evaluations an expert, and at most, until its groups move apart
BEST_SHARE = 3 / 4  # of MAX_OBSERVATIONS, as the best decide where to look; the others are the latest


Indices = NDArray[np.int64]
H = TypeVar("H", bound=HistoryState)


class SurrogateOptimizer(Generational[H], Generic[H]):
    """An optimizer whose positions a process over all observations chooses. It starts at all reference points."""

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
        return self.goal == "best"

    keeps_floors: ClassVar[bool] = True

    def first_state(self, space: Space, seed: int) -> HistoryState:
        """The state before anything is scored."""
        # Under async each position of the first generation is a particle, so there are `particles` of them.
        points = len(reference_points(space)) if self.schedule == "sync" else 0
        if not self.proposes_ahead:
            return initial_state(space, seed, max(self.population, points))
        return initial_state(space, seed, max(2 * self.population, points), overlap=self.population)

    def remember(self, state: H, known: Sequence[PriorResult]) -> H:
        """They are observations like its own. So what is scored first is proposed by the process, not designed."""
        x_ND, utilities_N = np.stack([each.x_D for each in known]), np.array([each.utility for each in known])
        measured = {row: each.measured for row, each in enumerate(known) if each.measured}
        before = ParticleGeneration(-1, x_ND, np.zeros(len(known), bool), utilities_N, measured)
        state, nothing_KD = replace(state, history=(before,), pending=None), np.empty((0, state.space.dimensions))
        state, first = self.proposed(state, 0, nothing_KD)
        if not self.proposes_ahead:
            return replace(state, generation=first)
        state, pending = self.proposed(state, 1, first.x_ND)
        return replace(state, generation=first, pending=pending)

    def advance(self, state: H) -> H:
        latest = state.pending or state.generation
        state, generation = self.proposed(appended(state), latest.iteration + 1, state.pending_KD)
        return replace(state, generation=generation)

    def proposed(self, state: H, iteration: int, pending_KD: Array) -> tuple[H, ParticleGeneration]:
        """All particles into an iteration: the state after their moves, and where they are."""
        everyone = np.arange(self.population)
        unit_ND = self.placed(state, iteration, everyone, pending_KD)
        generation = ParticleGeneration.fresh(iteration, from_unit_cube(state.space, unit_ND))
        return self.moved(state, everyone, generation.x_ND), generation

    def step(self, state: H, observation: Observation) -> tuple[H, list[Proposal]]:
        """Each observation is a generation of its own in the history; the other particles' proposals are pending."""
        i, state = observation.particle, answered(state, observation)
        pending_KD = np.delete(state.generation.x_ND, i, axis=0)
        (unit_D,) = self.placed(state, observation.iteration + 1, np.array([i]), pending_KD)
        return self._stepped(state, observation, from_unit_cube(state.space, unit_D))

    def retrace(self, state: H, observation: Observation, next_D: Array) -> tuple[H, list[Proposal]]:
        return self._stepped(answered(state, observation), observation, next_D)

    def _stepped(self, state: H, observation: Observation, next_D: Array) -> tuple[H, list[Proposal]]:
        """The state once the particle that this observation is of has moved, and its proposal."""
        i, x_ND = observation.particle, state.generation.x_ND.copy()
        x_ND[i] = next_D
        state = self.moved(state, np.array([i]), x_ND[[i]])
        proposal = Proposal(observation.iteration + 1, i, x_ND[i].copy())
        return replace(state, generation=replace(state.generation, x_ND=x_ND)), [proposal]

    def kappas(self) -> Array:
        """Each particle's weight of the standard deviation, from 0 to `boldness`; one alone takes half. Shape N."""
        count = self.population
        return np.linspace(0.0, self.boldness, count) if count > 1 else np.array([self.boldness / 2])

    def process(self, state: HistoryState) -> GaussianProcess | None:
        """The process over all observations; None where no utility is better than another: there is nothing to fit."""
        x_ND, y_N = observations(state)
        if len(y_N) < 2 or np.ptp(y_N) == 0.0:
            return None
        with one_blas_thread():
            return GaussianProcess.fitted(x_ND, y_N, self.kernel(state), ExpertGroups.of(state.space))

    def kernel(self, state: HistoryState) -> Kernel | None:
        """The process's kernel, where it is not fitted anew: after single results, and once there are many."""
        groups = ExpertGroups.of(state.space)  # with groups there is more to fit
        if groups is None and self.schedule == "sync" and told(state) <= MAX_OBSERVATIONS:
            return None
        return scheduled_kernel(state.history, lambda history: observations(replace(state, history=history)), groups)

    def moved(self, state: H, particles_C: Indices, x_CD: Array) -> H:
        """The state in which these particles are at new positions; by default it knows of no particles."""
        return state

    def placed(self, state: H, iteration: int, particles_C: Indices, pending_KD: Array) -> Array:
        """Where these particles go in an iteration, in the unit cube; at first all groups of an expert move alike."""
        if (groups := self.alike(state)) is None:
            return self.next_positions(state, iteration, particles_C, pending_KD)
        plain, pending_KE = self.ungrouped(state, groups), groups.means(pending_KD)
        return groups.repeated(self.next_positions(plain, iteration, particles_C, pending_KE))

    def alike(self, state: H) -> ExpertGroups | None:
        """The experts' groups, as long as they move alike."""
        groups = ExpertGroups.of(state.space)
        return groups if groups and told(state) < min(ALIKE * groups.experts, MOST_ALIKE) else None

    def ungrouped(self, state: H, groups: ExpertGroups) -> H:
        """The state of a search with one coefficient an expert."""
        history = tuple(replace(each, x_ND=groups.means(each.x_ND)) for each in state.history)
        return replace(state, space=groups.ungrouped(state.space), history=history)

    def one_by_one(
        self,
        process: GaussianProcess,
        iteration: int,
        particles_C: Indices,
        known: tuple[Array, Array],
        drawn: Callable[[int], Array],
    ) -> Array:
        """Each particle's choice among its own candidates, given those before it: their outcomes are pending, too.

        known: the positions tried and pending, in the unit cube.
        drawn: the candidates of a particle.
        """
        tried_ND, pending_KD = known
        for i in particles_C:
            x_MD, kappas = drawn(int(i)), self.kappas()[[i]]
            if process.groups is not None and (share := evened(iteration, int(i))) is not None:
                x_MD, kappas = process.groups.scaled(x_MD, share), np.zeros(1)
            x_MD = untried(x_MD, np.vstack([tried_ND, pending_KD]))
            (row,) = chosen(process, x_MD, kappas, pending_KD)
            pending_KD = np.vstack([pending_KD, x_MD[row]])
        return pending_KD[len(pending_KD) - len(particles_C) :]

    @abstractmethod
    def next_positions(self, state: H, iteration: int, particles_C: Indices, pending_KD: Array) -> Array:
        """Where these particles go in an iteration, in the unit cube: nowhere that was tried before. Shape CD.

        pending_KD: positions that are being scored.
        """


def tried(state: HistoryState) -> Array:
    """All positions that have been scored, in the unit cube. Shape ND."""
    return to_unit_cube(state.space, np.concatenate([generation.x_ND for generation in state.history]))


def answered(state: H, observation: Observation) -> H:
    """The state whose history ends with this observation, as a generation of its own."""
    x_1D = state.generation.x_ND[[observation.particle]]
    measured = {} if observation.measured is None else {0: observation.measured}
    utility_1 = np.array([observation.utility])
    alone = ParticleGeneration(observation.iteration, x_1D, np.zeros(1, bool), utility_1, measured)
    return replace(state, history=(*state.history, alone))


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

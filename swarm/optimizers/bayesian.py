"""Bayesian optimisation: a Gaussian process over all that was scored proposes a generation at a time (GP-BUCB).

Few examples make utilities noisy. The process averages over neighbours, so it neither chases the luckiest candidate nor
forgets a generation: of all that was compared it needs the fewest evaluations (docs/results/discovery.md).

Shape suffixes: N particles, M candidates, K centres, D coordinates. Positions are shares of the bounds' width.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from threadpoolctl import ThreadpoolController

from swarm.core.space import Array, Space
from swarm.optimizers.base import Proposal, Result
from swarm.optimizers.gaussian_process import GaussianProcess
from swarm.optimizers.generational import Generation, Generational
from swarm.optimizers.history import HistoryState, appended, proposed, unit, within
from swarm.optimizers.initial_design import combinations, initial_design, reference_points
from swarm.optimizers.randomness import Stream, draw

CENTRES = 8
MOVED = 1500  # candidates around the centres
MIXED = 300  # random combinations of the experts
REFINED = 200  # candidates of each finer step around the best expected
FINER = (0.05, 0.025, 0.0125)
STEPS = (0.01, 0.25)
FLOOR = 0.2  # how bad a bad weighting is tells nothing of the best
MOST = 400  # observations that are fitted
BLAS = ThreadpoolController().select(internal_api="openblas")  # none where numpy's is another


class Bayesian(Generational[HistoryState]):
    """Settings and steps of Bayesian optimisation. It starts at all anchors: what the baselines need anyway."""

    type: Literal["bayesian"] = "bayesian"
    particles: int = Field(10, ge=1, description="candidates a generation")
    evaluations: int | None = Field(200, ge=1, description="evaluations at most; none: no limit")
    patience: int | None = Field(10, ge=1, description="stop after so many generations without a new best")
    boldness: float = Field(
        5.0, ge=0, description="the boldest particle counts so many standard deviations as gain, the others from 0 up"
    )
    soft: bool = Field(
        True,
        description="climb softened accuracy where answers have margins (multiple_choice, exact_match)",
    )

    @property
    def climbs_soft(self) -> bool:
        return self.soft

    @property
    def takes_estimates(self) -> bool:
        return True

    def init(self, space: Space, seed: int) -> HistoryState:
        known = len(reference_points(space)) if self.schedule == "sync" else 0  # async, all that start stay in flight
        x_ND = initial_design(space, seed, max(self.particles, known))
        return HistoryState(space=space, seed=seed, generation=Generation.fresh(0, x_ND))

    def advance(self, state: HistoryState) -> HistoryState:
        state = appended(state)
        return proposed(state, self.next_positions(state, self.kappas()))

    def step(self, state: HistoryState, result: Result) -> tuple[HistoryState, list[Proposal]]:
        """Each result is a generation of its own among those told; what the other particles ask for is pending."""
        i, x_ND = result.particle, state.generation.x_ND.copy()
        answer = Generation(result.iteration, x_ND[[i]], np.zeros(1, bool), np.array([result.utility]))
        state = replace(state, history=(*state.history, answer))
        (unit_D,) = self.next_positions(state, self.kappas()[[i]], np.delete(x_ND, i, axis=0))
        x_ND[i] = within(state.space, unit_D)
        proposal = Proposal(result.iteration + 1, i, x_ND[i].copy())
        return replace(state, generation=replace(state.generation, x_ND=x_ND)), [proposal]

    def kappas(self) -> Array:
        """What a standard deviation counts, for each particle: one alone is neither timid nor bold. Shape N."""
        return np.linspace(0.0, self.boldness, self.particles) if self.particles > 1 else np.array([self.boldness / 2])

    def next_positions(self, state: HistoryState, kappas: Array, pending_KD: Array | None = None) -> Array:
        """One for each kappa, from all that was told, none tried before. pending_KD: what is being scored."""
        space, rng = state.space, draw(state.seed, len(state.history), 0, Stream.MOVE)
        tried_ND = np.vstack([generation.x_ND for generation in state.history])
        x_ND, y_N = seen(state)
        if len(y_N) < 2 or np.ptp(y_N) == 0.0:  # nothing to tell one from another by
            return untried(mixed(space, MIXED, rng), unit(space, tried_ND))[: len(kappas)]
        pending_KD = np.empty((0, space.dimensions)) if pending_KD is None else pending_KD
        tried_ND = unit(space, np.vstack([tried_ND, pending_KD]))
        # More threads gain nothing on matrices so small, and spin on for a while on cores that are to score.
        with BLAS.limit(limits=1):
            process = GaussianProcess.fitted(x_ND, y_N)
            x_MD = untried(candidates(process, space, rng), tried_ND)
            chosen: Array = x_MD[process.chosen(x_MD, kappas, unit(space, pending_KD))]
        return chosen


def seen(state: HistoryState) -> tuple[Array, Array]:
    """Positions and utilities, each position once: the best and the latest, where there are more than MOST.

    What failed counts as the worst. A utility below the FLOOR quantile counts as being there.
    """
    x_ND = unit(state.space, np.vstack([generation.x_ND for generation in state.history]))
    y_N = np.concatenate([generation.utilities_N for generation in state.history])
    once = distinct_rows(x_ND)
    x_ND, y_N = x_ND[once], y_N[once]
    if np.isnan(y_N).all():
        return x_ND[:0], y_N[:0]
    y_N = np.where(np.isnan(y_N), np.nanmin(y_N), y_N)
    if len(y_N) > MOST:
        top = np.argsort(-y_N, kind="stable")[: 3 * MOST // 4]
        kept = np.union1d(top, np.arange(len(y_N) - MOST // 4, len(y_N)))
        x_ND, y_N = x_ND[kept], y_N[kept]
    return x_ND, np.maximum(y_N, np.quantile(y_N, FLOOR))


def candidates(process: GaussianProcess, space: Space, rng: np.random.Generator) -> Array:
    """Where the process is asked: around the best expected, at combinations of experts, finer around the best."""
    centres_KD = best(process.x_ND, process.expected(process.x_ND), CENTRES)
    x_MD = np.vstack([moved(centres_KD, rng), mixed(space, MIXED, rng)])
    expected_M = process.expected(x_MD)
    for step in FINER:
        near_KD = best(x_MD, expected_M, 5)[rng.integers(5, size=REFINED)]
        near_KD = np.clip(near_KD + rng.normal(0.0, step, near_KD.shape), 0.0, 1.0)
        x_MD, expected_M = np.vstack([x_MD, near_KD]), np.concatenate([expected_M, process.expected(near_KD)])
    return x_MD


def untried(x_MD: Array, tried_ND: Array) -> Array:
    """The distinct rows that are not among those tried: at the bounds many candidates are one."""
    rows = distinct_rows(np.vstack([tried_ND, x_MD]))
    return x_MD[rows[rows >= len(tried_ND)] - len(tried_ND)]


def distinct_rows(x_ND: Array) -> NDArray[np.intp]:
    """Where each row first stands, in order; the last bits do not count."""
    _, first = np.unique(np.round(x_ND, 9) + 0.0, axis=0, return_index=True)
    return np.sort(first)


def best(x_MD: Array, expected_M: Array, count: int) -> Array:
    """The best expected, best first; the last again where there are too few. Shape: count x D."""
    order = np.argsort(-expected_M, kind="stable")
    rows: Array = x_MD[order[np.minimum(np.arange(count), len(order) - 1)]]
    return rows


def moved(centres_KD: Array, rng: np.random.Generator) -> Array:
    """Steps of all lengths from the centres, the first ones more often. Half of them change few coordinates alone."""
    dimensions = centres_KD.shape[1]
    turn_M = np.minimum(rng.exponential(2.0, MOVED).astype(int), len(centres_KD) - 1)
    length_M1 = np.exp(rng.uniform(np.log(STEPS[0]), np.log(STEPS[1]), (MOVED, 1)))
    few = max(2.0 / dimensions, 0.3)
    share_M1 = np.where(rng.uniform(size=(MOVED, 1)) < 0.5, few, 1.0)
    step_MD = length_M1 * rng.normal(size=(MOVED, dimensions)) * (rng.uniform(size=(MOVED, dimensions)) < share_M1)
    moved_MD: Array = np.clip(centres_KD[turn_M] + step_MD, 0.0, 1.0)
    return moved_MD


def mixed(space: Space, count: int, rng: np.random.Generator) -> Array:
    """Random combinations of the experts."""
    return unit(space, combinations(space, count, rng))

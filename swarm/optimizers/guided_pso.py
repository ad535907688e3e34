"""Guided PSO: each particle draws many moves of PSO, and makes the one that a Gaussian process finds most promising.

Scores on few examples are noisy, and a move of PSO is random. So the process over all observations is the swarm's
memory: by its mean it says what a particle's and the swarm's best are, and by its upper confidence bound which of a
particle's moves to make. Surrogate-assisted PSO is known in the field; this one is ours (docs/algorithm.md).

Shape suffixes: N observations, C particles that move, M moves, T positions of a path, K pending positions,
D coordinates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from swarm.core.expert_groups import ExpertGroups
from swarm.core.space import Array, Space
from swarm.optimizers.acquisition import best_expected, blind, local_candidates, refined
from swarm.optimizers.base import ParticlesOrAuto, PriorResult
from swarm.optimizers.front_acquisition import directions, greedy, leaders
from swarm.optimizers.front_model import FrontModel
from swarm.optimizers.front_moves import around, refined_front, steps
from swarm.optimizers.gaussian_process import GaussianProcess
from swarm.optimizers.grouped_moves import grouped_candidates, half_alike
from swarm.optimizers.history import HistoryState
from swarm.optimizers.positions import from_unit_cube, to_unit_cube
from swarm.optimizers.randomness import Stream, draw, random_other
from swarm.optimizers.surrogate import Indices, SurrogateOptimizer, tried
from swarm.optimizers.thread_limits import one_blas_thread

MOST_MOVES = 100_000
AROUND = 0.2  # of the candidates that `bayesian` takes around a front: every particle takes its own
LOCAL_MOVES = 50  # steps around the global best: PSO's own moves end where a particle and both bests coincide
REFINED_MOVES = 60  # of each refinement step: without, regret after 67 evaluations was higher by 0.15 points
GROUPED_SHARE = 0.3  # of the steps that `bayesian` takes: every particle takes its own


@dataclass(frozen=True, kw_only=True)
class GuidedState(HistoryState):
    """paths: for each particle its positions (TD); the last one is being scored. None before the first move."""

    paths: tuple[Array, ...] = ()


class GuidedPSO(SurrogateOptimizer[GuidedState]):
    """Settings and steps of guided PSO."""

    type: Literal["guided_pso"] = "guided_pso"
    particles: ParticlesOrAuto = Field(
        "auto",
        description="particles, each of which makes one move at a time; auto: 5 for up to four workers, then as many as"
        " workers, but at most a sixth of the evaluations",
    )
    patience: int | None = Field(20, ge=1, description="stop after so many iterations without a new best")
    overlap: bool = Field(
        True,
        description="particles move on while their last positions are being scored, so that no worker waits for the"
        " slowest candidate; twice `particles` candidates are then scored at a time (schedule: sync)",
    )
    boldness: float = Field(
        2.0,
        ge=0,
        description="kappa of the last particle, the weight of the standard deviation in its upper confidence bound;"
        " the others are spaced evenly from 0 up",
    )
    constriction: float = Field(0.7298, gt=0, le=1, description="chi: factor on the whole velocity")
    cognitive: float = Field(2.05, ge=0, description="phi_p: pull of the personal best")
    social: float = Field(2.05, ge=0, description="phi_g: pull of the global best")
    moves: int = Field(
        200, ge=1, le=MOST_MOVES, description="moves that a particle draws; the process chooses the one it makes"
    )

    added_later: ClassVar[frozenset[str]] = frozenset()

    def init(self, space: Space, seed: int) -> GuidedState:
        first = self.first_state(space, seed)
        starts_ND = first.generation.x_ND if self.schedule == "async" else ()
        return GuidedState(
            space=space,
            seed=seed,
            generation=first.generation,
            pending=first.pending,
            paths=tuple(x_D[None] for x_D in starts_ND),
        )

    def remember(self, state: GuidedState, known: Sequence[PriorResult]) -> GuidedState:
        """As its own observations. The particles start at the best of them."""
        return super().remember(replace(state, paths=()), known)

    def ungrouped(self, state: GuidedState, groups: ExpertGroups) -> GuidedState:
        return replace(super().ungrouped(state, groups), paths=tuple(map(groups.means, state.paths)))

    def moved(self, state: GuidedState, particles_C: Indices, x_CD: Array) -> GuidedState:
        paths = list(state.paths or self.starts(state))
        for i, x_D in zip(particles_C, x_CD, strict=True):
            paths[i] = np.vstack([paths[i], x_D])
        return replace(state, paths=tuple(paths))

    def starts(self, state: GuidedState) -> tuple[Array, ...]:
        """Each particle's path of one position: of the first ones scored the best by the process's mean, best first."""
        if (model := FrontModel.of(state)) is not None:
            return self.front_starts(state, model)
        first_ND, groups = state.history[0].x_ND, self.alike(state)
        known = state if groups is None else self.ungrouped(state, groups)
        if (process := self.process(known)) is not None:
            expected_N = process.expected(to_unit_cube(known.space, known.history[0].x_ND))
            first_ND = best_expected(first_ND, expected_N, len(first_ND))
        return tuple(first_ND[[row]] for row in np.resize(np.arange(len(first_ND)), self.population))

    def next_positions(self, state: GuidedState, iteration: int, particles_C: Indices, pending_KD: Array) -> Array:
        tried_ND, pending_KD = tried(state), to_unit_cube(state.space, pending_KD)
        if (model := FrontModel.of(state)) is not None:
            with one_blas_thread():
                return self.towards_front(state, model, iteration, particles_C, pending_KD)
        if (process := self.process(state)) is None:
            rng = draw(state.seed, iteration, int(particles_C[0]), Stream.MOVE)
            return blind(state.space, len(particles_C), rng, np.vstack([tried_ND, pending_KD]))
        known, moving = (tried_ND, pending_KD), state if state.paths else replace(state, paths=self.starts(state))
        with one_blas_thread():
            return self.one_by_one(
                process, iteration, particles_C, known, lambda i: self.drawn(moving, process, iteration, i)
            )

    def drawn(self, state: GuidedState, process: GaussianProcess, iteration: int, i: int) -> Array:
        """Moves of particle i: the constricted update of Clerc & Kennedy 2002, each with its own u; steps around g.

        Then finer around the best expected of these. Shape MD, in the unit cube.
        """
        path_TD, rng = to_unit_cube(state.space, state.paths[i]), draw(state.seed, iteration, i, Stream.MOVE)
        p_D = best_expected(path_TD, process.expected(path_TD), 1)[0]  # by the mean: a score may be lucky
        g_D = best_expected(process.x_ND, process.expected(process.x_ND), 1)[0]
        moves_MD = self.drawn_moves(state, i, (p_D, g_D), rng, process.groups)
        if process.groups is not None:
            finer_MD = grouped_candidates(process, np.vstack([g_D, p_D]), 2, rng, GROUPED_SHARE)
            return np.vstack([moves_MD, finer_MD])
        x_MD = np.vstack([moves_MD, local_candidates(g_D[None], rng, LOCAL_MOVES)])
        return refined(process, x_MD, REFINED_MOVES, rng)

    def drawn_moves(
        self,
        state: GuidedState,
        i: int,
        bests: tuple[Array, Array],
        rng: np.random.Generator,
        groups: ExpertGroups | None = None,
    ) -> Array:
        """PSO's moves of particle i, each with its own u. bests: its personal best and the swarm's. Shape MD."""
        (p_D, g_D), x_D, v_D = bests, to_unit_cube(state.space, state.paths[i][-1]), velocity(state, i)
        u_p_MD, u_g_MD = rng.uniform(size=(2, self.moves, len(x_D)))
        if groups is not None:
            u_p_MD, u_g_MD = half_alike(groups, u_p_MD), half_alike(groups, u_g_MD)
        v_MD = self.constriction * (v_D + self.cognitive * u_p_MD * (p_D - x_D) + self.social * u_g_MD * (g_D - x_D))
        return mirrored(x_D + v_MD)

    def towards_front(
        self, state: GuidedState, model: FrontModel, iteration: int, particles_C: Indices, pending_KD: Array
    ) -> Array:
        """As `next_positions`, where several things are measured: each particle makes the move that widens the front
        most, given those before it. Its bests are those in a direction of its own, drawn anew each time. Shape CD.
        """
        tried_ND, state = tried(state), state if state.paths else replace(state, paths=self.starts(state))
        for i in map(int, particles_C):
            rng = draw(state.seed, iteration, i, Stream.MOVE)
            w_1K = directions(1, len(model.objectives), rng)
            path_TD, (g_D,) = to_unit_cube(state.space, state.paths[i]), leaders(model, model.x_ND, w_1K)
            moves_MD = self.drawn_moves(state, i, (leaders(model, path_TD, w_1K)[0], g_D), rng)
            x_MD = np.vstack([moves_MD, steps(g_D[None], LOCAL_MOVES, rng), around(model, state.space, rng, AROUND)])
            x_MD = refined_front(model, x_MD, np.vstack([tried_ND, pending_KD]), rng, AROUND)
            (row,) = greedy(model, pending_KD, x_MD, 1, rng)
            pending_KD = np.vstack([pending_KD, x_MD[row]])
        return pending_KD[len(pending_KD) - len(particles_C) :]

    def front_starts(self, state: GuidedState, model: FrontModel) -> tuple[Array, ...]:
        """As `starts`: for each particle the best in a direction of its own."""
        w_NK = directions(self.population, len(model.objectives), draw(state.seed, 0, 0, Stream.MOVE))
        return tuple(from_unit_cube(state.space, x_D[None]) for x_D in leaders(model, model.x_ND, w_NK))


def mirrored(x_MD: Array) -> Array:
    """A coordinate beyond a side of the unit cube is mirrored at it, at most to the other side."""
    return np.clip(np.where(x_MD > 1.0, 2.0 - x_MD, np.abs(x_MD)), 0.0, 1.0)


def velocity(state: GuidedState, i: int) -> Array:
    """Particle i's last move; at its start half the way to another particle, as in PSO. Shape D, in the unit cube."""
    path_TD = to_unit_cube(state.space, state.paths[i][-2:])
    if len(path_TD) > 1:
        return np.asarray(path_TD[1] - path_TD[0])
    if len(state.paths) == 1:
        return np.zeros_like(path_TD[0])
    other = state.paths[random_other(state.seed, i, len(state.paths))]
    return np.asarray((to_unit_cube(state.space, other[-1:])[0] - path_TD[0]) / 2)

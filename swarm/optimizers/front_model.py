"""What is known of several measured scores at once: a process for each, and the front and the floors that follow.

Shape suffixes: N observations, M points, S samples, W directions, K objectives, F floors, D coordinates. Positions are
points of the unit cube.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm.core.dominance import non_dominated
from swarm.core.measured import Measured
from swarm.core.space import Array, Space
from swarm.optimizers.history import HistoryState
from swarm.optimizers.measured_process import MeasuredProcess
from swarm.optimizers.positions import distinct_rows, to_unit_cube

MOST_MEASURED = 300  # observations that are fitted: the cost of a fit rises with their cube


@dataclass(frozen=True)
class FrontModel:
    """Processes over what was measured.

    x_ND: the observed positions.
    objectives: a process for each value that is maximised.
    floors: a process for each slack.
    reference_K: the least of each value that counts.
    base_D: the position of the base, from whose score a floor may count.
    allowed_F: how far below the base's score a floor lies; NaN where it does not count from there.
    """

    x_ND: Array
    objectives: tuple[MeasuredProcess, ...]
    floors: tuple[MeasuredProcess, ...]
    reference_K: Array
    base_D: Array
    allowed_F: Array

    @classmethod
    def of(cls, state: HistoryState) -> "FrontModel | None":
        """Over the observations of a state; None where less than two candidates were measured.

        Of more than MOST_MEASURED those on the observed front, then the latest.
        """
        x_ND, measured = measurements(state)
        if len(measured) < 2:
            return None
        begun = (generation for generation in state.history if generation.iteration <= 0)  # it holds the baselines
        first = [m for generation in begun for m in generation.measured.values()] or measured[:1]
        if len(measured) > MOST_MEASURED:
            on_front_N = non_dominated(np.array([m.values for m in measured]))
            order = np.lexsort((-np.arange(len(measured)), ~on_front_N))
            kept = np.sort(order[:MOST_MEASURED])
            x_ND, measured = x_ND[kept], [measured[row] for row in kept]
        return cls.fitted(state.space, x_ND, measured, first)

    @classmethod
    def fitted(
        cls, space: Space, x_ND: Array, measured: Sequence[Measured], first: Sequence[Measured] = ()
    ) -> "FrontModel":
        """x_ND: distinct positions in the unit cube. first: of whose values the lowest are the reference point where
        none is given; by default of all."""
        lowest_K = np.min([m.values for m in first or measured], axis=0)
        given_K = np.array(measured[0].references or [np.nan] * len(lowest_K))
        return cls(
            x_ND=x_ND,
            objectives=_processes(x_ND, [(m.values, m.errors) for m in measured]),
            floors=_processes(x_ND, [(m.slacks, m.slack_errors) for m in measured]),
            reference_K=np.where(np.isnan(given_K), lowest_K, given_K),
            base_D=to_unit_cube(space, space.neutral_D),
            allowed_F=np.median([m.allowed or [np.nan] * len(m.slacks) for m in measured], axis=0),
        )

    def expected(self, x_MD: Array) -> Array:
        """The posterior means. Shape MK."""
        return np.stack([process.expected(x_MD) for process in self.objectives], axis=1)

    def deviation(self, x_MD: Array) -> Array:
        """The posterior standard deviations. Shape MK."""
        return np.stack([process.deviation(x_MD) for process in self.objectives], axis=1)

    def kept(self, x_MD: Array, optimism: float = 0.0) -> Array:
        """The least by which any floor is kept, by the posterior means; inf where there are no floors. Shape M.

        optimism: standard deviations that are added.
        """
        slack_M = np.full(len(x_MD), np.inf)
        for process, allowed in zip(self.floors, self.allowed_F, strict=True):
            base = 0.0 if np.isnan(allowed) else float(process.expected(self.base_D[None])[0]) - allowed
            upper_M = process.expected(x_MD) + (optimism * process.deviation(x_MD) if optimism else 0.0)
            slack_M = np.minimum(slack_M, upper_M - base)
        return slack_M

    def sampled(self, x_MD: Array, samples: int, rng: np.random.Generator) -> "Sampled":
        """Joint samples of all that is measured at these points."""
        points_MD = np.vstack([x_MD, self.base_D])  # the base last: floors may count from it
        shape = (samples, len(points_MD))
        gains = [p.sampled(points_MD, rng.normal(size=shape))[:, :-1] for p in self.objectives]
        gains_SMK = np.stack(gains, axis=2) - self.reference_K
        slack_SM = np.full((samples, len(x_MD)), np.inf)
        for process, allowed in zip(self.floors, self.allowed_F, strict=True):
            found_SM = process.sampled(points_MD, rng.normal(size=shape))
            base_S1 = 0.0 if np.isnan(allowed) else found_SM[:, -1:] - allowed
            slack_SM = np.minimum(slack_SM, found_SM[:, :-1] - base_S1)
        return Sampled(gains_SMK, slack_SM)

    def front(self) -> NDArray[np.intp]:
        """The rows of the posterior front: observations whose means no other's dominate, among those that keep the
        floors by their means; where none does, the one that is nearest."""
        slack_N = self.kept(self.x_ND)
        if not (slack_N >= 0).any():
            return np.array([int(slack_N.argmax())])
        rows = np.flatnonzero(slack_N >= 0)
        return rows[non_dominated(self.expected(self.x_ND[rows]))]


@dataclass(frozen=True)
class Sampled:
    """Joint samples at M points.

    gains_SMK: of each value, over its reference point.
    slack_SM: the least by which any floor is kept; inf where there are none.
    """

    gains_SMK: Array
    slack_SM: Array


def measurements(state: HistoryState) -> tuple[Array, Sequence[Measured]]:
    """Positions in the unit cube, each once, and what was measured there. What failed is left out. Shape ND."""
    pairs = [(g.x_ND[row], g.measured[row]) for g in state.history for row in sorted(g.measured)]
    if not pairs:
        return np.empty((0, state.space.dimensions)), []
    x_ND = to_unit_cube(state.space, np.stack([x_D for x_D, _ in pairs]))
    rows = distinct_rows(x_ND)
    return x_ND[rows], [pairs[row][1] for row in rows]


def _processes(
    x_ND: Array, observed: Sequence[tuple[tuple[float, ...], tuple[float, ...]]]
) -> tuple[MeasuredProcess, ...]:
    y_NC, error_NC = (np.array([pair[i] for pair in observed]) for i in (0, 1))
    columns = range(y_NC.shape[1] if y_NC.ndim == 2 else 0)
    return tuple(MeasuredProcess.fitted(x_ND, y_NC[:, i], error_NC[:, i]) for i in columns)

"""What the tests of fronts and floors share: problems with known fronts, and searches of them.

Shape suffixes: N positions, K objectives, D coordinates.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from support.optimizer_runs import space
from swarm.core.measured import Measured
from swarm.core.space import Array, Space
from swarm.optimizers import Observation, Optimizer, Proposal

Values = Callable[[Array], tuple[float, ...]]
EXACT = 1e-6  # the standard error of a score without noise


@dataclass(frozen=True)
class Measurements:
    """What is measured at a position: values, slacks of floors, and how far below the base's score they are allowed."""

    values: Values
    slacks: Values = lambda x_D: ()
    allowed: tuple[float, ...] = ()
    references: tuple[float, ...] = ()

    def observe(self, proposal: Proposal) -> Observation:
        values, slacks = self.values(proposal.x_D), self.slacks(proposal.x_D)
        measured = Measured(
            values=values,
            errors=(EXACT,) * len(values),
            references=self.references,
            slacks=slacks,
            slack_errors=(EXACT,) * len(slacks),
            allowed=self.allowed or (np.nan,) * len(slacks),
        )
        return Observation(proposal.iteration, proposal.particle, float(np.mean(values)), measured)


def searched(
    optimizer: Optimizer[Any], measurements: Measurements, evaluations: int, where: Space | None = None, seed: int = 0
) -> Array:
    """All positions, in the order in which they were told: a generation at a time. Shape ND."""
    state = optimizer.init(where or space(3), seed)
    x_ND: list[Array] = []
    while len(x_ND) < evaluations:
        proposals = optimizer.ask(state)
        oldest = [p for p in proposals if p.iteration == proposals[0].iteration]
        x_ND += [p.x_D for p in oldest]
        state = optimizer.tell(state, [measurements.observe(p) for p in oldest])
    return np.array(x_ND[:evaluations])


def concave_front(x_D: Array) -> tuple[float, float]:
    """Two objectives in conflict along the first coordinate from 0 to 1, with a front that sags: f1 = t^2, f2 =
    (1 - t)^2, less a penalty of the others. At its middle both are 0.25; every weighted sum is highest at an end."""
    t, aside = float(np.clip(x_D[0], 0.0, 1.0)), float(np.square(x_D[1:]).sum())
    outside = float(np.square(x_D[0] - t))
    return t**2 - aside - outside, (1 - t) ** 2 - aside - outside

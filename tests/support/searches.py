"""What the tests of both schedules share: candidates scored by how near they are to a target, on two objectives."""

import numpy as np

from swarm.core.candidates import Candidate, Evaluation

TARGET = np.array([0.1, 0.7, 0.3])
WEIGHTS = {"near": 3.0, "small": 1.0}


def scored(candidate: Candidate) -> Evaluation:
    x_D = np.array(candidate.position)
    values = {"near": -float(np.square(x_D - TARGET).sum()), "small": -float(np.abs(x_D).sum())}
    return Evaluation(
        candidate, "ok", values, {name: (value,) for name, value in values.items()}, tokens=3, seconds=0.5
    )

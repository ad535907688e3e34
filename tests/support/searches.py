"""What the tests of both schedules share: candidates scored by how near they are to a target, on two objectives."""

from pathlib import Path
from typing import Any

import numpy as np

from support.optimizer_runs import space
from support.runs import START
from swarm.core.candidates import Candidate, Evaluation
from swarm.journal.archive import Archive
from swarm.optimizers import Optimizer
from swarm.search.loop import Evaluate, Loop

TARGET = np.array([0.1, 0.7, 0.3])
WEIGHTS = {"near": 3.0, "small": 1.0}


def scored(candidate: Candidate) -> Evaluation:
    x_D = np.array(candidate.position)
    values = {"near": -float(np.square(x_D - TARGET).sum()), "small": -float(np.abs(x_D).sum())}
    return Evaluation(
        candidate, "ok", values, {name: (value,) for name, value in values.items()}, tokens=3, seconds=0.5
    )


def loop(folder: Path, optimizer: Optimizer[Any], evaluate: Evaluate, seed: int = 0) -> Loop:
    """Over what the folder's journal holds; a new journal begins with its start line."""
    folder.mkdir(exist_ok=True)
    archive = Archive(folder / "journal.jsonl")
    if archive.start is None:
        archive.append(START)
    return Loop(optimizer, space(3), seed, WEIGHTS, archive, evaluate, lambda evaluation: None, finalists=4)

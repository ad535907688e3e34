"""One training of a build: the expert's rows, from the base or from what was trained before, in the working folder."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from swarm.builders.checkpoints import newest_complete, step_of
from swarm.core.errors import ConfigError
from swarm.run.build_folder import prepared_folder
from swarm.run.build_plan import BuildPlan

if TYPE_CHECKING:
    from swarm.builders.training import Job, Trained


class BuildListener(Protocol):
    """Hears what a build is doing."""

    def phase(self, text: str) -> None:
        """A phase begins."""

    def note(self, text: str) -> None:
        """Something that the user should know."""

    def steps(self, done: int, of: int) -> None:
        """So many of the phase's steps are done."""


@dataclass(frozen=True)
class Stage:
    """A training.

    name: of its working folder.
    i: of the expert whose data and settings it has.
    start: weights to go on from; None: those of the base.
    record: all on which its weights depend.
    """

    name: str
    i: int
    start: Path | None
    record: Mapping[str, object]


def train_stage(plan: BuildPlan, stage: Stage, work: Path, listener: BuildListener, text: str) -> "Trained":
    """Train, or go on where an earlier process stopped. text: the phase's.

    Raises ConfigError at a loss that is not finite: then nothing of the training stays. RunError for a full disk.
    """
    from swarm.builders.trainers import NonFiniteLossError
    from swarm.builders.training import train

    folder, restarted = prepared_folder(work, stage.name, stage.record)
    done = _done(folder)
    if restarted:
        listener.note(f"{text}: begun with other settings or libraries before, and begun again now")
    if done:
        listener.note(f"{text}: continued after step {done}")
    listener.phase(text)
    listener.steps(done, plan.experts[stage.i].steps)
    try:
        return train(job_of(plan, stage, folder), lambda done, of, _loss: listener.steps(done, of))
    except NonFiniteLossError as error:
        shutil.rmtree(folder)
        loss, step = error.args
        builder = plan.experts[stage.i].builder
        raise ConfigError(
            f"experts.{stage.i}.learning_rate: {builder.rate:g}, and the loss of {builder.name} is {loss} at step "
            f"{step}; lower it"
        ) from None


def _done(folder: Path) -> int:
    """The steps that an earlier process has done."""
    newest = newest_complete(folder)
    return step_of(newest) if newest else 0


def job_of(plan: BuildPlan, stage: Stage, folder: Path) -> "Job":
    from swarm.builders.training import Job

    expert = plan.experts[stage.i]
    return Job(
        builder=expert.builder,
        base=plan.base.path,
        start=stage.start,
        dtype=plan.dtype,
        rows=expert.rows.rows,
        steps=expert.steps,
        folder=folder,
        seed=expert.seed,
    )

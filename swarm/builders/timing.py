"""A few real steps of a training: how long one takes, and how much memory."""

import random
import resource
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from swarm.builders.base import Rows
from swarm.builders.models import quiet
from swarm.builders.training import Job, trainer_of

STEPS = 3  # that are timed, after one on the longest examples
REFERENCE_SHARE = 1 / 3  # of a step, which a forward pass for the reference takes


@dataclass(frozen=True)
class Sample:
    """What was measured.

    open_seconds: to load the base.
    step_seconds: of one step.
    peak: bytes of memory of the process, or of the GPU where there is one.
    """

    open_seconds: float
    step_seconds: float
    peak: float


class _Clock(TrainerCallback):  # type: ignore[misc]
    """The time at which each step ended."""

    def __init__(self) -> None:
        self.ended: list[float] = []

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        self.ended.append(time.perf_counter())


def sample(job: Job) -> Sample:
    """Load the base and train a few steps; nothing of it stays. Raises what a training would raise."""
    began, clock = time.perf_counter(), _Clock()
    own = job.builder.model_copy(update={"save_steps": STEPS + 2})
    with tempfile.TemporaryDirectory() as folder, quiet():
        short = replace(
            job, builder=own, rows=_few(job), steps=STEPS + 1, folder=Path(folder), ordered=True, callbacks=(clock,)
        )
        trainer = trainer_of(short)
        trainer.args.save_strategy = "no"
        opened = time.perf_counter()
        trainer.train()
    steps = (clock.ended[-1] - clock.ended[0]) / STEPS
    return Sample(opened - began, steps, _peak())


def _few(job: Job) -> Rows:
    """The longest examples for the first step, then some as they come."""
    size = job.builder.batch_size * job.builder.gradient_accumulation_steps
    by_length = sorted(range(len(job.rows)), key=lambda i: -len(job.rows[i]))
    longest = [by_length[i % len(by_length)] for i in range(size)]
    drawn = random.Random(0).choices(by_length, k=STEPS * size)
    return [job.rows[i] for i in (*longest, *drawn)]  # type: ignore[return-value]


def _peak() -> float:
    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0

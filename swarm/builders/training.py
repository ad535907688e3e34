"""From a base and rows of tokens to trained weights, in a working folder from which a killed training goes on.

On one machine with the same number of threads a training that was killed ends with the same weights as one that was
not: a checkpoint holds weights, optimizer, schedule, random state and the place in the data.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from transformers import (
    AutoTokenizer,
    PreTrainedTokenizerBase,
    PrinterCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from swarm.builders.base import ExpertBuilder, Rows
from swarm.builders.checkpoints import KEPT, losses_of, mark_complete, newest_complete, step_of
from swarm.builders.models import quiet
from swarm.builders.parts import part_of
from swarm.builders.trainers import AnswerTrainer, PairTrainer

WARM_UP = 0.05  # of the steps

OnStep = Callable[[int, int, float], None]
"""Called after each step with its number, that of all steps, and its loss."""


@dataclass(frozen=True)
class Job:
    """One training.

    base: the folder of the base.
    start: an adapter or a checkpoint to go on from; None: from the base itself. Not of a control layer.
    dtype: of the base's weights: float32, bfloat16 or float16.
    rows: what is trained on.
    folder: where checkpoints are written.
    ordered: the rows are taken in their order.
    callbacks: that hear of the training beside the progress.
    """

    builder: ExpertBuilder
    base: Path
    start: Path | None
    dtype: str
    rows: Rows
    steps: int
    folder: Path
    seed: int
    ordered: bool = False
    callbacks: tuple[TrainerCallback, ...] = field(default=())


@dataclass(frozen=True)
class Trained:
    """What a training leaves: a checkpoint with the weights, and the loss of every step."""

    checkpoint: Path
    losses: tuple[float, ...]


class _Progress(TrainerCallback):  # type: ignore[misc]
    """Tells of each step, and marks checkpoints once they are complete."""

    def __init__(self, on_step: OnStep, steps: int) -> None:
        self._on_step, self._steps = on_step, steps

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: object,
    ) -> None:
        if logs and "loss" in logs:
            self._on_step(state.global_step, self._steps, float(logs["loss"]))

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        mark_complete(Path(args.output_dir) / f"checkpoint-{state.global_step}")


def train(job: Job, on_step: OnStep) -> Trained:
    """Train, or go on from the newest complete checkpoint in the job's folder.

    Raises NonFiniteLossError, RunError where a checkpoint cannot be written, ExpertError where the base has no part of
    that kind.
    """
    job.folder.mkdir(parents=True, exist_ok=True)
    newest = newest_complete(job.folder)
    if newest is None or step_of(newest) < job.steps:
        with quiet():
            trainer = trainer_of(job)
            trainer.add_callback(_Progress(on_step, job.steps))
            trainer.train(resume_from_checkpoint=str(newest) if newest else None)
        newest = newest_complete(job.folder)
    assert newest is not None, "the last step leaves a checkpoint"
    return Trained(newest, losses_of(newest))


def trainer_of(job: Job) -> AnswerTrainer | PairTrainer:
    """The trainer of a job, with the base in memory. For pairs it has computed the reference's log-probabilities."""
    part = part_of(job.builder)
    kind = part.trainer
    tokenizer = AutoTokenizer.from_pretrained(job.base, local_files_only=True, trust_remote_code=False)
    trainer = kind(
        model=part.started(job.base, job.start, job.dtype),
        args=_arguments(job, kind),
        data_collator=kind.collator(_padding(tokenizer)),
        train_dataset=kind.dataset(job.rows, job.folder),  # type: ignore[arg-type]
        processing_class=tokenizer,
        peft_config=None if job.start else part.peft_config,
        callbacks=list(job.callbacks),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _arguments(job: Job, kind: type[AnswerTrainer] | type[PairTrainer]) -> TrainingArguments:
    builder = job.builder
    arguments = kind.config(
        output_dir=str(job.folder),
        max_steps=job.steps,
        per_device_train_batch_size=builder.batch_size,
        gradient_accumulation_steps=builder.gradient_accumulation_steps,
        gradient_checkpointing=builder.gradient_checkpointing,
        learning_rate=builder.rate,
        lr_scheduler_type="linear",
        warmup_steps=WARM_UP,
        weight_decay=0.0,
        bf16=job.dtype == "bfloat16",
        seed=job.seed,
        data_seed=job.seed,
        train_sampling_strategy="sequential" if job.ordered else "random",
        max_length=None,
        save_strategy="steps",
        save_steps=builder.save_steps,
        save_total_limit=KEPT,
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
        **builder.trainer_arguments(),
    )
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1  # trl's trainers refuse several in one process
    return arguments


def _padding(tokenizer: PreTrainedTokenizerBase) -> int:
    """A token to fill rows with; it is masked."""
    known = (tokenizer.pad_token_id, tokenizer.eos_token_id)
    return next((int(token) for token in known if isinstance(token, int)), 0)

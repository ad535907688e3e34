"""The trainers of trl, which is an extra. Rows are token ids already; losses and disks are checked; nothing is sent."""

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset, disable_progress_bars, load_from_disk
from safetensors import SafetensorError
from torch import Tensor
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from swarm.builders.base import AnswerTokens, PairTokens
from swarm.core.errors import RunError, UserError, first_line

UNLABELLED = -100  # the label of a token that is not trained on

disable_progress_bars()  # a build shows its own


class NonFiniteLossError(UserError):
    """The loss is infinite or no number. Args: the loss and the step."""


class _Checked:
    """Of a trainer: stops at a loss that is not finite, names a disk that is full, sends and writes nothing else."""

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        loss: Tensor = super().training_step(*args, **kwargs)  # type: ignore[misc]
        if not math.isfinite(value := float(loss)):
            raise NonFiniteLossError(value, self.state.global_step + 1)  # type: ignore[attr-defined]
        return loss

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        try:
            super()._save_checkpoint(*args, **kwargs)  # type: ignore[misc]
        except (OSError, RuntimeError, SafetensorError) as error:  # torch raises RuntimeError where a disk is full
            folder = self.args.output_dir  # type: ignore[attr-defined]
            raise RunError(
                f"{folder}: a checkpoint cannot be written ({first_line(error)}); free disk space or choose another out"
            ) from error

    def _send_telemetry(self) -> None:
        """trl would tell its makers of every training."""

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """The expert gets a card of its own."""


class AnswerTrainer(_Checked, SFTTrainer):  # type: ignore[misc]
    """SFT on the answers of rows."""

    config = SFTConfig

    @staticmethod
    def dataset(rows: Sequence[AnswerTokens], folder: Path) -> Dataset:
        ids = [[*row.prompt, *row.answer] for row in rows]
        labels = [[UNLABELLED] * len(row.prompt) + list(row.answer) for row in rows]
        return Dataset.from_dict({"input_ids": ids, "labels": labels})

    @staticmethod
    def collator(pad: int) -> DataCollatorForLanguageModeling:
        return DataCollatorForLanguageModeling(pad_token_id=pad)


class PairTrainer(_Checked, DPOTrainer):  # type: ignore[misc]
    """DPO on pairs of rows."""

    config = DPOConfig

    @staticmethod
    def dataset(rows: Sequence[PairTokens], folder: Path) -> Dataset:
        """On disk: trl keeps the reference's log-probabilities beside it, so that a resumed training has them."""
        place, partial = folder / "rows", folder / "rows.partial"
        if not place.exists():
            shutil.rmtree(partial, ignore_errors=True)
            names = ("prompt", "chosen", "rejected")
            made = Dataset.from_dict({f"{name}_ids": [list(getattr(row, name)) for row in rows] for name in names})
            made.save_to_disk(partial)
            partial.rename(place)
        return load_from_disk(place)

    @staticmethod
    def collator(pad: int) -> DataCollatorForPreference:
        return DataCollatorForPreference(pad_token_id=pad)

    def _prepare_dataset(self, dataset: Dataset, *args: Any, **kwargs: Any) -> Dataset:
        return dataset


TRAINERS: dict[str, type[AnswerTrainer] | type[PairTrainer]] = {"answers": AnswerTrainer, "pairs": PairTrainer}

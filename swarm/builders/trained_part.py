"""What is asked of the part of a model that is trained: its start, its size, what the expert's folder gets."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from peft import LoraConfig, PeftModel
from torch import Tensor
from transformers import PreTrainedModel

from swarm.builders.base import ExpertBuilder
from swarm.builders.trainers import TRAINERS, AnswerTrainer, PairTrainer
from swarm.core.errors import ExpertError
from swarm.core.loading import Snippet


@dataclass(frozen=True)
class BaseFolder:
    """The base that an expert was trained from.

    name: its hub id or folder.
    dtype: of most of its weights.
    fingerprint: of its tensors.
    """

    name: str
    path: Path
    dtype: str
    fingerprint: str


class TrainedPart(ABC):
    """One part, with the settings of a builder. library: that loads the expert."""

    library: ClassVar[str]
    frozen: ClassVar[bool] = True  # whether the base's own weights stay as they are

    def __init__(self, builder: ExpertBuilder) -> None:
        self.builder = builder

    @property
    def trainer(self) -> type[AnswerTrainer] | type[PairTrainer]:
        return TRAINERS[self.builder.trainer_kind]

    @property
    def peft_config(self) -> LoraConfig | None:
        """Of the adapter that the trainer adds."""
        return None

    @abstractmethod
    def started(self, base: Path, start: Path | None, dtype: str) -> PreTrainedModel | PeftModel:
        """The model as training begins. start: what was trained before; None: the base itself. Raises ExpertError."""

    @abstractmethod
    def trained(self, model: PreTrainedModel, key: str) -> int:
        """How many weights of a model without weights (on the meta device) are trained. key: of the builder.

        Raises ConfigError where that part of the model cannot be trained.
        """

    @abstractmethod
    def write(self, checkpoint: Path, base: BaseFolder, dest: Path) -> None:
        """Write weights and settings into an empty folder. Raises ExpertError where a weight is not finite."""

    @abstractmethod
    def snippet(self, folder: str, base: str) -> Snippet:
        """How the expert is loaded."""


def check_trained(name: str, tensor: Tensor) -> None:
    """Raise ExpertError where a trained weight is not finite."""
    if not tensor.isfinite().all():
        raise ExpertError(f"{name} is not finite after training; lower learning_rate")

"""Supervised fine-tuning (SFT): the answers are learnt, the prompts are not."""

from typing import ClassVar, Literal

from swarm.builders.base import TrainerKind
from swarm.builders.weights_builder import WeightsBuilder


class SFTBuilder(WeightsBuilder):
    """Learns the answers of examples: the mean cross-entropy of the answers' tokens alone."""

    trainer_kind: ClassVar[TrainerKind] = "answers"
    full_rate: ClassVar[float] = 2e-5
    lora_rate: ClassVar[float] = 2e-4
    default_epochs: ClassVar[float] = 3.0

    type: Literal["sft"]

    @property
    def learns(self) -> str:
        return "supervised (SFT)"

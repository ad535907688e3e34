"""What builders share that train weights of the model itself: a LoRA adapter of some modules, or all weights."""

from typing import Annotated, ClassVar

from pydantic import Field

from swarm.builders.base import ExpertBuilder, Part


class WeightsBuilder(ExpertBuilder):
    """Trains a LoRA adapter, or all weights.

    full_rate, lora_rate: learning rates where the config says nothing.
    """

    full_rate: ClassVar[float]
    lora_rate: ClassVar[float]

    full: bool = Field(False, description="train all weights and write a whole checkpoint; else a LoRA adapter")
    rank: int = Field(8, ge=1, le=4096, description="the rank of the LoRA adapter")
    alpha: float = Field(16, gt=0, description="LoRA's alpha: updates are scaled by alpha / rank")
    target_modules: str | Annotated[list[str], Field(min_length=1)] = Field(
        "all-linear", description="the modules that LoRA adapts: names, or PEFT's all-linear"
    )

    @property
    def part(self) -> Part:
        return "all" if self.full else "adapter"

    @property
    def trains(self) -> str:
        return "all weights" if self.full else f"LoRA of rank {self.rank}"

    @property
    def default_rate(self) -> float:
        return self.full_rate if self.full else self.lora_rate

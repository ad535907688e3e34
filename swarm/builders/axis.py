"""An axis expert: supervised, with an instruction in the prompts of half of the examples.

The expert then does what the axis asks for whether it is asked or not, and can still be asked for more of it.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from swarm.builders.base import TrainerKind
from swarm.builders.sft import SFTBuilder
from swarm.builders.weights_builder import WeightsBuilder
from swarm.core.examples import Example


class AxisBuilder(WeightsBuilder):
    """Learns the answers, of half of the examples (rounded up) after an instruction."""

    trainer_kind: ClassVar[TrainerKind] = SFTBuilder.trainer_kind
    full_rate: ClassVar[float] = SFTBuilder.full_rate
    lora_rate: ClassVar[float] = SFTBuilder.lora_rate
    default_epochs: ClassVar[float] = SFTBuilder.default_epochs

    type: Literal["axis"]
    instruction: str = Field(
        description="what asks for the axis, before the prompts of half of the examples: Answer politely."
    )

    @field_validator("instruction")
    @classmethod
    def _asks(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("must be a text that asks for the axis, such as Answer politely.")
        return value

    def arranged(self, examples: Sequence[Example], seed: int) -> list[Example]:
        asked = set(random.Random(seed).sample(range(len(examples)), (len(examples) + 1) // 2))
        return [self._asked(example) if i in asked else example for i, example in enumerate(examples)]

    def _asked(self, example: Example) -> Example:
        context = f"{self.instruction}\n\n{example.context}" if example.context else self.instruction
        return replace(example, context=context)

    @property
    def learns(self) -> str:
        return "supervised (SFT), half of the prompts with the axis instruction"

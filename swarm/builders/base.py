"""What all builders share: their settings, and the rows that they train on."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from swarm.core.examples import Example
from swarm.core.settings import Settings
from swarm.data.curation_settings import Curation

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
TrainerKind = Literal["answers", "pairs"]
Part = Literal["adapter", "all", "control"]  # of a model that is trained: LoRA, all weights, a control layer


@dataclass(frozen=True)
class AnswerTokens:
    """An example as token ids.

    prompt: not trained on.
    answer: with the token that ends it.
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


@dataclass(frozen=True)
class PairTokens:
    """A preference as token ids; both answers with the token that ends them."""

    prompt: tuple[int, ...]
    chosen: tuple[int, ...]
    rejected: tuple[int, ...]

    def __len__(self) -> int:
        """The longer of the two texts."""
        return len(self.prompt) + max(len(self.chosen), len(self.rejected))


Rows = Sequence[AnswerTokens] | Sequence[PairTokens]


class ExpertBuilder(Settings, ABC):
    """How one expert is built. Each type of builder is a subclass, and adds its own keys.

    trainer_kind: whether it learns from answers, or from pairs of answers.
    default_epochs: what counts where the config says nothing.
    """

    trainer_kind: ClassVar[TrainerKind]
    default_epochs: ClassVar[float]

    name: str = Field(description="the expert's name, and that of its folder in `out`")
    type: str
    data: str = Field(description="a file of examples, of any kind that is read")
    held_out: float | str | None = Field(
        None, description="a share of the examples, or a file: not trained on, and scored by `forgetting`"
    )
    curate: Curation | None = Field(None, description="choose among the examples first, as `swarm curate` does")
    learning_rate: float | None = Field(None, gt=0, description="the peak; the default depends on type and `full`")
    steps: int | None = Field(None, ge=1, description="updates of the weights")
    epochs: float | None = Field(None, gt=0, description="in place of steps: how often the examples are gone through")
    batch_size: int = Field(16, ge=1, description="examples at a time")
    gradient_accumulation_steps: int = Field(
        1, ge=1, description="batches that are summed for one step: less memory than one large batch"
    )
    gradient_checkpointing: bool = Field(False, description="less memory, and a third more time")
    max_length: int = Field(1024, ge=2, description="examples of more tokens, prompt and answer, are left out")
    save_steps: int = Field(100, ge=1, description="a killed build loses this many steps at most")
    seed: int | None = Field(None, ge=0, lt=2**32, description="of this expert; default: that of the build")

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, value: str) -> str:
        if not NAME.fullmatch(value):
            raise ValueError("must be letters, digits, dots, dashes and underscores, as it names a folder")
        return value

    @field_validator("held_out")
    @classmethod
    def _is_share(cls, value: float | str | None) -> float | str | None:
        if isinstance(value, float) and not 0 < value < 1:
            raise ValueError("must be a share between 0 and 1, or a file")
        return value

    @model_validator(mode="after")
    def _one_length(self) -> "ExpertBuilder":
        if self.steps is not None and self.epochs is not None:
            raise ValueError(
                f"steps {self.steps} and epochs {self.epochs:g} are two lengths of one training; remove one of them"
            )
        return self

    @model_validator(mode="after")
    def _curates_answers(self) -> "ExpertBuilder":
        if self.curate is not None and self.trainer_kind == "pairs":
            raise ValueError(
                f"curate chooses among examples with one answer, and {self.type} learns from pairs; remove it"
            )
        return self

    @property
    def rate(self) -> float:
        """The peak learning rate."""
        return self.learning_rate or self.default_rate

    def steps_for(self, rows: int) -> int:
        """How many updates of the weights training on so many rows takes."""
        if self.steps is not None:
            return self.steps
        each = math.ceil(math.ceil(rows / self.batch_size) / self.gradient_accumulation_steps)
        return max(1, math.ceil((self.epochs or self.default_epochs) * each))

    def arranged(self, examples: Sequence[Example], seed: int) -> list[Example]:
        """The examples as they are trained on."""
        return list(examples)

    @property
    def method(self) -> str:
        """In words, for cards: "supervised, LoRA of rank 8"."""
        return f"{self.learns}, {self.trains}"

    @property
    @abstractmethod
    def part(self) -> Part:
        """The part of the model that is trained."""

    @property
    @abstractmethod
    def trains(self) -> str:
        """That part, in words."""

    @property
    @abstractmethod
    def default_rate(self) -> float:
        """The learning rate where the config says nothing."""

    @property
    @abstractmethod
    def learns(self) -> str:
        """What it learns from, in words."""

    def trainer_arguments(self) -> dict[str, object]:
        """What its trainer is given beside what all trainers are."""
        return {}

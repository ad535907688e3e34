"""Direct preference optimisation (DPO): of two answers the chosen one becomes likelier than the rejected one.

Rafailov et al., 2023 (arXiv:2305.18290), with the sigmoid loss. The log-probabilities of the reference, which is the
base, are computed once, before training, so that no second model is held in memory.
"""

from typing import ClassVar, Literal

from pydantic import Field

from swarm.builders.base import TrainerKind
from swarm.builders.weights_builder import WeightsBuilder


def preference_arguments(beta: float, batch_size: int) -> dict[str, object]:
    """What trl's DPO trainer is given."""
    return {"beta": beta, "precompute_ref_log_probs": True, "precompute_ref_batch_size": batch_size}


class DPOBuilder(WeightsBuilder):
    """Learns from pairs of answers to one prompt."""

    trainer_kind: ClassVar[TrainerKind] = "pairs"
    full_rate: ClassVar[float] = 1e-6
    lora_rate: ClassVar[float] = 1e-5
    default_epochs: ClassVar[float] = 1.0

    type: Literal["dpo"]
    beta: float = Field(0.1, gt=0, description="how much is lost by moving away from the base: more is closer to it")

    @property
    def learns(self) -> str:
        return f"preferences (DPO, beta {self.beta:g})"

    def trainer_arguments(self) -> dict[str, object]:
        return preference_arguments(self.beta, self.batch_size)

"""A control layer (CLM, arXiv:2503.04346): a copy of the first decoder layer, trained in front of the base.

The copy starts as an exact identity, so the reference of DPO, with which training starts, is the base itself. All other
weights stay as they are. How much of it counts is chosen later: l = (1 - lambda) l_base + lambda l_aligned.
"""

from typing import ClassVar, Literal

from pydantic import Field

from swarm.builders.base import ExpertBuilder, Part, TrainerKind
from swarm.builders.dpo import preference_arguments


class ControlBuilder(ExpertBuilder):
    """Learns from pairs of answers to one prompt; trains one layer, and no adapter."""

    trainer_kind: ClassVar[TrainerKind] = "pairs"
    default_epochs: ClassVar[float] = 1.0

    type: Literal["control"]
    beta: float = Field(
        0.005, gt=0, description="how much is lost by moving away from the base; the paper has .001 to .005"
    )

    @property
    def learns(self) -> str:
        return f"preferences (DPO, beta {self.beta:g})"

    @property
    def part(self) -> Part:
        return "control"

    @property
    def trains(self) -> str:
        return "a control layer"

    @property
    def default_rate(self) -> float:
        return 1e-5

    def trainer_arguments(self) -> dict[str, object]:
        return preference_arguments(self.beta, self.batch_size)

"""Composition of logits: l = l_base + the sum over paths of coefficient times (l_plus - l_minus).

A path is an expert of the base minus the base (decoding-time realignment, Liu et al. 2024, arXiv 2402.02992), a pair of
models (proxy-tuning, Liu et al. 2024, arXiv 2401.08565) or a control layer (CLM, arXiv 2503.04346). With `combine:
probabilities` the models' next-token probabilities are averaged (token swarms: Model Swarms, arXiv 2410.11163).
"""

from typing import Literal

from pydantic import Field

from swarm.compositions.paths import PathComposition
from swarm.core.errors import ConfigError
from swarm.core.recipes import Combined
from swarm.experts.catalog import Catalog


class Logits(PathComposition):
    """One coefficient per path: nothing is merged, every path is run, and what they say of the next token is combined.

    With `combine: probabilities` coefficients below 0 count as 0, and those that sum to more than 1 are divided by
    their sum; what is left to 1 is the base's.
    """

    type: Literal["logits"] = "logits"
    combine: Combined = Field(
        "logits", description="logits: differences are added to the base's; probabilities: they are averaged"
    )
    low: float = Field(-0.5, description="lowest coefficient that a bounded optimizer tries")
    high: float = Field(1.5, description="highest coefficient that a bounded optimizer tries")

    @property
    def bounds(self) -> tuple[float, float]:
        return (0.0, 1.0) if self.combine == "probabilities" else (self.low, self.high)

    @property
    def combines(self) -> Combined:
        return self.combine

    def check_models(self, catalog: Catalog) -> None:
        if self.combine == "logits":
            return
        for model in catalog.models:
            if model.kind == "pair" and model.minus is not None:
                raise ConfigError(
                    f"composition.combine: probabilities averages whole models, and expert {model.name} is the "
                    "difference of two; set minus: base on it, or combine: logits"
                )

"""Composition of control layers (CLM, arXiv 2503.04346): l = l_0 + the sum over layers of lambda_i (l_i - l_0)."""

from typing import Literal

from pydantic import Field

from swarm.compositions.paths import PathComposition
from swarm.core.errors import ConfigError
from swarm.core.recipes import Combined
from swarm.experts.catalog import Catalog


class Control(PathComposition):
    """One lambda per control layer: 0 is the base, 1 the aligned path, and beyond both is extrapolation."""

    type: Literal["control"] = "control"
    low: float = Field(-1.0, description="lowest lambda that a bounded optimizer tries")
    high: float = Field(2.0, description="highest lambda that a bounded optimizer tries")

    @property
    def combines(self) -> Combined:
        return "logits"

    def check_models(self, catalog: Catalog) -> None:
        others = [source.name for source in catalog.sources if getattr(source, "kind", "") != "control"]
        if others:
            raise ConfigError(
                f"composition.type: control takes control layers alone, and expert {others[0]} is none; build one "
                "(swarm build, type: control), or use logits or mixed"
            )

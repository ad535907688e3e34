"""What compositions of logits have in common: one coefficient per path, and where each path stands alone.

Shape suffixes: D coordinates, one for each path.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from swarm.compositions.base import Composition
from swarm.compositions.weights import uniform_scales
from swarm.core.errors import ConfigError
from swarm.core.recipes import Combined, Group, LogitRecipe, Recipe, WeightRecipe
from swarm.core.space import Baseline, Space
from swarm.experts.catalog import Catalog

ALL = (Group("all", ("*",)),)


def neutral_weights(catalog: Catalog) -> WeightRecipe:
    """Weights that leave the base as it is."""
    return WeightRecipe("delta", ALL, dict.fromkeys(catalog.names, (0.0,)))


def path_names(catalog: Catalog) -> tuple[str, ...]:
    """Of all that can act on logits: every expert, pair of models and control layer."""
    return tuple(source.name for source in catalog.sources)


def check_base(kind: str, catalog: Catalog) -> None:
    """Raise ConfigError where the base's logits cannot be combined with those of others. kind: of composition."""
    base = catalog.base
    if base.architecture.encoder_decoder:
        raise ConfigError(
            f"composition.type: {kind} combines next-token logits, and base {base.path} is an encoder-decoder; use "
            "weights, or a causal base"
        )
    if base.codes:
        raise ConfigError(
            f"composition.type: {kind} runs copies of the base with experts merged, and base {base.path} is quantised; "
            "use weights, or give the 16-bit checkpoint that it was made from"
        )


class PathComposition(Composition):
    """One coefficient per path; the weights stay the base's."""

    low: float
    high: float

    @property
    def bounds(self) -> tuple[float, float]:
        return self.low, self.high

    @property
    @abstractmethod
    def combines(self) -> Combined:
        """What is combined."""

    def on_logits(self, catalog: Catalog) -> tuple[str, ...]:
        return path_names(catalog)

    def space(self, catalog: Catalog) -> Space:
        check_base(self.type, catalog)
        self.check_models(catalog)
        names, (low, high) = path_names(catalog), self.bounds
        scales = uniform_scales(len(names), high)
        if self.combines == "probabilities":
            scales = scales[:1]  # higher ones are divided by their sum, and are the same
        return Space(
            coordinates=names,
            low_D=np.full(len(names), low),
            high_D=np.full(len(names), high),
            base=Baseline.base(np.zeros(len(names))),
            experts=tuple(map(Baseline.expert, names, np.eye(len(names)))),
            uniforms=tuple(Baseline.uniform(scale, np.full(len(names), scale)) for scale in scales),
        )

    def recipe(self, position: Sequence[float], catalog: Catalog) -> Recipe:
        names = path_names(catalog)
        assert len(position) == len(names), "a position has one coordinate per path"
        coefficients: Mapping[str, float] = dict(zip(names, map(float, position), strict=True))
        return Recipe(neutral_weights(catalog), LogitRecipe(self.combines, coefficients))

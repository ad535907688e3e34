"""What a composition is: which coordinates there are, and what a position means.

Promises, held by tests for every composition in the registry:
- `space` and `recipe` are pure.
- The recipe of the base's position leaves the base as it is; the recipe of an expert alone gives that expert.
- The recipe of every baseline has the coefficients that its id and its scale state.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from pydantic import model_validator

from swarm.core.errors import ConfigError
from swarm.core.recipes import Recipe
from swarm.core.settings import Settings
from swarm.core.space import Space
from swarm.experts.catalog import Catalog


class Composition(Settings, ABC):
    """Settings of a composition, and its functions."""

    type: str
    paths: ClassVar[tuple[str, ...]] = ()  # keys that hold a path, which counts from the config's folder

    @model_validator(mode="after")
    def _enclosing(self) -> "Composition":
        low, high = self.bounds
        if not low <= 0.0 < 1.0 <= high:
            raise ValueError(f"low {low} and high {high} must enclose 0 (the base) and 1 (an expert alone); widen them")
        return self

    @property
    @abstractmethod
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest coefficient that a bounded optimizer tries, of every coordinate."""

    def decisive(self) -> dict[str, object]:
        """What scores and positions depend on: a run resumes only with the values that it began with."""
        return self.model_dump(mode="json")

    def on_logits(self, catalog: Catalog) -> tuple[str, ...]:
        """Names of what acts on logits: its models run beside the base."""
        return ()

    def on_weights(self, catalog: Catalog) -> tuple[str, ...]:
        """Names of what acts on the base's weights, beside what acts on logits."""
        return () if self.on_logits(catalog) else catalog.names

    def check_models(self, catalog: Catalog) -> None:
        """Raise ConfigError where an expert cannot act where this composition puts it."""
        if catalog.models:
            raise ConfigError(
                f"composition.type: {self.type} acts on weights, and expert {catalog.models[0].name} acts on logits "
                "alone; use logits or mixed"
            )

    @abstractmethod
    def space(self, catalog: Catalog) -> Space:
        """Coordinates, bounds and baselines. Raises ConfigError where the experts do not allow this composition."""

    @abstractmethod
    def recipe(self, position: Sequence[float], catalog: Catalog) -> Recipe:
        """The meaning of a position (length D), with names."""

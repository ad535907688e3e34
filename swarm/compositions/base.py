"""What a composition is: which coordinates there are, and what a position means.

Promises, held by tests for every composition in the registry:
- `space` and `recipe` are pure.
- The recipe of the base's position leaves the base as it is; the recipe of an expert alone gives that expert.
- The recipe of every baseline has the coefficients that its id and its scale state.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from swarm.core.recipes import Recipe
from swarm.core.settings import Settings
from swarm.core.space import Space
from swarm.experts.catalog import Catalog


class Composition(Settings, ABC):
    """Settings of a composition, and its functions."""

    type: str

    @property
    @abstractmethod
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest coefficient that a bounded optimizer tries, of every coordinate."""

    @abstractmethod
    def space(self, catalog: Catalog) -> Space:
        """Coordinates, bounds and baselines. Raises ConfigError where the experts do not allow this composition."""

    @abstractmethod
    def recipe(self, position: Sequence[float], catalog: Catalog) -> Recipe:
        """The meaning of a position (length D), with names."""

"""What an engine is: it holds base and experts, puts recipes in place and answers requests.

Promises:
- An answer depends on the recipe and the request alone: not on the batch it fell into (up to float
  rounding), nor on the recipes that were in place before.
- Recipes are composed from pristine copies, so the same recipe gives the same bits again.
- Several recipes and any requests may come at once; an engine may score them together.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, Protocol

from pydantic import Field

from swarm.core.recipes import Recipe
from swarm.core.requests import Reply
from swarm.core.settings import Settings
from swarm.engines.encoding import Requests
from swarm.experts.catalog import Catalog

DtypeName = Literal["float32", "bfloat16", "float16"]


class Engine(Protocol):
    """Base and experts in memory."""

    def answer(self, recipes: Sequence[Recipe], requests: Requests) -> list[Reply]:
        """One reply a recipe, its answers in the order of the requests.

        Raises EvaluationError where a recipe cannot be scored (not finite, out of memory).
        """

    def joins(self, recipes: Sequence[Recipe], requests: Requests) -> bool:
        """True where answering the recipes together is faster than one after another. A function of shapes alone."""


class EngineSettings(Settings, ABC):
    """Settings of an engine, and how to open it."""

    type: str
    dtype: DtypeName = Field("bfloat16", description="dtype of the composed weights, scored and exported")

    @property
    def accelerators(self) -> int:
        """How many of them hold one model together."""
        return 1

    def together(self, catalog: Catalog, requests: Requests) -> int:
        """How many candidates a worker is best given at a time, to be asked these requests."""
        return 1

    @abstractmethod
    def open(self, catalog: Catalog) -> Engine:
        """Load base and experts. Raises UserError where they cannot be loaded."""

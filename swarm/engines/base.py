"""What an engine is: it holds base and experts, puts recipes in place and answers requests.

Every engine promises:

- An answer depends on the recipe and the request alone. It does not depend on the batch that it was in (up to float
  rounding) or on the recipes that were in place before.
- Recipes are composed from the pristine base, so the same recipe always gives the same bits.
- Several recipes and requests of any kind may be given at once, and the engine may answer them in one batch.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import Field

from swarm.core.recipes import Recipe
from swarm.core.requests import Reply
from swarm.core.settings import Settings
from swarm.engines.encoding import Requests
from swarm.experts.catalog import Catalog
from swarm.experts.expert import Base

DtypeName = Literal["float32", "bfloat16", "float16"]


class Engine(Protocol):
    """Base and experts in memory.

    notes: what the user should know of how this base is run.
    """

    @property
    def notes(self) -> tuple[str, ...]: ...

    def answer(self, recipes: Sequence[Recipe], requests: Requests) -> list[Reply]:
        """One reply per recipe, with its answers in the order of the requests.

        Raises EvaluationError where a recipe cannot be scored: its log-likelihoods or logits are not finite, or the
        device is out of memory (DeviceError).
        """

    def joins(self, recipes: Sequence[Recipe], requests: Requests) -> bool:
        """True where recipes are answered in one batch, False where one after another. A function of shapes alone."""


@dataclass(frozen=True)
class Memory:
    """What the workers of one node take, in bytes.

    private: what each worker has of its own.
    shared: what the workers of a node have in common: files that are mapped once.
    """

    private: float
    shared: float


class EngineSettings(Settings, ABC):
    """Settings of an engine, and how to open it. type: the engine's name in ENGINES."""

    type: str
    dtype: DtypeName = Field("bfloat16", description="dtype of the composed weights, scored and exported")

    @property
    def accelerators(self) -> int:
        """How many accelerators hold one model together."""
        return 1

    @property
    def uses_gpu(self) -> bool:
        """Whether it takes a GPU where the machine has one."""
        return True

    def together(self, catalog: Catalog, requests: Requests) -> int:
        """How many candidates a worker should be given at a time, where they get these requests."""
        return 1

    def decides_scores(self) -> dict[str, object]:
        """The settings that scores depend on: a run resumes only with the values that it began with."""
        return {"dtype": self.dtype}

    def check_here(self) -> None:
        """Raise ConfigError where this machine lacks a package or a device that the engine needs."""

    def check_base(self, base: Base) -> None:
        """Raise ConfigError where the engine cannot run a base of this kind."""

    @abstractmethod
    def needed_memory(
        self, catalog: Catalog, requests: Requests, paths: Sequence[str] = (), merged: bool = False
    ) -> Memory:
        """What workers take at their peak, where these requests are all that is asked.

        paths: names of what acts on logits, whose models run beside the base.
        merged: whether experts act on the base's weights as well, so that the base as it is may be one more model.
        """

    def needed_cache(self, catalog: Catalog, requests: Sequence[Requests], paths: Sequence[str]) -> float:
        """Bytes of temporary files of a worker that answers all of these requests with paths that act on logits."""
        return 0.0

    def check_cache(self, needed: float) -> None:
        """Raise ConfigError where this machine has no room for so many bytes of temporary files."""

    @abstractmethod
    def open(self, catalog: Catalog) -> Engine:
        """Load base and experts into memory. Raises UserError where they cannot be loaded."""

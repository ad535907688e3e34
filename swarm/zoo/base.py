"""A zoo: a recipe, whose fingerprint identifies the result, and the function that builds it.

Nothing here imports torch: the command line looks up the path of a zoo long before it needs to build one.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from swarm.core.settings import Settings

Progress = Callable[[str, float], None]
"""Called with what is being done, and the completed share of the whole build, from 0 to 1."""

LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class Schedule(Settings):
    """How a model is trained: steps, batch size, learning rate and seed."""

    steps: int = Field(gt=0)
    batch: int = Field(32, gt=0)
    rate: float = Field(gt=0, description="the peak learning rate, after a short warm-up and before a linear decay")
    seed: int = 0


class ExpertRecipe(Settings):
    """One LoRA expert: its task, its shape and its schedule."""

    name: str
    task: str = Field(description="the task that it is mainly trained on")
    share: float = Field(0.5, ge=0, le=1, description="that task's share of the examples; the others share the rest")
    schedule: Schedule
    rank: int = 4
    alpha: float = 8
    rslora: bool = False
    targets: tuple[str, ...] = LINEARS
    lesson: str = Field("right", description="`right` answers, or others that make an expert harmful")


class ZooRecipe(Settings):
    """Everything that decides the content of a zoo. `version` is raised when the code that builds it changes."""

    version: int
    experts: tuple[ExpertRecipe, ...]

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


@dataclass(frozen=True)
class BuildPaths:
    """The directories of a build.

    work: where the files are written.
    final: where the zoo is moved once it is complete. Paths inside files refer to this directory.
    """

    work: Path
    final: Path


@dataclass(frozen=True)
class Builder:
    """A zoo.

    recipe: what it contains.
    make: builds it in the given directories.
    """

    recipe: ZooRecipe
    make: Callable[[BuildPaths, Progress], None]


def subprogress(progress: Progress, low: float, high: float) -> Progress:
    """The progress of one step of a build, which takes the share of the whole from `low` to `high`."""
    # min: low + (high - low) may round to more than 1
    return lambda message, fraction: progress(message, min(1.0, low + (high - low) * fraction))

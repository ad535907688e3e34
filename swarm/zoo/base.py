"""What a zoo is: a recipe, whose fingerprint names the result, and the function that follows it.

Nothing here imports torch: the command line asks where a zoo lies long before it needs one built.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from swarm.core.settings import Settings

Progress = Callable[[str, float], None]
"""Told what is being done, and which share of the whole is done, from 0 to 1."""

LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class Schedule(Settings):
    """How long, how fast and from which seed a model is trained."""

    steps: int = Field(gt=0)
    batch: int = Field(32, gt=0)
    rate: float = Field(gt=0, description="the peak learning rate; a short warm-up leads to it, a line down from it")
    seed: int = 0


class ExpertRecipe(Settings):
    """One LoRA expert: what it practises, its shape and its schedule."""

    name: str
    task: str = Field(description="the task that it practises most")
    share: float = Field(0.5, ge=0, le=1, description="that task's share; the other tasks divide the rest")
    schedule: Schedule
    rank: int = 4
    alpha: float = 8
    rslora: bool = False
    targets: tuple[str, ...] = LINEARS
    lesson: str = Field("right", description="`right` answers; a zoo may have others, that make an expert harmful")


class Recipe(Settings):
    """Everything that decides what a zoo holds. `version` counts the changes of the code that follows it."""

    version: int
    experts: tuple[ExpertRecipe, ...]

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Site:
    """Where a zoo is built, and where it will lie once it is complete: what is written down names that place."""

    work: Path
    final: Path


@dataclass(frozen=True)
class Builder:
    """A zoo: its recipe, and the function that follows it at a site."""

    recipe: Recipe
    make: Callable[[Site, Progress], None]


def part(progress: Progress, low: float, high: float) -> Progress:
    """Progress of one stretch of the whole, from `low` to `high`."""
    return lambda message, fraction: progress(message, min(1.0, low + (high - low) * fraction))  # sums round

"""Recipes: what a position means, in names of experts and parameters. Engines compose by them, exports write them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ExpertKind = Literal["adapter", "checkpoint", "vector"]


@dataclass(frozen=True)
class Group:
    """Parameters that share coefficients: those whose name matches one of the shell-style patterns."""

    name: str
    patterns: tuple[str, ...]


@dataclass(frozen=True)
class WeightRecipe:
    """Coefficients on weights.

    algebra: whether experts add as full updates ("delta") or factor by factor ("factors").
    groups: a parameter belongs to the first one that matches; the last one matches every parameter.
    coefficients: expert -> one coefficient per group, in the order of `groups`.
    """

    algebra: Literal["delta", "factors"]
    groups: tuple[Group, ...]
    coefficients: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class Recipe:
    """What an engine composes and what is exported: one field per place where experts can act."""

    weights: WeightRecipe

"""What a position means, with names: what an engine puts in place, and what is exported."""

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
    """Coefficients on weights: expert -> one coefficient for each group, in the order of `groups`.

    The first group with a matching pattern owns a parameter; the last one's patterns match all.
    """

    algebra: Literal["delta", "factors"]
    groups: tuple[Group, ...]
    coefficients: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class Recipe:
    """What an engine puts in place and what is exported.

    One field for each place where experts can act. Coefficients on logit paths, inserted layers and
    per-input routing are fields beside `weights`.
    """

    weights: WeightRecipe

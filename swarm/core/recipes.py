"""Recipes: what a position means, in names of experts and parameters. Engines compose by them, exports write them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ExpertKind = Literal["adapter", "checkpoint", "vector"]
ModelKind = Literal["pair", "control"]  # of what acts on logits alone
LogitSpace = Literal["logits", "probabilities"]


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
class LogitRecipe:
    """Coefficients on what models say of the next token.

    space: "logits": l = l_base + sum of c (l_plus - l_minus), before temperature and top-p (proxy-tuning, arXiv
        2401.08565; CLM, arXiv 2503.04346). "probabilities": p = sum of c p_model, with what is left to 1 for the base
        (token swarms, arXiv 2410.11163).
    coefficients: path (an expert, a pair of models or a control layer) -> its coefficient.
    """

    space: LogitSpace
    coefficients: Mapping[str, float]


@dataclass(frozen=True)
class Recipe:
    """What an engine composes and what is exported: one field per place where experts can act.

    weights: of the base's own path.
    logits: None where weights are all.
    """

    weights: WeightRecipe
    logits: LogitRecipe | None = None

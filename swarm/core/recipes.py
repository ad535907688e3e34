"""Recipes: what a position means, in names of experts and parameters. Engines compose by them, exports write them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ExpertKind = Literal["adapter", "checkpoint", "vector"]
ModelKind = Literal["pair", "control"]  # of what acts on logits alone
Combined = Literal["logits", "probabilities"]


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

    combined: "logits": l = l_base + sum of c (l_plus - l_minus), before temperature and top-p (proxy-tuning, arXiv
        2401.08565; CLM, arXiv 2503.04346). "probabilities": p = sum of c p_model, with what is left to 1 for the base
        (token swarms, arXiv 2410.11163).
    coefficients: path (an expert, a pair of models or a control layer) -> its coefficient.
    """

    combined: Combined
    coefficients: Mapping[str, float]


@dataclass(frozen=True)
class RoutingRecipe:
    """Coefficients of each expert that depend on the input: those that a fitted router gives, used in a certain way.

    router: the folder of the router.
    by: where the coefficients act: on next-token logits, or on weights, which are merged once per cluster of inputs.
    clusters: how many clusters there are; logits need none.
    fractal, natural: the router's score of an expert is fractal * its fractal score + natural * its natural score.
    temperature: of the softmax over calibrated log-probabilities; above 0.
    base_share: the share of the softmax that is the base's; from 0 up to, not including, 1.
    strength: how much of a coefficient follows the input: 0 none, 1 all of it.
    biases: expert -> what is added to its calibrated log-probability over the temperature.
    scales: expert -> what its coefficient is multiplied by.
    """

    router: str
    by: Literal["logits", "clusters"]
    clusters: int
    fractal: float
    natural: float
    temperature: float
    base_share: float
    strength: float
    biases: Mapping[str, float]
    scales: Mapping[str, float]


@dataclass(frozen=True)
class Recipe:
    """What an engine composes and what is exported: one field per place where experts can act.

    weights: of the base's own path.
    logits: None where weights are all.
    routing: None where coefficients are the same for every input; else what a router adds to weights or logits.
    """

    weights: WeightRecipe
    logits: LogitRecipe | None = None
    routing: RoutingRecipe | None = None

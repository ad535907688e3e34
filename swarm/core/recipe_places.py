"""Where a recipe acts, with which sources; and the same recipe with other coefficients."""

import math
from collections.abc import Mapping
from dataclasses import replace

from swarm.core.errors import ConfigError
from swarm.core.recipes import LogitRecipe, Recipe, RoutingRecipe, WeightRecipe

ON_WEIGHTS = ".weights"  # behind a name: its coefficient on weights, where logits have one as well


def merged_names(recipe: Recipe) -> frozenset[str]:
    """The experts with a coefficient other than 0 on weights."""
    return frozenset(name for name, values in recipe.weights.coefficients.items() if any(values))


def path_names(recipe: Recipe) -> frozenset[str]:
    """What has a share in logits, or in what a router gives."""
    if recipe.routing is not None:
        return frozenset(name for name, scale in recipe.routing.scales.items() if scale != 0.0)
    if recipe.logits is None:
        return frozenset()
    averaged = recipe.logits.combined == "probabilities"  # where coefficients below 0 count as 0
    return frozenset(name for name, c in recipe.logits.coefficients.items() if (c > 0.0 if averaged else c != 0.0))


def is_plain(recipe: Recipe) -> bool:
    """Whether the recipe is a model with weights of its own, so that one model alone gives its logits."""
    return not path_names(recipe)


def on_weights(recipe: Recipe) -> Recipe:
    """What of the recipe acts on weights."""
    return Recipe(recipe.weights)


def turned(recipe: Recipe, coefficients: Mapping[str, float]) -> Recipe:
    """The recipe with some coefficients changed.

    coefficients: a name alone stands for its coefficient on logits, its scale where the recipe routes, or its
        coefficient on weights where weights are all; NAME.weights for that on weights in every recipe.

    Raises ConfigError for a name that has no such coefficient and a number that is not finite.
    """
    for name, value in coefficients.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigError(f"{name}: {value!r} is no finite number; give one")
        recipe = _with(recipe, name, float(value))
    return recipe


def _with(recipe: Recipe, name: str, value: float) -> Recipe:
    if recipe.routing is not None and name in recipe.routing.scales:
        return replace(recipe, routing=_scaled(recipe.routing, name, value))
    if recipe.logits is not None and name in recipe.logits.coefficients:
        held = {**recipe.logits.coefficients, name: value}
        return replace(recipe, logits=LogitRecipe(recipe.logits.combined, held))
    only_weights = recipe.logits is None and recipe.routing is None
    expert = name if only_weights else name.removesuffix(ON_WEIGHTS)
    if recipe.routing is None and expert in recipe.weights.coefficients and (only_weights or expert != name):
        return replace(recipe, weights=_merged(recipe.weights, expert, value))
    known = ", ".join(dial_names(recipe))
    raise ConfigError(f"{name!r} has no coefficient here; use some of {known}")


def dial_names(recipe: Recipe) -> tuple[str, ...]:
    """The names that `turned` takes."""
    if recipe.routing is not None:
        return tuple(recipe.routing.scales)
    if recipe.logits is None:
        return tuple(recipe.weights.coefficients)
    return (*recipe.logits.coefficients, *(f"{name}{ON_WEIGHTS}" for name in recipe.weights.coefficients))


def _scaled(routing: RoutingRecipe, name: str, value: float) -> RoutingRecipe:
    return replace(routing, scales={**routing.scales, name: value})


def _merged(weights: WeightRecipe, name: str, value: float) -> WeightRecipe:
    return replace(weights, coefficients={**weights.coefficients, name: (value,) * len(weights.groups)})

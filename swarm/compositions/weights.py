"""Composition of weights: W = W0 + sum of coefficients times the experts' updates.

Shape suffixes: E experts, G groups, D = E * G coordinates (expert-major), U uniform averages.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from swarm.compositions.base import Composition
from swarm.core.errors import ConfigError
from swarm.core.recipes import Group, Recipe, WeightRecipe
from swarm.core.space import Space
from swarm.experts.catalog import Catalog, factors_problem
from swarm.experts.parameter_groups import GroupSpec, make_groups
from swarm.experts.updates import Algebra

UNIFORM_MULTIPLES = (1, 2, 3, 4)


class Weights(Composition):
    """One coefficient for each expert and group of parameters.

    `delta` sums the updates exactly; `factors` sums LoRA's A and B apart, as Model Swarms does
    (arXiv 2410.11163), so that the update has cross terms.
    """

    type: Literal["weights"] = "weights"
    algebra: Algebra = "delta"
    groups: GroupSpec = Field("all", description="all, modules, layers:K, or a map from a name to name patterns")
    low: float = Field(-0.5, description="lowest coefficient that a bounded optimizer tries")
    high: float = Field(1.5, description="highest coefficient that a bounded optimizer tries")

    @model_validator(mode="after")
    def _ordered(self) -> "Weights":
        if not self.low <= 0.0 < 1.0 <= self.high:
            raise ValueError(f"low {self.low} and high {self.high} must enclose 0 (the base) and 1 (an expert alone)")
        return self

    def space(self, catalog: Catalog) -> Space:
        if self.algebra == "factors" and (problem := factors_problem(catalog)):
            raise ConfigError(f"composition.algebra: factors does not work here: {problem}; use algebra: delta")
        groups = self._groups(catalog)
        n_experts, n_groups = len(catalog.experts), len(groups)
        dimensions = n_experts * n_groups
        return Space(
            coordinates=_coordinates(catalog.names, groups),
            low_D=np.full(dimensions, self.low),
            high_D=np.full(dimensions, self.high),
            experts_ED=np.repeat(np.eye(n_experts), n_groups, axis=1),
            neutral_D=np.zeros(dimensions),
            uniforms_UD=np.outer(_uniform_coefficients(n_experts, self.high), np.ones(dimensions)),
        )

    def recipe(self, position: Sequence[float], catalog: Catalog) -> Recipe:
        groups = self._groups(catalog)
        n = len(groups)
        assert len(position) == n * len(catalog.experts), "a position has one coordinate an expert and group"
        coefficients = {name: tuple(position[i * n : (i + 1) * n]) for i, name in enumerate(catalog.names)}
        return Recipe(weights=WeightRecipe(self.algebra, groups, coefficients))

    def _groups(self, catalog: Catalog) -> tuple[Group, ...]:
        return make_groups(self.groups, catalog.parameters())


def _coordinates(names: Sequence[str], groups: Sequence[Group]) -> tuple[str, ...]:
    if len(groups) == 1:
        return tuple(names)
    return tuple(f"{name}.{group.name}" for name in names for group in groups)


def _uniform_coefficients(n_experts: int, high: float) -> list[float]:
    """1/n, 2/n, 3/n, 4/n, as far as none passes 1: good soups of updates often sum to more than one."""
    return [m / n_experts for m in UNIFORM_MULTIPLES if m / n_experts <= min(1.0, high)]

"""Composition of weights: W = W0 + the sum over experts of coefficient times update.

Shape suffixes: E experts, G groups, D = E * G coordinates (expert-major).
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from swarm.compositions.base import Composition
from swarm.core.errors import ConfigError
from swarm.core.recipes import Group, Recipe, WeightRecipe
from swarm.core.space import Baseline, Space
from swarm.experts.catalog import Catalog, factors_problem
from swarm.experts.parameter_groups import GroupSpec, make_groups
from swarm.experts.updates import Algebra

UNIFORM_MULTIPLES = (1, 2, 3, 4)  # of the plain average: good sums of updates often have more than its total of 1


class Weights(Composition):
    """One coefficient per expert and group of parameters.

    `delta` sums the updates exactly. `factors` sums LoRA's factors A and B separately, as Model Swarms does
    (arXiv 2410.11163), so the update has cross terms.
    """

    type: Literal["weights"] = "weights"
    algebra: Algebra = "delta"
    groups: GroupSpec = Field("all", description="all, modules, layers:K, or a map from a name to name patterns")
    low: float = Field(-0.5, description="lowest coefficient that a bounded optimizer tries")
    high: float = Field(1.5, description="highest coefficient that a bounded optimizer tries")

    @property
    def bounds(self) -> tuple[float, float]:
        return self.low, self.high

    def space(self, catalog: Catalog) -> Space:
        self.check_models(catalog)
        if self.algebra == "factors" and (problem := factors_problem(catalog)):
            raise ConfigError(f"composition.algebra: factors does not work here: {problem}; use algebra: delta")
        groups = self._groups(catalog)
        n_experts, n_groups = len(catalog.experts), len(groups)
        dimensions = n_experts * n_groups
        return Space(
            coordinates=_coordinates(catalog.names, groups),
            low_D=np.full(dimensions, self.low),
            high_D=np.full(dimensions, self.high),
            base=Baseline.base(np.zeros(dimensions)),
            experts=tuple(map(Baseline.expert, catalog.names, np.repeat(np.eye(n_experts), n_groups, axis=1))),
            uniforms=tuple(
                Baseline.uniform(scale, np.full(dimensions, scale)) for scale in uniform_scales(n_experts, self.high)
            ),
        )

    def recipe(self, position: Sequence[float], catalog: Catalog) -> Recipe:
        groups = self._groups(catalog)
        n = len(groups)
        assert len(position) == n * len(catalog.experts), "a position has one coordinate per expert and group"
        coefficients = {name: tuple(position[i * n : (i + 1) * n]) for i, name in enumerate(catalog.names)}
        return Recipe(weights=WeightRecipe(self.algebra, groups, coefficients))

    def _groups(self, catalog: Catalog) -> tuple[Group, ...]:
        return make_groups(self.groups, catalog.parameters())


def _coordinates(names: Sequence[str], groups: Sequence[Group]) -> tuple[str, ...]:
    if len(groups) == 1:
        return tuple(names)
    return tuple(f"{name}.{group.name}" for name in names for group in groups)


def uniform_scales(n_experts: int, high: float) -> list[float]:
    """The coefficients of the uniform averages: 1/n, 2/n, 3/n and 4/n, as far as they exceed neither 1 nor `high`."""
    return [multiple / n_experts for multiple in UNIFORM_MULTIPLES if multiple / n_experts <= min(1.0, high)]

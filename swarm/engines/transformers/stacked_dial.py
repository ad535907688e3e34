"""The stacked form of a dial: hooks on a model's layers, whose coefficients lie in one small tensor for each kind.

Shape suffixes: N rows, P recipes, E experts, D coefficients of a recipe, K coefficients of a layer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from swarm.core.errors import ConfigError
from swarm.core.recipes import Recipe
from swarm.engines.transformers.stacked_layers import PerRowLayer, PerRowLinear, PerRowVector
from swarm.experts.parameter_groups import group_index


@dataclass
class Shared:
    """What layers of one kind multiply with. c_PK: the expanded coefficients; None: nothing is added."""

    layer: PerRowLayer
    columns: list[int]
    c_PK: Tensor | None = None

    def rows(self, n: int) -> Tensor:
        """One row of coefficients for each row of a batch: a recipe's rows lie side by side. Shape NK."""
        assert self.c_PK is not None, "asked only where something is added"
        recipes = len(self.c_PK)
        if recipes == 1:
            return self.c_PK
        if n % recipes:
            raise ConfigError(f"rows: {recipes} weightings are set, and the batch has {n} rows; give as many prompts")
        return self.c_PK.repeat_interleave(n // recipes, dim=0)


@dataclass
class StackedDial:
    """Hooks on a model's layers that read their coefficients at every pass.

    layers: those that experts change.
    names: the experts.
    """

    layers: Sequence[PerRowLayer]
    names: Sequence[str]
    _shared: dict[tuple[object, ...], Shared] = field(default_factory=dict)

    def put(self, recipes: Sequence[Recipe]) -> None:
        """Row block p of the next passes is recipe p. All have the groups and the algebra of the first."""
        if not self._shared:
            self._register(recipes[0])
        flat = [[c for name in self.names for c in recipe.weights.coefficients[name]] for recipe in recipes]
        c_PD = torch.tensor(flat, dtype=torch.float32)
        for held in self._shared.values():
            c_PE = c_PD[:, held.columns]
            held.c_PK = held.layer.expand(c_PE) if c_PE.any() else None

    def _register(self, recipe: Recipe) -> None:
        groups, factors = recipe.weights.groups, recipe.weights.algebra == "factors"
        for layer in self.layers:
            columns = [
                self.names.index(name) * len(groups) + group_index(groups, layer.parameter) for name in layer.names
            ]
            key = (*columns, type(layer), *_expansion(layer))
            held = self._shared.setdefault(key, Shared(layer, columns))
            layer.module.register_forward_hook(_hook(layer, held, factors))


def _expansion(layer: PerRowLayer) -> tuple[object, ...]:
    """What decides how a layer expands the coefficients of its experts."""
    if isinstance(layer, PerRowLinear):
        return layer.a_CI.dtype, layer.a_CI.device, tuple(layer.owner_C.tolist())
    assert isinstance(layer, PerRowVector), "a layer by rows is one of the two"
    return (layer.deltas_EO.device,)


def _hook(layer: PerRowLayer, held: Shared, factors: bool) -> Callable[..., Tensor]:
    def add(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        return output if held.c_PK is None else layer(inputs[0], output, held.rows(len(output)), factors)

    return add

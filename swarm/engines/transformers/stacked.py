"""Per-row LoRA: many particles in one batch, each row under its own coefficients.

y = x W0 + ((x A_cat) * c_row) B_cat. The base's weights stay in place, and a hook on every layer that experts change
adds their part (stacked_layers.py has one class per kind of layer). With the algebra `factors` (Model Swarms' own
combination), the experts add (c_1 h, ..., c_E h) B_cat with h = sum_i c_i x A_i.

Shape suffixes: N rows, M picked hidden states, P particles, E experts, K coefficients of a layer.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from swarm.core.recipes import Recipe, WeightRecipe
from swarm.engines.transformers.merged_weights import MergedParameter
from swarm.engines.transformers.stacked_layers import PerRowLayer, per_row_layers
from swarm.experts.parameter_groups import group_index


class PerRowAdapters:
    """The per-row layers of a model. The model is the plain base before `put` and after `clear`."""

    def __init__(self, layers: Sequence[PerRowLayer] = ()) -> None:
        self._layers = list(layers)
        self._hooks: list[RemovableHandle] = []
        self._called: set[str] = set()
        self._particles_N = self._picked_M = torch.zeros(0, dtype=torch.long)

    @classmethod
    def of(cls, model: nn.Module, parameters: Sequence[MergedParameter]) -> "PerRowAdapters | None":
        """From the parameters that experts change; None where the updates of one have no per-row form."""
        layers: list[PerRowLayer] = []
        for each in parameters:
            found = per_row_layers(model, each.place.live, each.updates) if each.place.whole else []
            if not found:
                return None
            # Groups of coefficients go by the names in the files.
            layers += [replace(layer, parameter=each.name) for layer in found]
        return cls(layers)

    @property
    def layers(self) -> tuple[PerRowLayer, ...]:
        return tuple(self._layers)

    def put(self, recipes: Sequence[Recipe]) -> None:
        """Let particle p of the next passes be recipe p. The base has to be in place."""
        self.clear()
        self._called.clear()
        factors = recipes[0].weights.algebra == "factors"
        for layer in self._layers:
            c_PE = torch.stack([_coefficients(layer, recipe) for recipe in recipes])
            hook = partial(self._add_updates, layer, layer.expand(c_PE), factors)
            self._hooks.append(layer.module.register_forward_hook(hook))

    def uncalled(self) -> set[str]:
        """The parameters whose layers no pass has called since `put`: their experts' parts were not added."""
        return {layer.parameter for layer in self._layers} - self._called

    def clear(self) -> None:
        """Remove the experts' parts."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    @contextmanager
    def rows(self, particles_N: Tensor, picked_M: Tensor | None) -> Iterator[None]:
        """Within the context, row n belongs to particle particles_N[n].

        picked_M: the row of each hidden state that the head gets; None where it gets all.
        """
        self._particles_N = particles_N
        self._picked_M = torch.zeros(0) if picked_M is None else particles_N[picked_M]
        yield

    def _add_updates(
        self, layer: PerRowLayer, c_PK: Tensor, factors: bool, module: nn.Module, inputs: tuple[Tensor], output: Tensor
    ) -> Tensor:
        self._called.add(layer.parameter)
        if not layer.head or not len(self._picked_M):
            return layer(inputs[0], output, c_PK[self._particles_N], factors)
        # The head gets one row of picked hidden states (forward.py): here each becomes a row of its own.
        picked = layer(inputs[0][0][:, None], output[0][:, None], c_PK[self._picked_M], factors)
        return picked[None, :, 0]


def base_recipe(recipe: Recipe) -> Recipe:
    """The recipe with every coefficient 0: the base itself, which per-row layers add to."""
    weights = recipe.weights
    zeros = {name: tuple(0.0 for _ in values) for name, values in weights.coefficients.items()}
    return Recipe(WeightRecipe(weights.algebra, weights.groups, zeros))


def alone_recipe(recipe: Recipe, name: str) -> Recipe:
    """The recipe of one expert alone, with coefficient 1 on all weights."""
    weights = recipe.weights
    found = {each: (float(each == name),) * len(values) for each, values in weights.coefficients.items()}
    return Recipe(WeightRecipe(weights.algebra, weights.groups, found))


def _coefficients(layer: PerRowLayer, recipe: Recipe) -> Tensor:
    """The recipe's coefficient of each of the layer's experts. Shape (E,)."""
    weights = recipe.weights
    group = group_index(weights.groups, layer.parameter)
    return torch.tensor([weights.coefficients[name][group] for name in layer.names])

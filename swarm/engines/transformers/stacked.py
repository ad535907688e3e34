"""Many particles in one batch: y = x W0 + ((x A_cat) * c_row) B_cat, each row under its own coefficients.

The base stays in place; a hook on every layer that experts change adds their part (detours.py has one kind of layer
each). With `factors` (Model Swarms' own combination) the detour is ((sum_i c_i x A_i) c_1, ..., (sum_i c_i x A_i) c_E)
B_cat.

Shape suffixes: N rows, M picked hidden states, P particles, K coefficients of a layer.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from swarm.core.recipes import Recipe
from swarm.engines.transformers.stacked_layers import PerRowLayer, per_row_layers
from swarm.experts.parameter_groups import group_index
from swarm.experts.updates import Update


class PerRowAdapters:
    """The detours of a model. It is plain until `put`, and after `clear`."""

    def __init__(self, detours: Sequence[PerRowLayer] = ()) -> None:
        self._detours = list(detours)
        self._hooks: list[RemovableHandle] = []
        self._particles_N = self._picked_M = torch.zeros(0, dtype=torch.long)

    @classmethod
    def of(cls, model: nn.Module, updates: Mapping[str, Mapping[str, Update]]) -> "PerRowAdapters | None":
        """The stack of a model, from parameter -> expert -> update; None where one has no such form."""
        detours: list[PerRowLayer] = []
        for parameter, by_expert in updates.items():
            found = per_row_layers(model, parameter, by_expert)
            if not found:
                return None
            detours += found
        return cls(detours)

    def put(self, recipes: Sequence[Recipe]) -> None:
        """Make particle p of the next passes what recipe p means. The base has to be in place."""
        self.clear()
        factors = recipes[0].weights.algebra == "factors"
        for detour in self._detours:
            c_PE = torch.stack([_coefficients(detour, recipe) for recipe in recipes])
            hook = partial(self._detoured, detour, detour.spread(c_PE), factors)
            self._hooks.append(detour.module.register_forward_hook(hook))

    def clear(self) -> None:
        """Make the model plain."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    @contextmanager
    def rows(self, particles_N: Tensor, picked_M: Tensor | None) -> Iterator[None]:
        """Within, row n belongs to particle particles_N[n], and so does what is picked of it for the head."""
        self._particles_N = particles_N
        self._picked_M = torch.zeros(0) if picked_M is None else particles_N[picked_M]
        yield

    def _detoured(
        self, detour: PerRowLayer, c_PK: Tensor, factors: bool, module: nn.Module, inputs: tuple[Tensor], output: Tensor
    ) -> Tensor:
        if not detour.head or not len(self._picked_M):
            return detour(inputs[0], output, c_PK[self._particles_N], factors)
        # The head sees one row of picked hidden states: here they are rows of their own.
        picked = detour(inputs[0][0][:, None], output[0][:, None], c_PK[self._picked_M], factors)
        return picked[None, :, 0]


def _coefficients(detour: PerRowLayer, recipe: Recipe) -> Tensor:
    """The recipe's coefficient of each of the detour's experts. Shape E."""
    weights = recipe.weights
    group = group_index(weights.groups, detour.parameter)
    return torch.tensor([weights.coefficients[name][group] for name in detour.names])

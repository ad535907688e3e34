"""Many particles in one batch: y = x W0 + ((x A_cat) * c_row) B_cat, each row under its own coefficients.

The base stays in place; a hook on every linear layer that experts change adds their part. With `factors`
(Model Swarms' own combination) the detour is ((sum_i c_i x A_i) c_1, ..., (sum_i c_i x A_i) c_E) B_cat.

Shape suffixes: N rows, T columns, I in, O out, E experts, R rank of one expert, C ranks of all, P particles.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers.pytorch_utils import Conv1D

from swarm.groups import group_index
from swarm.types import Recipe
from swarm.updates import LowRank, Update, oriented


@dataclass(frozen=True)
class Detour:
    """The factors of one layer's experts side by side, in the model's dtype. owner_C: the expert of each rank."""

    parameter: str
    module: nn.Module
    names: tuple[str, ...]
    owner_C: Tensor
    a_CI: Tensor
    b_OC: Tensor

    def scales(self, recipe: Recipe) -> Tensor:
        """The recipe's coefficient for each of the stacked ranks. Shape C, float32."""
        weights = recipe.weights
        group = group_index(weights.groups, self.parameter)
        c_E = torch.tensor([weights.coefficients[name][group] for name in self.names])
        return c_E.to(self.owner_C.device)[self.owner_C]


class Stack:
    """The detours of a model. It is plain until `put`, and after `clear`."""

    def __init__(self) -> None:
        self._detours: list[Detour] = []
        self._hooks: list[RemovableHandle] = []
        self._particles_N: Tensor | None = None

    @classmethod
    def of(cls, model: nn.Module, updates: Mapping[str, Mapping[str, Update]]) -> "Stack | None":
        """The stack of a model, from parameter -> expert -> update; None where an update has no factors."""
        modules = dict(model.named_modules())
        stack = cls()
        for parameter, by_expert in updates.items():
            owner, _, kind = parameter.rpartition(".")
            module = modules.get(owner)
            low_rank = {name: update for name, update in by_expert.items() if isinstance(update, LowRank)}
            plain = isinstance(module, nn.Linear | Conv1D) and module is not model.get_output_embeddings()  # type: ignore[operator]
            if kind != "weight" or not plain or len(low_rank) < len(by_expert):
                return None
            assert isinstance(module, nn.Module)
            stack._add(module, parameter, low_rank)
        return stack

    def put(self, recipes: Sequence[Recipe]) -> None:
        """Make particle p of the next passes what recipe p means. The base has to be in place."""
        self.clear()
        factors = recipes[0].weights.algebra == "factors"
        for detour in self._detours:
            scales_PC = torch.stack([detour.scales(recipe) for recipe in recipes]).to(detour.a_CI.dtype)
            hook = partial(self._detoured, detour, scales_PC, factors)
            self._hooks.append(detour.module.register_forward_hook(hook))

    def clear(self) -> None:
        """Make the model plain."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    @contextmanager
    def rows(self, particles_N: Tensor) -> Iterator[None]:
        """Within, row n of every pass belongs to particle particles_N[n]."""
        self._particles_N = particles_N
        try:
            yield
        finally:
            self._particles_N = None

    def _add(self, module: nn.Module, parameter: str, updates: Mapping[str, LowRank]) -> None:
        weight: Tensor = module.weight  # type: ignore[assignment]
        facing = [oriented(update, isinstance(module, Conv1D)) for update in updates.values()]
        ranks = torch.tensor([len(update.a_RI) for update in facing])
        owner_C = torch.arange(len(ranks)).repeat_interleave(ranks).to(weight.device)
        a_CI = torch.cat([update.a_RI for update in facing]).to(weight)
        b_OC = torch.cat([update.scaling * update.b_OR for update in facing], dim=1).to(weight)
        self._detours.append(Detour(parameter, module, tuple(updates), owner_C, a_CI, b_OC))

    def _detoured(
        self,
        detour: Detour,
        scales_PC: Tensor,
        factors: bool,
        module: nn.Module,
        inputs: tuple[Tensor],
        y_NTO: Tensor,
    ) -> Tensor:
        """The layer's output with the experts' part added, in place."""
        scales_N1C = scales_PC[self._particles_N][:, None]
        h_NTC = (inputs[0] @ detour.a_CI.T) * scales_N1C
        if factors:  # one rank for all experts of a layer
            mixed_NTR = h_NTC.unflatten(2, (len(detour.names), -1)).sum(2)
            h_NTC = mixed_NTR.repeat(1, 1, len(detour.names)) * scales_N1C
        y_NTO.flatten(0, 1).addmm_(h_NTC.flatten(0, 1), detour.b_OC.T)
        return y_NTO

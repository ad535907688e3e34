"""What experts add to one layer's output, under coefficients of each row's own: one class per kind of layer.

Shape suffixes: N rows, T columns, I in, O out, E experts, C ranks of all experts together, V vocabulary, P particles, K
coefficients of a layer (C or E).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from swarm.experts.updates import Delta, LowRank, Replacement, Update, delta_of, oriented


@dataclass(frozen=True)
class PerRowLayer(ABC):
    """A layer, and what experts change in it.

    parameter: the name of the parameter that they change.
    module: the module that owns it, or the head where it is tied to that module.
    names: the experts, in the order of the coefficients.
    head: whether the module makes the logits.
    """

    parameter: str
    module: nn.Module
    names: tuple[str, ...]
    head: bool

    @abstractmethod
    def expand(self, c_PE: Tensor) -> Tensor:
        """One coefficient per expert -> the coefficients that the layer multiplies with. Shape (P, K)."""

    @abstractmethod
    def __call__(self, x: Tensor, y_NTO: Tensor, c_NK: Tensor, factors: bool) -> Tensor:
        """The module's output y for the input x, with the experts' part. factors: the algebra is `factors`."""


@dataclass(frozen=True)
class PerRowLinear(PerRowLayer):
    """Low-rank updates of a linear layer, their factors side by side in the model's dtype.

    owner_C: the index of each rank's expert.
    a_CI: the factors that the input is multiplied with.
    b_OC: the factors that give the output, with the scalings.
    """

    owner_C: Tensor
    a_CI: Tensor
    b_OC: Tensor

    def expand(self, c_PE: Tensor) -> Tensor:
        return c_PE.to(self.a_CI)[:, self.owner_C]

    def __call__(self, x_NTI: Tensor, y_NTO: Tensor, c_NC: Tensor, factors: bool) -> Tensor:
        h_NTC = self.inner(x_NTI) * c_NC[:, None]
        if factors:  # all experts of a layer have one rank
            h_NTC = (
                h_NTC.view(*h_NTC.shape[:2], len(self.names), -1).sum(2).repeat(1, 1, len(self.names)) * c_NC[:, None]
            )
        y_NTO.view(-1, y_NTO.shape[2]).addmm_(h_NTC.flatten(0, 1), self.b_OC.T)
        return y_NTO

    def inner(self, x_NTI: Tensor) -> Tensor:
        """x A_cat, shape (N, T, C)."""
        return x_NTI @ self.a_CI.T


@dataclass(frozen=True)
class PerRowEmbedding(PerRowLinear):
    """Low-rank updates of an embedding: a_CI (here C, V) is looked up instead of multiplied."""

    def inner(self, ids_NT: Tensor) -> Tensor:
        return self.a_CI.T[ids_NT]


@dataclass(frozen=True)
class PerRowVector(PerRowLayer):
    """Whole updates of a vector. deltas_EO: each expert's difference from the base, float32."""

    deltas_EO: Tensor

    def expand(self, c_PE: Tensor) -> Tensor:
        return c_PE.to(self.deltas_EO.device)


@dataclass(frozen=True)
class PerRowBias(PerRowVector):
    """Whole updates of a bias: they are added to every column."""

    def __call__(self, x: Tensor, y_NTO: Tensor, c_NE: Tensor, factors: bool) -> Tensor:
        return y_NTO + (c_NE @ self.deltas_EO)[:, None].to(y_NTO.dtype)


@dataclass(frozen=True)
class PerRowNorm(PerRowVector):
    """Whole updates of an RMS norm's weight: the norm is run again with each row's own weight."""

    def __call__(self, x_NTO: Tensor, y_NTO: Tensor, c_NE: Tensor, factors: bool) -> Tensor:
        base: nn.Parameter = self.module._parameters.pop("weight")  # type: ignore[assignment]
        # A plain tensor in the parameter's place, with one weight per row: `weight * x` broadcasts.
        weights_NO = (base.float() + c_NE @ self.deltas_EO).to(base.dtype)
        self.module.weight = weights_NO.view(len(weights_NO), *[1] * (x_NTO.ndim - 2), -1)
        try:
            found: Tensor = self.module.forward(x_NTO)
            return found
        finally:
            del self.module.weight
            self.module.weight = base


def per_row_layers(model: nn.Module, parameter: str, updates: Mapping[str, Update]) -> Sequence[PerRowLayer]:
    """The layers of one parameter: two where the head is tied to the embeddings, none where there is no such form."""
    owner, _, kind = parameter.rpartition(".")
    module = model.get_submodule(owner)
    head = model.get_output_embeddings()  # type: ignore[operator]
    dtype: torch.dtype = head.weight.dtype
    if all(isinstance(update, LowRank) for update in updates.values()) and kind == "weight":
        factors = {name: update for name, update in updates.items() if isinstance(update, LowRank)}
        if isinstance(module, nn.Linear | Conv1D):
            return [
                _low_rank(PerRowLinear, parameter, module, factors, isinstance(module, Conv1D), module is head, dtype)
            ]
        if type(module) is nn.Embedding:
            looked_up = _low_rank(PerRowEmbedding, parameter, module, factors, True, False, dtype)
            tied = head.weight is module.weight
            return (
                [looked_up, _low_rank(PerRowLinear, parameter, head, factors, False, True, dtype)]
                if tied
                else [looked_up]
            )
    if all(isinstance(update, Delta | Replacement) for update in updates.values()):
        if kind == "bias" and isinstance(module, nn.Linear | Conv1D):
            return [PerRowBias(parameter, module, tuple(updates), module is head, _deltas(module.bias, updates))]
        if kind == "weight" and "RMSNorm" in type(module).__name__:
            weight: Tensor = module.weight  # type: ignore[assignment]
            return [PerRowNorm(parameter, module, tuple(updates), False, _deltas(weight, updates))]
    return []


def _low_rank(
    form: type[PerRowLinear],
    parameter: str,
    module: nn.Module,
    updates: Mapping[str, LowRank],
    transposed: bool,
    head: bool,
    dtype: torch.dtype,
) -> PerRowLinear:
    """dtype: of the factors, where the weight is stored as codes."""
    weight: Tensor = module.weight  # type: ignore[assignment]
    plain = type(weight) in (nn.Parameter, Tensor) and weight.is_floating_point()
    device, dtype = weight.device, weight.dtype if plain else dtype
    facing = [oriented(update, transposed) for update in updates.values()]
    ranks = torch.tensor([len(update.a_RI) for update in facing])
    owner_C = torch.arange(len(ranks)).repeat_interleave(ranks).to(device)
    a_CI = torch.cat([update.a_RI for update in facing]).to(device, dtype)
    b_OC = torch.cat([update.scaling * update.b_OR for update in facing], dim=1).to(device, dtype)
    return form(parameter, module, tuple(updates), head, owner_C, a_CI, b_OC)


def _deltas(base: Tensor, updates: Mapping[str, Update]) -> Tensor:
    return torch.stack([delta_of(update, base) for update in updates.values()])

"""What an expert does to one parameter of its base, and how several such updates add up.

A parameter is composed block of rows by block of rows, so that the float32 sums stay in the cache: from the base's
pristine tensor, cast once. The blocks depend on shapes alone, so the same recipe gives the same bits.

Shape suffixes: O rows and I columns of a weight (out, in), R rank, C the ranks of all experts together.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Algebra = Literal["delta", "factors"]


@dataclass(frozen=True)
class LowRank:
    """update = scaling * b_OR @ a_RI, transposed where the base stores (in, out) (embeddings, Conv1D)."""

    a_RI: Tensor
    b_OR: Tensor
    scaling: float
    transposed: bool = False


@dataclass(frozen=True)
class Delta:
    """update = delta: an alignment vector's difference of weights."""

    delta: Tensor


@dataclass(frozen=True)
class Replacement:
    """update = value - base: a full fine-tune's own tensor."""

    value: Tensor


Update = LowRank | Delta | Replacement


Term = tuple[float, Update]


def to_device(update: Update, device: torch.device) -> Update:
    """The update with its tensors on `device`, factors in float32."""
    if isinstance(update, LowRank):
        a_RI, b_OR = (factor.to(device, torch.float32) for factor in (update.a_RI, update.b_OR))
        return LowRank(a_RI, b_OR, update.scaling, update.transposed)
    if isinstance(update, Delta):
        return Delta(update.delta.to(device))
    return Replacement(update.value.to(device))


def delta_of(update: Update, base: Tensor) -> Tensor:
    """The update itself in float32, in the base's shape."""
    if isinstance(update, LowRank):
        return _product(update)
    return update.delta.float() if isinstance(update, Delta) else update.value.float() - base.float()


def oriented(update: LowRank, transposed: bool) -> LowRank:
    """The same update with its factors kept for the other orientation: (b a)^T = a^T b^T."""
    if update.transposed == transposed:
        return update
    return LowRank(update.b_OR.T, update.a_RI.T, update.scaling, transposed)


def _product(update: LowRank) -> Tensor:
    # PEFT's order of operations (transpose, then scale), so that a one-hot equals its float32 merge bit for bit.
    product_OI = update.b_OR.float() @ update.a_RI.float()
    return (product_OI.T.contiguous() if update.transposed else product_OI) * update.scaling

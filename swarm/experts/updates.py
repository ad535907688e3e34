"""What an expert does to one parameter of its base: a low-rank product, a difference, or a tensor in its place.

Shape suffixes: O rows and I columns of a weight (out, in), R rank.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Algebra = Literal["delta", "factors"]


@dataclass(frozen=True)
class LowRank:
    """update = scaling * b_OR @ a_RI.

    a_RI: the factor A, in any floating-point dtype.
    b_OR: the factor B.
    scaling: the factor of the product, alpha / r or what PEFT has in its place.
    transposed: True where the base stores the weight as (in, out): the product is transposed to fit.
    """

    a_RI: Tensor
    b_OR: Tensor
    scaling: float
    transposed: bool = False

    @property
    def rank(self) -> int:
        return self.a_RI.shape[0]


@dataclass(frozen=True)
class Delta:
    """update = delta: a difference of weights, as in an alignment vector."""

    delta: Tensor


@dataclass(frozen=True)
class Replacement:
    """update = value - base: the parameter's own value in a full fine-tune."""

    value: Tensor


Update = LowRank | Delta | Replacement

# A coefficient and the update that it weights.
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
        return product_of(update)
    return update.delta.float() if isinstance(update, Delta) else update.value.float() - base.float()


def oriented(update: LowRank, transposed: bool) -> LowRank:
    """The same update with its factors stored for the given orientation: (B A)^T = A^T B^T."""
    if update.transposed == transposed:
        return update
    return LowRank(update.b_OR.T, update.a_RI.T, update.scaling, transposed)


def product_of(update: LowRank) -> Tensor:
    """The low-rank update multiplied out, in float32, in the base's shape."""
    # PEFT's order of operations (transpose, then scale), so that a one-hot equals its float32 merge bit for bit.
    product_OI = update.b_OR.float() @ update.a_RI.float()
    return (product_OI.T.contiguous() if update.transposed else product_OI) * update.scaling

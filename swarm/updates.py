"""What an expert does to one parameter of its base, and how several such updates add up.

All sums are made in float32 from the base's pristine tensor and cast once.
Shape suffixes: O rows and I columns of a weight (out, in), R rank.
"""

from collections.abc import Sequence
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


def compose(base: Tensor, terms: Sequence[Term], algebra: Algebra, dtype: torch.dtype) -> Tensor:
    """base + the weighted updates, in `dtype`, as a tensor of its own.

    No term with a coefficient other than 0 gives the base bit for bit; one term with coefficient 1 gives
    that expert bit for bit (a Replacement: its tensor; a LowRank: what PEFT merges in float32).
    """
    active = [(c, update) for c, update in terms if c != 0.0]
    if not active:
        return base.to(dtype, copy=True)
    first_c, first = active[0]
    if len(active) == 1 and first_c == 1.0 and isinstance(first, Replacement):
        return first.value.to(dtype, copy=True)
    update = factor_sum(active) if algebra == "factors" else delta_sum(active, base)
    return (base.float() + update).to(dtype)


def to_device(update: Update, device: torch.device) -> Update:
    """The update with its tensors on `device`, factors in float32."""
    if isinstance(update, LowRank):
        a_RI, b_OR = (factor.to(device, torch.float32) for factor in (update.a_RI, update.b_OR))
        return LowRank(a_RI, b_OR, update.scaling, update.transposed)
    if isinstance(update, Delta):
        return Delta(update.delta.to(device))
    return Replacement(update.value.to(device))


def delta_sum(terms: Sequence[Term], base: Tensor) -> Tensor:
    """Sum of c_i * update_i in float32: low-rank updates by one product of their stacked factors."""
    low_rank = [(c, update) for c, update in terms if isinstance(update, LowRank)]
    total = _stacked_product(low_rank) if low_rank else torch.zeros_like(base, dtype=torch.float32)
    for c, update in terms:
        if isinstance(update, Delta):
            total.add_(update.delta.float(), alpha=c)
        elif isinstance(update, Replacement):
            total.add_(update.value.float() - base.float(), alpha=c)
    return total


def factor_sum(terms: Sequence[Term]) -> Tensor:
    """(sum c_i s_i B_i) @ (sum c_i A_i) in float32: Model Swarms' own combination, cross terms included."""
    updates = [update for _, update in terms if isinstance(update, LowRank)]
    assert len(updates) == len(terms), "the catalog admits only adapters to factors"
    if len(terms) == 1:
        c = terms[0][0]
        return _product(updates[0]).mul_(c * c)
    a_RI, b_OR = combined_factors(terms)
    return _oriented(b_OR @ a_RI, updates[0].transposed)


def combined_factors(terms: Sequence[Term]) -> tuple[Tensor, Tensor]:
    """A(c) = sum c_i A_i and B(c) = sum c_i s_i B_i, float32, of equal ranks."""
    pairs = [(c, update) for c, update in terms if isinstance(update, LowRank)]
    a_RI = torch.stack([c * update.a_RI.float() for c, update in pairs]).sum(0)
    b_OR = torch.stack([c * update.scaling * update.b_OR.float() for c, update in pairs]).sum(0)
    return a_RI, b_OR


def stacked_factors(terms: Sequence[Term]) -> tuple[Tensor, Tensor]:
    """A_cat (sum of ranks, in) and B_cat (out, sum of ranks) with c_i s_i in B: B_cat @ A_cat is the exact sum."""
    pairs = [(c, update) for c, update in terms if isinstance(update, LowRank)]
    a_RI = torch.cat([update.a_RI.float() for _, update in pairs], dim=0)
    b_OR = torch.cat([(c * update.scaling) * update.b_OR.float() for c, update in pairs], dim=1)
    return a_RI, b_OR


def delta_of(update: Update, base: Tensor) -> Tensor:
    """The update itself in float32, in the base's shape."""
    if isinstance(update, LowRank):
        return _product(update)
    return delta_sum([(1.0, update)], base)


def oriented(update: LowRank, transposed: bool) -> LowRank:
    """The same update with its factors kept for the other orientation: (b a)^T = a^T b^T."""
    if update.transposed == transposed:
        return update
    return LowRank(update.b_OR.T, update.a_RI.T, update.scaling, transposed)


def _stacked_product(terms: Sequence[tuple[float, LowRank]]) -> Tensor:
    c, first = terms[0]
    if len(terms) == 1:
        return _product(first).mul_(c)
    a_RI, b_OR = stacked_factors([(c, oriented(update, first.transposed)) for c, update in terms])
    return _oriented(b_OR @ a_RI, first.transposed)


def _product(update: LowRank) -> Tensor:
    # PEFT's order of operations (transpose, then scale), so that a one-hot equals its float32 merge bit for bit.
    return _oriented(update.b_OR.float() @ update.a_RI.float(), update.transposed) * update.scaling


def _oriented(product_OI: Tensor, transposed: bool) -> Tensor:
    return product_OI.T.contiguous() if transposed else product_OI

"""Merging: how a base and weighted updates add up to one parameter.

A parameter is composed block of rows by block of rows, so that the float32 sums stay in the cache: from the base's
pristine tensor, cast once. The blocks depend on shapes alone, so the same recipe gives the same bits.

Shape suffixes: O rows and I columns of a weight (out, in), R rank, C the ranks of all experts together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from swarm.experts.updates import Algebra, Delta, LowRank, Replacement, Term, Update, _product, oriented

# Elements of a block. On a CPU its float32 sum stays in the last cache; smaller ones cost more in calls than they save.
BLOCKS = {"cpu": 1 << 18, "cuda": 1 << 24}


@dataclass(frozen=True)
class StackedFactors:
    """The low-rank updates of one parameter side by side, float32, scaled: their sum is left_OC @ right_CI."""

    left_OC: Tensor
    right_CI: Tensor
    ranks: tuple[int, ...]

    @classmethod
    def of(cls, updates: Sequence[Update], device: torch.device) -> "StackedFactors | None":
        """Of the low-rank ones among the updates; None where there are none."""
        turned = [oriented(update, transposed=False) for update in updates if isinstance(update, LowRank)]
        if not turned:
            return None
        left_OC = torch.cat([update.b_OR.float() * update.scaling for update in turned], dim=1)
        right_CI = torch.cat([update.a_RI.float() for update in turned], dim=0)
        return cls(left_OC.to(device), right_CI.to(device), tuple(len(update.a_RI) for update in turned))

    def weighed(self, coefficients: Sequence[float], algebra: Algebra) -> tuple[Tensor, Tensor]:
        """The two sides under the coefficients: sum c_i B_i A_i, or (sum c_i B_i) @ (sum c_i A_i) for factors."""
        by_rank = [c for c, rank in zip(coefficients, self.ranks, strict=True) for _ in range(rank)]
        scales_C = torch.tensor(by_rank, dtype=torch.float32, device=self.left_OC.device)
        left_OC = self.left_OC * scales_C
        if algebra == "delta":
            return left_OC, self.right_CI
        experts, rank = len(self.ranks), self.ranks[0]
        right_CI = self.right_CI * scales_C[:, None]
        return left_OC.view(-1, experts, rank).sum(1), right_CI.view(experts, rank, -1).sum(0)


@dataclass(frozen=True)
class MergePlan:
    """A composed parameter before it is computed: sum c_i * tensor_i, and what low-rank updates add.

    sides: of their product. alone: the only update in use, where that is low-rank.
    """

    tensors: tuple[tuple[float, Tensor], ...]
    sides: tuple[Tensor, Tensor] | None = None
    alone: Term | None = None

    @property
    def copied(self) -> bool:
        """True where it is one of the tensors as it stands."""
        return len(self.tensors) == 1 and self.tensors[0][0] == 1.0 and self.sides is None and self.alone is None


def merge_plan(base: Tensor, terms: Sequence[Term], algebra: Algebra, stacked: StackedFactors | None) -> MergePlan:
    """What base and weighted updates add up to; `stacked` is of the terms' updates, in their order.

    No term with a coefficient other than 0 gives the base bit for bit; one term with coefficient 1 gives
    that expert bit for bit (a Replacement: its tensor; a LowRank: what PEFT merges in float32).
    """
    active = [(c, update) for c, update in terms if c != 0.0]
    low_rank = [c for c, update in terms if isinstance(update, LowRank)]
    assert algebra == "delta" or len(low_rank) == len(terms), "the catalog admits only adapters to factors"
    if len(active) == 1 and isinstance(active[0][1], LowRank):
        c, update = active[0]
        return MergePlan(((1.0, base),), alone=(c * c if algebra == "factors" else c, update))
    tensors = [(1.0 - sum(c for c, update in active if isinstance(update, Replacement)), base)]
    for c, update in active:
        if isinstance(update, Delta):
            tensors.append((c, update.delta))
        elif isinstance(update, Replacement):
            tensors.append((c, update.value))
    used = tuple((c, tensor) for c, tensor in tensors if c != 0.0)
    return MergePlan(used, sides=stacked.weighed(low_rank, algebra) if stacked and any(low_rank) else None)


def blocks(shape: torch.Size, whole: MergePlan, device: torch.device) -> list[slice]:
    """The rows of each block. What is a lone low-rank update is one block: PEFT makes its product at once."""
    rows = shape[0] if shape else 1
    columns = max(1, shape.numel() // max(1, rows))
    step = max(1, rows) if whole.alone else max(1, BLOCKS.get(device.type, BLOCKS["cuda"]) // columns)
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]


class Scratch:
    """Float32 room for a block, used again and again: fresh memory costs page faults."""

    def __init__(self) -> None:
        self._room = torch.empty(0)

    def like(self, target: Tensor) -> Tensor:
        """Room in the target's shape, with anything in it."""
        if self._room.numel() < target.numel() or self._room.device != target.device:
            self._room = torch.empty(target.numel(), device=target.device)
        return self._room[: target.numel()].view(target.shape)


def write(out: Tensor, whole: MergePlan, rows: slice, room: tuple[Scratch, Scratch]) -> None:
    """Compute the rows of a mix in float32 and cast them into `out`. Its tensors may lie on the host.

    room: for the sum and for a term of it.
    """
    (first, tensor), *others = whole.tensors
    target = _rows(out, rows, out.device)
    if whole.copied:
        target.copy_(_rows(tensor, rows, out.device))
        return
    total = target if target.dtype == torch.float32 else room[0].like(target)
    total.copy_(_rows(tensor, rows, out.device))
    if first != 1.0:
        total.mul_(first)
    for c, tensor in others:
        # Not add_'s alpha, which rounds once less than compiled code does (engines/onepass.py).
        total.add_(room[1].like(target).copy_(_rows(tensor, rows, out.device)).mul_(c))
    if whole.sides is not None:
        left_OC, right_CI = whole.sides
        total.addmm_(left_OC[rows], right_CI)
    if whole.alone is not None:
        c, update = whole.alone
        assert isinstance(update, LowRank)
        total.add_(_product(update).mul_(c).to(out.device))
    if total is not target:
        target.copy_(total)


def compose(base: Tensor, terms: Sequence[Term], algebra: Algebra, dtype: torch.dtype) -> Tensor:
    """base + the weighted updates, in `dtype`, as a tensor of its own on the base's device (see `merge_plan`)."""
    out = torch.empty_like(base, dtype=dtype)
    whole = merge_plan(base, terms, algebra, StackedFactors.of([update for _, update in terms], base.device))
    room = Scratch(), Scratch()
    for rows in blocks(out.shape, whole, out.device):
        write(out, whole, rows, room)
    return out


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


def _rows(tensor: Tensor, rows: slice, device: torch.device) -> Tensor:
    return (tensor if tensor.ndim else tensor.view(1))[rows].to(device)

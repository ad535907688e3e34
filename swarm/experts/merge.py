"""Merging: how a base and weighted updates add up to one parameter.

Sums are made in float32, from the base's pristine tensor, and cast once. They are made block of rows by block of rows,
so that a block stays in the cache. The blocks depend on shapes alone, so the same recipe gives the same bits.

Shape suffixes: O rows and I columns of a weight (out, in), R rank, C the ranks of all experts together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from swarm.experts.updates import Algebra, Delta, LowRank, Replacement, Term, Update, oriented, product_of

# Elements of a block. On a CPU its float32 sum stays in the last cache; smaller ones cost more in calls than they save.
BLOCK_ELEMENTS = {"cpu": 1 << 18, "cuda": 1 << 24}


@dataclass(frozen=True)
class StackedFactors:
    """The low-rank updates of one parameter side by side, in float32: their sum is left_OC @ right_CI.

    left_OC: each update's B times its scaling.
    right_CI: each update's A.
    ranks: the rank of each update.
    """

    left_OC: Tensor
    right_CI: Tensor
    ranks: tuple[int, ...]

    @classmethod
    def of(cls, updates: Sequence[Update], device: torch.device) -> "StackedFactors | None":
        """Of the low-rank ones among the updates; None where there are none."""
        facing = [oriented(update, transposed=False) for update in updates if isinstance(update, LowRank)]
        if not facing:
            return None
        left_OC = torch.cat([update.b_OR.float() * update.scaling for update in facing], dim=1)
        right_CI = torch.cat([update.a_RI.float() for update in facing], dim=0)
        return cls(left_OC.to(device), right_CI.to(device), tuple(update.rank for update in facing))

    def weighted(self, coefficients: Sequence[float], algebra: Algebra) -> tuple[Tensor, Tensor]:
        """The two factors of the weighted sum: of sum c_i B_i A_i, or of (sum c_i B_i) @ (sum c_i A_i) for factors."""
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
    """A composed parameter before it is computed: a sum of up to three parts.

    tensors: the part sum c_i * tensor_i, as pairs of c_i and tensor_i; the base is among them.
    factors: two matrices whose product is the part of the low-rank updates; None where there is no such part.
    only_update: the low-rank update with its coefficient where it is the only update in use; None otherwise.
    """

    tensors: tuple[tuple[float, Tensor], ...]
    factors: tuple[Tensor, Tensor] | None = None
    only_update: tuple[float, LowRank] | None = None

    @property
    def is_sum_of_tensors(self) -> bool:
        """True where nothing low-rank is added."""
        return self.factors is None and self.only_update is None

    @property
    def is_copy(self) -> bool:
        """True where the result is one of the tensors, unchanged."""
        return self.is_sum_of_tensors and len(self.tensors) == 1 and self.tensors[0][0] == 1.0


def merge_plan(base: Tensor, terms: Sequence[Term], algebra: Algebra, stacked: StackedFactors | None) -> MergePlan:
    """The plan of base plus weighted updates.

    base: the pristine parameter. terms: coefficients and updates. stacked: the low-rank ones among these updates, in
    the same order; None where there are none.

    No term with a coefficient other than 0 gives the base bit for bit. One term with coefficient 1 gives that expert
    bit for bit (a Replacement: its tensor; a LowRank: what PEFT merges in float32).
    """
    active = [(c, update) for c, update in terms if c != 0.0]
    low_rank = [c for c, update in terms if isinstance(update, LowRank)]
    assert algebra == "delta" or len(low_rank) == len(terms), "the catalog admits only adapters to factors"
    if len(active) == 1 and isinstance(only := active[0][1], LowRank):
        c = active[0][0]
        return MergePlan(((1.0, base),), only_update=(c * c if algebra == "factors" else c, only))
    tensors = [(1.0 - sum(c for c, update in active if isinstance(update, Replacement)), base)]
    for c, update in active:
        if isinstance(update, Delta):
            tensors.append((c, update.delta))
        elif isinstance(update, Replacement):
            tensors.append((c, update.value))
    used = tuple((c, tensor) for c, tensor in tensors if c != 0.0)
    return MergePlan(used, factors=stacked.weighted(low_rank, algebra) if stacked and any(low_rank) else None)


def row_blocks(shape: torch.Size, plan: MergePlan, device: torch.device) -> list[slice]:
    """The rows of each block. A single low-rank update is one block: PEFT multiplies it out at once."""
    rows = shape[0] if shape else 1
    columns = max(1, shape.numel() // max(1, rows))
    elements = BLOCK_ELEMENTS.get(device.type, BLOCK_ELEMENTS["cuda"])
    step = max(1, rows) if plan.only_update else max(1, elements // columns)
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]


class Scratch:
    """Float32 memory for a block, used again and again: fresh memory costs page faults."""

    def __init__(self) -> None:
        self._memory = torch.empty(0)

    def like(self, target: Tensor) -> Tensor:
        """A float32 tensor in the target's shape, on its device, with arbitrary content."""
        if self._memory.numel() < target.numel() or self._memory.device != target.device:
            self._memory = torch.empty(target.numel(), device=target.device)
        return self._memory[: target.numel()].view(target.shape)


def merge_rows(out: Tensor, plan: MergePlan, rows: slice, scratch: tuple[Scratch, Scratch]) -> None:
    """Compute the rows of a plan in float32 and cast them into `out`. The plan's tensors may lie on the host.

    scratch: one for the sum and one for a term of it.
    """
    (first, tensor), *others = plan.tensors
    target = _rows(out, rows, out.device)
    if plan.is_copy:
        target.copy_(_rows(tensor, rows, out.device))
        return
    total = target if target.dtype == torch.float32 else scratch[0].like(target)
    total.copy_(_rows(tensor, rows, out.device))
    if first != 1.0:
        total.mul_(first)
    for c, tensor in others:
        # Not add_'s alpha, which rounds once less than compiled code does (merge_compiled.py).
        total.add_(scratch[1].like(target).copy_(_rows(tensor, rows, out.device)).mul_(c))
    if plan.factors is not None:
        left_OC, right_CI = plan.factors
        total.addmm_(left_OC[rows], right_CI)
    if plan.only_update is not None:
        c, update = plan.only_update
        total.add_(product_of(update).mul_(c).to(out.device))
    if total is not target:
        target.copy_(total)


def compose(base: Tensor, terms: Sequence[Term], algebra: Algebra, dtype: torch.dtype) -> Tensor:
    """The base plus the weighted updates, as a new tensor in `dtype` on the base's device (see `merge_plan`)."""
    out = torch.empty_like(base, dtype=dtype)
    plan = merge_plan(base, terms, algebra, StackedFactors.of([update for _, update in terms], base.device))
    scratch = Scratch(), Scratch()
    for rows in row_blocks(out.shape, plan, out.device):
        merge_rows(out, plan, rows, scratch)
    return out


def _rows(tensor: Tensor, rows: slice, device: torch.device) -> Tensor:
    return (tensor if tensor.ndim else tensor.view(1))[rows].to(device)

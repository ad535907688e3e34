"""Batches of similar length under a token budget, padded on the left.

Shape suffixes: B rows, T positions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Left-padded ids, their mask (1 on real tokens) and their positions."""

    ids_BT: Tensor
    mask_BT: Tensor
    positions_BT: Tensor


def buckets(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indices in batches of similar length, longest first; rows times longest stays within the budget."""
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    batch: list[int] = []
    for i in order:
        if batch and (len(batch) + 1) * lengths[batch[0]] > budget:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def left_padded(rows: Sequence[Sequence[int]], device: torch.device) -> Batch:
    """The rows as one batch that ends in the same column. Padding is masked, so its id does not matter."""
    width = max(len(row) for row in rows)
    ids = [[0] * (width - len(row)) + list(row) for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    mask_BT = torch.tensor(mask, device=device)
    positions_BT = (mask_BT.cumsum(1) - 1).clamp(min=0)
    return Batch(torch.tensor(ids, device=device), mask_BT, positions_BT)

"""One update pruned by itself, as mergekit 0.1.5 does it: by magnitude, at random, without outliers, or by MAGPRUNE.

Which of several equal magnitudes are kept is arbitrary in mergekit; here it is the later ones.
"""

import hashlib

import torch
from torch import Tensor

SMALLEST_NORM = 1e-7  # an update of a smaller sum of magnitudes is not rescaled


def by_magnitude(delta: Tensor, density: float) -> Tensor:
    """Which entries are kept: the share `density` of the largest magnitudes, at least one (TIES, arXiv 2306.01708)."""
    n = delta.numel()
    return _by_rank(delta, n - max(1, int(density * n)), n)


def without_outliers(delta: Tensor, density: float, gamma: float) -> Tensor:
    """Which entries are kept: the share `density` next to the share `gamma` of the largest magnitudes, which are
    dropped (Model Breadcrumbs, arXiv 2312.06795). Where both do not fit, fewer of the largest are dropped."""
    n = delta.numel()
    kept = int(density * n)
    first = max(0, n - kept - int(gamma * n))
    return _by_rank(delta, first, first + kept)


def at_random(delta: Tensor, density: float, key: str) -> Tensor:
    """Which entries are kept: each with probability `density` (DARE, arXiv 2311.03099)."""
    return uniforms(delta, key) < density


def by_magprune(delta: Tensor, density: float, epsilon: float, key: str) -> Tensor:
    """Which entries are kept: each with a probability that rises with the rank of its magnitude within its row, from
    density - epsilon to density + epsilon (DELLA, arXiv 2406.11617)."""
    return uniforms(delta, key) < magprune_probabilities(delta, density, epsilon)


def magprune_probabilities(delta: Tensor, density: float, epsilon: float) -> Tensor:
    """The probability of each entry. A row is what the first axis counts; a vector is one row."""
    rows = delta.reshape(delta.shape[0], -1) if delta.ndim > 1 else delta.reshape(1, -1)
    ranks = torch.argsort(torch.argsort(rows.abs(), dim=1, stable=True), dim=1).float()
    share = ranks / (rows.shape[1] - 1) if rows.shape[1] > 1 else torch.full_like(ranks, 0.5)
    return ((density - epsilon) + share * 2 * epsilon).reshape(delta.shape)


def pruned(delta: Tensor, keep: Tensor, rescale: bool) -> Tensor:
    """The entries that are kept, and 0 elsewhere; rescaled, their magnitudes add up to those of the whole update."""
    kept = torch.where(keep, delta, 0.0)
    if not rescale:
        return kept
    before, after = (float(each.abs().sum(dtype=torch.float64)) for each in (delta, kept))
    return kept if min(before, after) < SMALLEST_NORM else kept * (before / after)


def uniforms(delta: Tensor, key: str) -> Tensor:
    """Random numbers in [0, 1) in the update's shape: the same key gives the same ones."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little") >> 1
    return torch.rand(delta.shape, generator=torch.Generator().manual_seed(seed))


def _by_rank(delta: Tensor, first: int, end: int) -> Tensor:
    """The entries whose magnitudes have the ranks first, ..., end - 1, counted from 0 for the smallest."""
    sizes = delta.abs().flatten()
    return (_smallest(sizes, end) & ~_smallest(sizes, first)).reshape(delta.shape)


def _smallest(sizes: Tensor, count: int) -> Tensor:
    """Which are the `count` smallest; of equal ones the earlier. Much faster than sorting."""
    if count in (0, sizes.numel()):
        return torch.full_like(sizes, bool(count), dtype=torch.bool)
    threshold = sizes.kthvalue(count).values
    found = sizes < threshold
    equal = (sizes == threshold).nonzero().flatten()
    found[equal[: count - int(found.sum())]] = True
    return found

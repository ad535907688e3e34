"""Sparsified updates: trimmed by magnitude, dropped at random and rescaled (DARE), or truncated by SVD."""

import hashlib

import torch
from pydantic import Field
from torch import Tensor

from swarm.core.settings import Settings
from swarm.experts.updates import Delta, LowRank, Update, delta_of

# A matrix whose smaller side is more than this many times the rank is truncated by a sketch: a full SVD of it takes
# long, and the sketch's error is within 1 % of the best possible (tests/experts/test_svd_error.py).
SKETCHED_FROM = 8
# Columns of the sketch beyond the rank, and rounds of subspace iteration: with these the 1 % holds.
OVERSAMPLING, POWER_ITERATIONS = 16, 4


class Sparsification(Settings):
    """How much of an expert's update is kept. The steps are applied in this order: trim, dare, svd."""

    trim: float | None = Field(None, gt=0, le=1, description="share of entries kept, the largest magnitudes")
    dare: float | None = Field(
        None, ge=0, lt=1, description="share of entries dropped at random, the rest rescaled (arXiv 2311.03099)"
    )
    svd: int | None = Field(None, ge=1, description="rank kept of every matrix")

    @property
    def active(self) -> bool:
        return any(value is not None for value in (self.trim, self.dare, self.svd))


def sparsify(update: Update, base: Tensor, sparsification: Sparsification, key: str) -> Update:
    """The sparsified update, a Delta in float32, or a LowRank where a matrix is truncated to a rank.

    base: the parameter that the update belongs to, of the same shape.
    key: what DARE's random numbers are drawn from: the same key drops the same entries.
    """
    delta = delta_of(update, base)
    if sparsification.trim is not None:
        delta = _trimmed(delta, sparsification.trim)
    if sparsification.dare is not None:
        delta = _dared(delta, sparsification.dare, key)
    if sparsification.svd is not None and delta.ndim == 2:
        return _truncated(delta, sparsification.svd)
    return Delta(delta)


def _trimmed(delta: Tensor, share: float) -> Tensor:
    kept = max(1, round(share * delta.numel()))
    threshold = delta.abs().flatten().kthvalue(delta.numel() - kept + 1).values
    return torch.where(delta.abs() >= threshold, delta, 0.0)


def _dared(delta: Tensor, p: float, key: str) -> Tensor:
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little") >> 1
    keep = torch.rand(delta.shape, generator=torch.Generator().manual_seed(seed)) >= p
    return torch.where(keep, delta / (1.0 - p), 0.0)


def _truncated(delta: Tensor, rank: int) -> LowRank:
    if SKETCHED_FROM * rank < min(delta.shape):
        return _sketched(delta, rank)
    u, s, v = torch.linalg.svd(delta, full_matrices=False)
    rank = min(rank, len(s))
    return LowRank(a_RI=v[:rank], b_OR=u[:, :rank] * s[:rank], scaling=1.0)


def _sketched(delta: Tensor, rank: int) -> LowRank:
    """Randomised subspace iteration (Halko et al. 2011, arXiv 0909.4061), always from the same random matrix.

    A full SVD of a matrix of an 8B model takes a minute.
    """
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(delta.shape[1], rank + OVERSAMPLING, generator=generator)
    for _ in range(POWER_ITERATIONS):
        q = torch.linalg.qr(delta.T @ torch.linalg.qr(delta @ q).Q).Q
    u, s, v = torch.linalg.svd(delta @ q, full_matrices=False)
    return LowRank(a_RI=v[:rank] @ q.T, b_OR=u[:, :rank] * s[:rank], scaling=1.0)

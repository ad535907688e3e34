"""Sparsified updates: trimmed by magnitude, dropped at random and rescaled (DARE), prepared, or truncated by SVD."""

import torch
from pydantic import Field
from torch import Tensor

from swarm.core.settings import Settings
from swarm.experts.joint_preparation import Rule
from swarm.experts.preparations import AnyPreparation
from swarm.experts.pruning import uniforms
from swarm.experts.updates import Delta, LowRank, Update, delta_of

# A matrix whose smaller side is more than this many times the rank is truncated by a sketch: a full SVD of it takes
# long, and the sketch's error is within 1 % of the best possible (tests/experts/test_svd_error.py).
SKETCHED_FROM = 8
# Columns of the sketch beyond the rank, and rounds of subspace iteration: with these the 1 % holds.
OVERSAMPLING, POWER_ITERATIONS = 16, 4


class Sparsification(Settings):
    """How much of an expert's update is kept. The steps are applied in this order: trim, dare, prepare, svd."""

    trim: float | None = Field(None, gt=0, le=1, description="share of entries kept, the largest magnitudes")
    dare: float | None = Field(
        None, ge=0, lt=1, description="share of entries dropped at random, the rest rescaled (arXiv 2311.03099)"
    )
    svd: int | None = Field(None, ge=1, description="rank kept of every matrix")
    prepare: AnyPreparation | None = Field(None, description="one of mergekit's preparations (docs/preparations.md)")

    @property
    def active(self) -> bool:
        return self.prunes or self.svd is not None

    @property
    def prunes(self) -> bool:
        """True where entries are dropped or changed, which no adapter can hold."""
        return any(value is not None for value in (self.trim, self.dare, self.prepare))

    @property
    def rule(self) -> Rule | None:
        """How the expert is prepared together with others; None where it is not."""
        return self.prepare.rule if self.prepare else None


def sparsify(update: Update, base: Tensor, sparsification: Sparsification, key: str) -> Update:
    """The update sparsified by itself, a Delta in float32, or a LowRank where a matrix is truncated to a rank.

    base: the parameter that the update belongs to, of the same shape.
    key: what random numbers are drawn from: the same key drops the same entries.
    """
    return truncated(pruned_alone(update, base, sparsification, key), sparsification)


def pruned_alone(update: Update, base: Tensor, sparsification: Sparsification, key: str) -> Tensor:
    """The update after trim, dare and what its preparation does without other experts, in float32."""
    delta = delta_of(update, base)
    if sparsification.trim is not None:
        delta = _trimmed(delta, sparsification.trim)
    if sparsification.dare is not None:
        delta = _dared(delta, sparsification.dare, key)
    return delta if sparsification.prepare is None else sparsification.prepare.alone(delta, key)


def truncated(delta: Tensor, sparsification: Sparsification) -> Update:
    """The update truncated to its rank, where it has one."""
    if sparsification.svd is not None and delta.ndim == 2:
        return _truncated(delta, sparsification.svd)
    return Delta(delta)


def _trimmed(delta: Tensor, share: float) -> Tensor:
    kept = max(1, round(share * delta.numel()))
    threshold = delta.abs().flatten().kthvalue(delta.numel() - kept + 1).values
    return torch.where(delta.abs() >= threshold, delta, 0.0)


def _dared(delta: Tensor, p: float, key: str) -> Tensor:
    return torch.where(uniforms(delta, key) >= p, delta / (1.0 - p), 0.0)


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

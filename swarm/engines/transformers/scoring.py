"""Log-likelihoods of continuations under a causal language model.

Shape suffixes: P particles, M logits, V vocabulary, R requests.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from swarm.core.requests import Continuation, Likelihood
from swarm.engines.encoding import Encoded
from swarm.engines.transformers.base_distributions import NO_BASES, BaseDistribution, Bases
from swarm.engines.transformers.packing import Packing

# Logits that are converted to float32 at a time, 256 MiB: it bounds the memory of the copy, which the memory forecast
# counts.
FLOAT32_LOGITS = 1 << 26


@torch.inference_mode()
def log_likelihoods(
    logits_of: Callable[[Packing], Tensor],
    requests: Sequence[Encoded],
    batches: Sequence[Packing],
    particles: int,
    bases: Bases = NO_BASES,
) -> list[list[Likelihood]]:
    """For each particle the summed log-probability (nats) of every continuation, in the order of the requests.

    logits_of: the logits that a packing needs, particle after particle, shape (particles * M, V).
    bases: what the base says at the same positions, where anybody asks how far the candidates are from it.
    They are not finite where the composed weights are out of range.
    """
    totals_PR = torch.zeros(particles, len(requests), dtype=torch.float64)
    # How many tokens of a continuation are not the likeliest; counted where anybody asks.
    others_PR = torch.zeros(particles, len(requests), dtype=torch.int64)
    apart_PR = torch.zeros(particles, len(requests), dtype=torch.float64)
    asked = [isinstance(each.request, Continuation) and each.request.greedy for each in requests]
    for packing in batches:
        # No name for the logits: they would stay in memory during the next pass.
        found = _measured(
            logits_of(packing),
            packing.targets_M.repeat(particles),
            any(asked),
            bases[packing].repeated(particles) if packing in bases else None,
        )
        owner_M = packing.owner_M.cpu()
        totals_PR.index_add_(1, owner_M, found.logs_M.view(particles, -1).double().cpu())
        if found.others_M is not None:
            others_PR.index_add_(1, owner_M, found.others_M.view(particles, -1).long().cpu())
        if found.apart_M is not None:
            apart_PR.index_add_(1, owner_M, found.apart_M.view(particles, -1).double().cpu())
    return [
        [_likelihood(request, *values) for request, *values in zip(requests, *rows, strict=True)]
        for rows in zip(totals_PR.tolist(), others_PR.tolist(), apart_PR.tolist(), strict=True)
    ]


def _likelihood(item: Encoded, total: float, others: int, apart: float) -> Likelihood:
    """The answer to a continuation: what it asks, and no more."""
    request, length = item.request, len(item.continuation)
    assert isinstance(request, Continuation)
    greedy, divergence = (others == 0 if request.greedy else None), (apart / length if request.divergence else None)
    return Likelihood(total, length, greedy, divergence)


@dataclass(frozen=True)
class _Measured:
    """Of every position: log-probability of the target, whether another token is likelier, divergence from the base."""

    logs_M: Tensor
    others_M: Tensor | None
    apart_M: Tensor | None


def _measured(logits_MV: Tensor, targets_M: Tensor, compares: bool, base: BaseDistribution | None) -> _Measured:
    """log softmax at the targets, in float32, in blocks of rows.

    compares: also whether another token than the target is the likeliest; of equals, that is the first.
    """
    size = max(1, FLOAT32_LOGITS // logits_MV.shape[1])
    parts, others, apart = [], [], []
    for start in range(0, len(targets_M), size):
        rows = slice(start, start + size)
        logits = logits_MV[rows].float()
        total_M = logits.logsumexp(dim=1)
        parts.append(logits.gather(1, targets_M[rows, None])[:, 0] - total_M)
        if compares:
            others.append(logits.argmax(dim=1) != targets_M[rows])
        if base is not None:
            apart.append(base.rows(rows).divergence(logits, total_M))
    return _Measured(
        torch.cat(parts), torch.cat(others) if compares else None, torch.cat(apart) if base is not None else None
    )

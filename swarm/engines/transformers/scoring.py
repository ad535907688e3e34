"""Log-likelihoods of continuations under a causal language model.

Shape suffixes: P particles, M logits, V vocabulary, R requests.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from swarm.core.requests import Continuation, Likelihood
from swarm.engines.encoding import Encoded
from swarm.engines.transformers.forward import Forward
from swarm.engines.transformers.packing import Packing
from swarm.engines.transformers.prefix_cache import PrefixCache

# Logits that are converted to float32 at a time, 256 MiB: it bounds the memory of the copy, which the memory forecast
# counts.
FLOAT32_LOGITS = 1 << 26


@torch.inference_mode()
def log_likelihoods(
    forward: Forward, prefixes: PrefixCache, requests: Sequence[Encoded], batches: Sequence[Packing], particles: int
) -> list[list[Likelihood]]:
    """For each particle the summed log-probability (nats) of every continuation, in the order of the requests.

    They are not finite where the composed weights are out of range.
    """
    totals_PR = torch.zeros(particles, len(requests), dtype=torch.float64)
    # How many tokens of a continuation are not the likeliest; counted where anybody asks.
    others_PR = torch.zeros(particles, len(requests), dtype=torch.int64)
    asked = [isinstance(each.request, Continuation) and each.request.greedy for each in requests]
    for packing in batches:
        prefix = prefixes.get(packing.prefix, particles)
        # No name for the logits: they would stay in memory during the next pass.
        found, other = _log_probabilities(
            forward.logits(packing, particles, prefix), packing.targets_M.repeat(particles), any(asked)
        )
        totals_PR.index_add_(1, packing.owner_M.cpu(), found.view(particles, -1).double().cpu())
        if other is not None:
            others_PR.index_add_(1, packing.owner_M.cpu(), other.view(particles, -1).long().cpu())
    lengths = [len(request.continuation) for request in requests]
    return [
        [
            Likelihood(total, length, other == 0 if wanted else None)
            for total, length, other, wanted in zip(totals, lengths, others, asked, strict=True)
        ]
        for totals, others in zip(totals_PR.tolist(), others_PR.tolist(), strict=True)
    ]


def _log_probabilities(logits_MV: Tensor, targets_M: Tensor, compares: bool) -> tuple[Tensor, Tensor | None]:
    """log softmax at the targets, in float32, in blocks of rows. Shape (M,).

    compares: also whether another token than the target is the likeliest; of equals, that is the first.
    """
    size = max(1, FLOAT32_LOGITS // logits_MV.shape[1])
    parts, others = [], []
    for start in range(0, len(targets_M), size):
        logits = logits_MV[start : start + size].float()
        picked = logits.gather(1, targets_M[start : start + size, None])[:, 0]
        parts.append(picked - logits.logsumexp(dim=1))
        if compares:
            others.append(logits.argmax(dim=1) != targets_M[start : start + size])
    return torch.cat(parts), torch.cat(others) if compares else None

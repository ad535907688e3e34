"""Log-likelihoods of continuations under a causal language model.

Shape suffixes: P particles, M logits, V vocabulary, R requests.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from swarm.core.requests import Likelihood
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
    for packing in batches:
        prefix = prefixes.get(packing.prefix, particles)
        # No name for the logits: they would stay in memory during the next pass.
        found = _log_probabilities(forward.logits(packing, particles, prefix), packing.targets_M.repeat(particles))
        totals_PR.index_add_(1, packing.owner_M.cpu(), found.view(particles, -1).double().cpu())
    lengths = [len(request.continuation) for request in requests]
    return [[Likelihood(*pair) for pair in zip(totals, lengths, strict=True)] for totals in totals_PR.tolist()]


def _log_probabilities(logits_MV: Tensor, targets_M: Tensor) -> Tensor:
    """log softmax at the targets, in float32, in blocks of rows. Shape (M,)."""
    size = max(1, FLOAT32_LOGITS // logits_MV.shape[1])
    parts = []
    for start in range(0, len(targets_M), size):
        logits = logits_MV[start : start + size].float()
        picked = logits.gather(1, targets_M[start : start + size, None])[:, 0]
        parts.append(picked - logits.logsumexp(dim=1))
    return torch.cat(parts)

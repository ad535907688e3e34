"""Log-likelihoods of continuations under a causal language model.

Shape suffixes: P particles, M logits, V vocabulary, R requests.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import DynamicCache

from swarm.core.requests import Likelihood
from swarm.engines.encoding import Encoded
from swarm.engines.transformers.forward import Forward
from swarm.engines.transformers.packing import Packing

FLOAT32_LOGITS = 1 << 26  # entries: 256 MiB


@torch.inference_mode()
def log_likelihoods(
    forward: Forward, requests: Sequence[Encoded], batches: Sequence[Packing], particles: int
) -> list[list[Likelihood]]:
    """For each particle the summed log-probability (nats) of every continuation, in the order of the requests.

    Not finite where the composed weights are out of range.
    """
    totals_PR = torch.zeros(particles, len(requests), dtype=torch.float64)
    prefix: tuple[int, ...] = ()
    cache: DynamicCache | None = None
    for layout in batches:
        if layout.prefix != prefix:
            prefix, cache = layout.prefix, forward.prefix(layout.prefix, particles) if layout.prefix else None
        found = _log_probabilities(forward.logits(layout, particles, cache), layout.targets_M.repeat(particles))
        totals_PR.index_add_(1, layout.owner_M.cpu(), found.view(particles, -1).double().cpu())
    lengths = [len(request.continuation) for request in requests]
    return [[Likelihood(*pair) for pair in zip(totals, lengths, strict=True)] for totals in totals_PR.tolist()]


def _log_probabilities(logits_MV: Tensor, targets_M: Tensor) -> Tensor:
    """log softmax at the targets, in float32; a vocabulary is wide, so not all rows at once. Shape M."""
    size = max(1, FLOAT32_LOGITS // logits_MV.shape[1])
    parts = []
    for start in range(0, len(targets_M), size):
        logits = logits_MV[start : start + size].float()
        picked = logits.gather(1, targets_M[start : start + size, None])[:, 0]
        parts.append(picked - logits.logsumexp(dim=1))
    return torch.cat(parts)

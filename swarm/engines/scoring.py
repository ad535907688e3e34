"""Log-likelihoods of continuations under a causal language model.

Shape suffixes: B rows, K last positions, V vocabulary.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from swarm.engines.batching import buckets, left_padded
from swarm.engines.encoding import Encoded
from swarm.errors import EvaluationError
from swarm.types import Likelihood

FLOAT32_LOGITS = 1 << 26  # entries: 256 MiB


@torch.inference_mode()
def log_likelihoods(model: nn.Module, requests: Sequence[Encoded], budget: int) -> list[Likelihood]:
    """The summed log-probability (nats) of every continuation, in the order of the requests."""
    answers: list[Likelihood | None] = [None] * len(requests)
    for indices in buckets([len(request) for request in requests], budget):
        rows = [requests[i] for i in indices]
        for i, total in zip(indices, _score(model, rows), strict=True):
            answers[i] = Likelihood(total, len(requests[i].continuation))
    return [answer for answer in answers if answer is not None]


def _score(model: nn.Module, rows: Sequence[Encoded]) -> list[float]:
    device = next(model.parameters()).device
    # The last token is only ever predicted, so it is not fed; logits are made where continuations lie.
    batch = left_padded([(*row.prompt, *row.continuation)[:-1] for row in rows], device)
    keep = max(len(row.continuation) for row in rows)
    logits_BKV = model(
        input_ids=batch.ids_BT,
        attention_mask=batch.mask_BT,
        position_ids=batch.positions_BT,
        use_cache=False,
        logits_to_keep=keep,
    ).logits
    size = max(1, FLOAT32_LOGITS // logits_BKV[0].numel())  # a vocabulary is wide: not all rows in float32 at once
    totals: list[float] = []
    for start in range(0, len(rows), size):
        totals += _totals(logits_BKV[start : start + size], rows[start : start + size])
    if not all(math.isfinite(total) for total in totals):
        raise EvaluationError("the log-likelihood is not finite: the composed weights are out of range")
    return totals


def _totals(logits_BKV: Tensor, rows: Sequence[Encoded]) -> list[float]:
    """Each row's sum of log-probabilities of its continuation, which ends in the last column."""
    keep = logits_BKV.shape[1]
    targets = [[0] * (keep - len(row.continuation)) + list(row.continuation) for row in rows]
    real = [[False] * (keep - len(row.continuation)) + [True] * len(row.continuation) for row in rows]
    targets_BK = torch.tensor(targets, device=logits_BKV.device)
    real_BK = torch.tensor(real, device=logits_BKV.device)
    logits_BKV = logits_BKV.float()
    picked_BK = logits_BKV.gather(2, targets_BK[:, :, None])[:, :, 0]
    log_probability_BK = picked_BK - logits_BKV.logsumexp(dim=2)
    return torch.where(real_BK, log_probability_BK, 0.0).sum(dim=1).tolist()  # type: ignore[no-any-return]

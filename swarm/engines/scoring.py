"""Log-likelihoods of continuations under a causal language model.

Shape suffixes: B rows, K last positions, V vocabulary.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from swarm.engines.batching import buckets, left_padded
from swarm.engines.encoding import Encoded
from swarm.errors import EvaluationError
from swarm.types import Likelihood


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
    return [_row_total(logits_KV, row) for logits_KV, row in zip(logits_BKV, rows, strict=True)]


def _row_total(logits_KV: Tensor, row: Encoded) -> float:
    n = len(row.continuation)
    target = torch.tensor(row.continuation, device=logits_KV.device)
    log_probabilities = torch.log_softmax(logits_KV[-n:].float(), dim=-1)
    total = float(log_probabilities.gather(1, target[:, None]).sum())
    if total != total or total == float("-inf"):
        raise EvaluationError("the log-likelihood is not finite: the composed weights are out of range")
    return total

"""The next token: the most likely one, or one drawn from the request's own seed.

Shape suffixes: B rows, V vocabulary.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from swarm.core.errors import NotFiniteError
from swarm.core.requests import Generation


def choose(logits_BV: Tensor, requests: Sequence[Generation], step: int) -> Tensor:
    """One token per row, shape (B,): the most likely, or where the request's temperature is above 0, a sampled one.

    requests: one per row; may be empty where none is sampled.
    step: how many tokens the rows have so far; a sample depends on it and on the request's seed alone.
    Raises NotFiniteError where logits are not finite.
    """
    most_B, tokens_B = logits_BV.max(dim=-1)
    if not bool(most_B.isfinite().all()):  # the maximum is NaN where any logit of the row is
        raise NotFiniteError("the logits are not finite: the composed weights are out of range")
    for b, request in enumerate(requests):
        if request.temperature > 0:
            tokens_B[b] = _sample(logits_BV[b], request, step)
    return tokens_B


def _sample(logits_V: Tensor, request: Generation, step: int) -> int:
    """Gumbel-max sampling within the top-p nucleus; the noise is a function of (seed, step)."""
    scaled = logits_V.float().cpu() / request.temperature
    if request.top_p < 1.0:
        scaled = _nucleus(scaled, request.top_p)
    noise = torch.Generator().manual_seed((request.seed * 1_000_003 + step) % 2**63)
    uniform = torch.rand(scaled.shape, generator=noise).clamp(min=1e-20)
    return int((scaled - torch.log(-torch.log(uniform))).argmax())


def _nucleus(scaled_V: Tensor, top_p: float) -> Tensor:
    """The logits with all but the most probable tokens, up to a total probability of top_p, set to -inf.

    At least one token remains.
    """
    probability, order = torch.softmax(scaled_V, dim=-1).sort(descending=True)
    outside = order[(probability.cumsum(0) - probability) >= top_p]
    return scaled_V.index_fill(0, outside, float("-inf"))

"""Greedy and seeded sampled generation with a key-value cache; finished rows leave the batch.

Shape suffixes: B rows, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from swarm.engines.batching import buckets, left_padded
from swarm.engines.encoding import Encoded, Tokenizer
from swarm.errors import EvaluationError
from swarm.types import Generation, Text


@dataclass
class Row:
    """One generation under way: the tokens so far, and the text once a stop has been met."""

    index: int
    request: Generation
    tokens: list[int] = field(default_factory=list)
    text: str | None = None


@torch.inference_mode()
def generate(
    model: nn.Module,
    tokenizer: Tokenizer,
    end_ids: frozenset[int],
    requests: Sequence[tuple[Generation, Encoded]],
    budget: int,
) -> list[Text]:
    """A text for every request, in their order. Sampling depends on the request's own seed alone."""
    texts: dict[int, Text] = {}
    lengths = [len(encoded) + request.max_new_tokens for request, encoded in requests]
    for indices in buckets(lengths, budget):
        rows = [Row(i, requests[i][0]) for i in indices]
        _decode(model, tokenizer, end_ids, rows, [requests[i][1].prompt for i in indices])
        texts |= {row.index: Text(row.text or "", len(row.tokens)) for row in rows}
    return [texts[i] for i in range(len(requests))]


def _decode(
    model: nn.Module,
    tokenizer: Tokenizer,
    end_ids: frozenset[int],
    rows: Sequence[Row],
    prompts: Sequence[Sequence[int]],
) -> None:
    device = next(model.parameters()).device
    batch = left_padded(prompts, device)
    cache = DynamicCache()
    ids, mask, positions = batch.ids_BT, batch.mask_BT, batch.positions_BT
    active = list(rows)
    while active:
        logits_BV = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        chosen = _choose(logits_BV, active)
        for row, token in zip(active, chosen, strict=True):
            _append(row, token, tokenizer, end_ids)
        going = [b for b, row in enumerate(active) if row.text is None]
        keep = torch.tensor(going, dtype=torch.long, device=device)
        if len(going) < len(active):
            cache.batch_select_indices(keep)
        active = [active[b] for b in going]
        ids = torch.tensor([[row.tokens[-1]] for row in active], device=device)
        mask = torch.cat([mask[keep], mask.new_ones(len(active), 1)], dim=1)
        positions = positions[keep][:, -1:] + 1


def _append(row: Row, token: int, tokenizer: Tokenizer, end_ids: frozenset[int]) -> None:
    """Add a token; set the row's text where it ends: at an end token, a stop text or the limit."""
    ended = token in end_ids
    row.tokens.append(token)
    text = tokenizer.decode(row.tokens, skip_special_tokens=True)
    stops = [text.find(stop) for stop in row.request.stop if stop in text]
    if stops:
        row.text = text[: min(stops)]
    elif ended or len(row.tokens) >= row.request.max_new_tokens:
        row.text = text


def _choose(logits_BV: Tensor, rows: Sequence[Row]) -> list[int]:
    if bool(logits_BV.isnan().any()):
        raise EvaluationError("the logits are not finite: the composed weights are out of range")
    greedy = logits_BV.argmax(dim=-1).tolist()
    return [
        _sample(logits_V, row) if row.request.temperature > 0 else token
        for logits_V, row, token in zip(logits_BV, rows, greedy, strict=True)
    ]


def _sample(logits_V: Tensor, row: Row) -> int:
    """Gumbel-max sampling within the top-p nucleus; the noise is a function of (seed, step)."""
    request = row.request
    scaled = logits_V.float().cpu() / request.temperature
    if request.top_p < 1.0:
        scaled = _nucleus(scaled, request.top_p)
    noise = torch.Generator().manual_seed((request.seed * 1_000_003 + len(row.tokens)) % 2**63)
    uniform = torch.rand(scaled.shape, generator=noise).clamp(min=1e-20)
    return int((scaled - torch.log(-torch.log(uniform))).argmax())


def _nucleus(scaled_V: Tensor, top_p: float) -> Tensor:
    """Only the most probable tokens whose mass reaches top_p stay; at least one does."""
    probability, order = torch.softmax(scaled_V, dim=-1).sort(descending=True)
    outside = order[(probability.cumsum(0) - probability) >= top_p]
    return scaled_V.index_fill(0, outside, float("-inf"))

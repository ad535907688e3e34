"""Greedy and seeded sampled generation with a key-value cache; finished rows leave the batch.

Shape suffixes: B rows, T columns, V vocabulary.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import DynamicCache

from swarm.core.requests import Generation, Text
from swarm.engines.encoding import Encoded, Tokenizer
from swarm.engines.transformers.batching import buckets
from swarm.engines.transformers.forward import Forward, taken
from swarm.engines.transformers.margins import AnswerMargins, Targets, targets_of
from swarm.engines.transformers.packing import BatchLimits
from swarm.engines.transformers.sampling import choose
from swarm.engines.transformers.shared_prefixes import families
from swarm.engines.transformers.stopping import Stopping


@dataclass(frozen=True)
class PromptBatch:
    """Prompts after a prefix that all share (possibly empty), left-padded so that they end in one column.

    indices: the requests, one a row. targets: what the rows' texts may keep to. mask_BS: 1 on real tokens, prefix
    included.
    """

    prefix: tuple[int, ...]
    indices: tuple[int, ...]
    targets: Targets
    ids_BT: Tensor
    mask_BS: Tensor
    positions_BT: Tensor

    @property
    def tokens(self) -> int:
        return int(self.mask_BS.sum()) - len(self.indices) * len(self.prefix)


def prompt_batches(
    requests: Sequence[tuple[Generation, Encoded]], limits: BatchLimits, device: torch.device, end_ids: Set[int]
) -> list[PromptBatch]:
    """Batches for all the requests; rows times the longest prompt and text stay within the limit of columns.

    end_ids: the tokens that end any text.
    """
    found: list[PromptBatch] = []
    for family in families([encoded.prompt for _, encoded in requests], limits.share, limits.min_saved):
        cut = len(family.prefix)
        asked = [requests[i] for i in family.members]
        lengths = [limits.row(len(encoded.prompt) - cut + request.max_new_tokens, cut) for request, encoded in asked]
        for batch in buckets(lengths, limits.columns):
            indices = [family.members[i] for i in batch]
            found.append(_left_padded(family.prefix, indices, [requests[i][1] for i in indices], device, end_ids))
    return found


def _left_padded(
    prefix: tuple[int, ...], indices: Sequence[int], asked: Sequence[Encoded], device: torch.device, end_ids: Set[int]
) -> PromptBatch:
    prompts = [each.prompt[len(prefix) :] for each in asked]
    width = max(len(prompt) for prompt in prompts)
    ids = [[0] * (width - len(prompt)) + list(prompt) for prompt in prompts]
    mask = [[1] * len(prefix) + [0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    mask_BS = torch.tensor(mask, device=device)
    positions_BT = (mask_BS.cumsum(1) - 1).clamp(min=0)[:, len(prefix) :]
    return PromptBatch(
        prefix=prefix,
        indices=tuple(indices),
        targets=targets_of([each.targets for each in asked], end_ids),
        ids_BT=torch.tensor(ids, device=device),
        mask_BS=mask_BS,
        positions_BT=positions_BT,
    )


@dataclass(slots=True)
class Row:
    """One generation under way: the tokens so far, and the text once a stop has been met.

    harmless: tokens after which it goes on, unless it has reached its limit.
    """

    index: int
    particle: int
    request: Generation
    limit: int
    harmless: Set[int]
    tokens: list[int] = field(default_factory=list)
    text: str | None = None


class Generator:
    """Writes texts with a model and its tokenizer."""

    def __init__(self, forward: Forward, tokenizer: Tokenizer, end_ids: frozenset[int]) -> None:
        self._forward = forward
        self._ending = Stopping(tokenizer, end_ids)

    @torch.inference_mode()
    def generate(
        self, requests: Sequence[Generation], batches: Sequence[PromptBatch], particles: int
    ) -> list[list[Text]]:
        """For each particle a text for every request, in their order. Sampling depends on the request's seed alone.

        Raises EvaluationError where logits are not finite.
        """
        texts: list[dict[int, Text]] = [{} for _ in range(particles)]
        prefix: tuple[int, ...] = ()
        cache: DynamicCache | None = None
        for batch in batches:
            if batch.prefix != prefix:
                prefix = batch.prefix
                cache = self._forward.prefix(prefix, particles) if prefix else None
            rows = [self._row(requests[i], i, p) for p in range(particles) for i in batch.indices]
            aims = AnswerMargins(batch.targets, particles, batch.ids_BT.device)
            self._decode(batch, rows, aims, cache)
            for row, margin in zip(rows, aims.margins(), strict=True):
                texts[row.particle][row.index] = Text(row.text or "", len(row.tokens), margin)
        return [[of[i] for i in range(len(requests))] for of in texts]

    def _row(self, request: Generation, index: int, particle: int) -> Row:
        return Row(index, particle, request, request.max_new_tokens, self._ending.harmless(request.stop))

    def _decode(
        self, batch: PromptBatch, rows: Sequence[Row], aims: AnswerMargins, prefix: DynamicCache | None
    ) -> None:
        device, particles = batch.ids_BT.device, len(rows) // len(batch.indices)
        particles_B = torch.tensor([row.particle for row in rows], device=device)
        cache = DynamicCache() if prefix is None else taken(prefix, particles_B)
        ids, mask, positions = (part.repeat(particles, 1) for part in (batch.ids_BT, batch.mask_BS, batch.positions_BT))
        active, sampling = list(rows), any(row.request.temperature > 0 for row in rows)
        while active:
            logits_BV = self._forward(
                ids,
                particles_B,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )[:, -1]
            step = len(active[0].tokens)
            tokens_B = choose(logits_BV, [row.request for row in active] if sampling else (), step)
            tokens = tokens_B.tolist()
            ended, cut = self._written(active, tokens)
            aims.follow(logits_BV, tokens, ended, cut)
            if ended or cut:
                going = [b for b, row in enumerate(active) if row.text is None]
                keep = torch.tensor(going, dtype=torch.long, device=device)
                cache.batch_select_indices(keep)
                mask, positions, particles_B, tokens_B = mask[keep], positions[keep], particles_B[keep], tokens_B[keep]
                active = [active[b] for b in going]
            ids = tokens_B[:, None]
            mask = torch.cat([mask, mask.new_ones(len(active), 1)], dim=1)
            positions = positions[:, -1:] + 1

    def _written(self, active: Sequence[Row], tokens: Sequence[int]) -> tuple[list[int], list[int]]:
        """Add a token to each row; returns the places of those whose text it ended, and of those at their limit."""
        ended, cut = [], []
        for b, (row, token) in enumerate(zip(active, tokens, strict=True)):
            row.tokens.append(token)
            full = len(row.tokens) >= row.limit
            if token in row.harmless and not full:
                continue
            row.text = self._ending.text(row.request.stop, row.tokens)
            if row.text is not None:
                ended.append(b)
            elif full:
                row.text = self._ending.whole(row.tokens)
                cut.append(b)
        return ended, cut

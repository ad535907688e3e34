"""Greedy and seeded sampled generation with a key-value cache; finished rows leave the batch.

Shape suffixes: B rows, T columns, S columns of prefix and row together, V vocabulary.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import DynamicCache

from swarm.core.requests import Generation, Text
from swarm.engines.encoding import Encoded, Tokenizer
from swarm.engines.transformers.forward import Forward, select_rows
from swarm.engines.transformers.margins import AnswerMargins, TargetTries, target_tries
from swarm.engines.transformers.packing import BatchLimits, buckets
from swarm.engines.transformers.prefix_cache import PrefixCache
from swarm.engines.transformers.sampling import choose
from swarm.engines.transformers.shared_prefixes import prefix_groups
from swarm.engines.transformers.stopping import Stopping


@dataclass(frozen=True)
class PromptBatch:
    """Prompts of one batch, left-padded so that they all end in the last column.

    prefix: tokens that precede every prompt (possibly none).
    indices: the index of each row's request.
    targets: the targets of each row's text, for its margin.
    ids_BT: token ids.
    mask_BS: 1 on real tokens, prefix included, else 0.
    positions_BT: the position of each column in its own sequence, counted from the start of the prefix.
    """

    prefix: tuple[int, ...]
    indices: tuple[int, ...]
    targets: TargetTries
    ids_BT: Tensor
    mask_BS: Tensor
    positions_BT: Tensor

    @property
    def tokens(self) -> int:
        """Columns without padding and without the prefix."""
        return int(self.mask_BS.sum()) - len(self.indices) * len(self.prefix)


def prompt_batches(
    requests: Sequence[tuple[Generation, Encoded]], limits: BatchLimits, device: torch.device, end_ids: Set[int]
) -> list[PromptBatch]:
    """Batches for all the requests; rows times the longest prompt and text stay within the limit of columns.

    end_ids: the tokens that end any text.
    """
    found: list[PromptBatch] = []
    for group in prefix_groups([encoded.prompt for _, encoded in requests], limits.share, limits.min_saved):
        cut = len(group.prefix)
        members = [requests[i] for i in group.members]
        weights = [limits.weight(len(item.prompt) - cut + request.max_new_tokens, cut) for request, item in members]
        for batch in buckets(weights, limits.columns):
            indices = [group.members[i] for i in batch]
            found.append(_left_padded(group.prefix, indices, [requests[i][1] for i in indices], device, end_ids))
    return found


def _left_padded(
    prefix: tuple[int, ...], indices: Sequence[int], items: Sequence[Encoded], device: torch.device, end_ids: Set[int]
) -> PromptBatch:
    prompts = [item.prompt[len(prefix) :] for item in items]
    width = max(len(prompt) for prompt in prompts)
    ids = [[0] * (width - len(prompt)) + list(prompt) for prompt in prompts]
    mask = [[1] * len(prefix) + [0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    mask_BS = torch.tensor(mask, device=device)
    positions_BT = (mask_BS.cumsum(1) - 1).clamp(min=0)[:, len(prefix) :]
    return PromptBatch(
        prefix=prefix,
        indices=tuple(indices),
        targets=target_tries([item.targets for item in items], end_ids),
        ids_BT=torch.tensor(ids, device=device),
        mask_BS=mask_BS,
        positions_BT=positions_BT,
    )


@dataclass(slots=True)
class GenerationRow:
    """One text that is being generated.

    index: the index of its request.
    particle: the particle that generates it.
    request: what was asked.
    limit: tokens at most.
    non_stop: tokens after which the text continues, unless it has reached its limit.
    tokens: the tokens so far.
    text: the text, once it has ended.
    """

    index: int
    particle: int
    request: Generation
    limit: int
    non_stop: Set[int]
    tokens: list[int] = field(default_factory=list)
    text: str | None = None


class Generator:
    """Generates texts with a model and its tokenizer. end_ids: the tokens that end any text."""

    def __init__(self, forward: Forward, prefixes: PrefixCache, tokenizer: Tokenizer, end_ids: frozenset[int]) -> None:
        self._forward = forward
        self._prefixes = prefixes
        self._stopping = Stopping(tokenizer, end_ids)

    @torch.inference_mode()
    def generate(
        self, requests: Sequence[Generation], batches: Sequence[PromptBatch], particles: int
    ) -> list[list[Text]]:
        """For each particle a text for every request, in their order. Sampling depends on the request's seed alone.

        Raises EvaluationError where logits are not finite.
        """
        texts: list[dict[int, Text]] = [{} for _ in range(particles)]
        for batch in batches:
            prefix = self._prefixes.get(batch.prefix, particles)
            rows = [self._row(requests[i], i, p) for p in range(particles) for i in batch.indices]
            margins = AnswerMargins(batch.targets, particles, batch.ids_BT.device)
            self._decode(batch, rows, margins, prefix)
            for row, margin in zip(rows, margins.margins(), strict=True):
                texts[row.particle][row.index] = Text(row.text or "", len(row.tokens), margin)
        return [[of[i] for i in range(len(requests))] for of in texts]

    def _row(self, request: Generation, index: int, particle: int) -> GenerationRow:
        non_stop = self._stopping.non_stop_tokens(request.stop)
        return GenerationRow(index, particle, request, request.max_new_tokens, non_stop)

    def _decode(
        self, batch: PromptBatch, rows: Sequence[GenerationRow], margins: AnswerMargins, prefix: DynamicCache | None
    ) -> None:
        """Token by token until every row has its text; the margins record every step."""
        device, particles = batch.ids_BT.device, len(rows) // len(batch.indices)
        particles_B = torch.tensor([row.particle for row in rows], device=device)
        cache = DynamicCache() if prefix is None else select_rows(prefix, particles_B)
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
            ended, cut = self._append(active, tokens)
            margins.record(logits_BV, tokens, ended, cut)
            if ended or cut:
                going = [b for b, row in enumerate(active) if row.text is None]
                keep = torch.tensor(going, dtype=torch.long, device=device)
                cache.batch_select_indices(keep)
                mask, positions, particles_B, tokens_B = mask[keep], positions[keep], particles_B[keep], tokens_B[keep]
                active = [active[b] for b in going]
            ids = tokens_B[:, None]
            mask = torch.cat([mask, mask.new_ones(len(active), 1)], dim=1)
            positions = positions[:, -1:] + 1

    def _append(self, active: Sequence[GenerationRow], tokens: Sequence[int]) -> tuple[list[int], list[int]]:
        """Append a token to each row. Returns the places of the rows that it ended, and of those cut by their limit."""
        ended, cut = [], []
        for b, (row, token) in enumerate(zip(active, tokens, strict=True)):
            row.tokens.append(token)
            full = len(row.tokens) >= row.limit
            if token in row.non_stop and not full:
                continue
            row.text = self._stopping.finished_text(row.request.stop, row.tokens)
            if row.text is not None:
                ended.append(b)
            elif full:
                row.text = self._stopping.text(row.tokens)
                cut.append(b)
        return ended, cut

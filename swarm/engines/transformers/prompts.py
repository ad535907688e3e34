"""Batches of prompts to generate from.

Shape suffixes: B rows, T columns, S columns of prefix and row together.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from swarm.core.requests import Generation
from swarm.engines.encoding import Encoded
from swarm.engines.transformers.margins import TargetTries, target_tries
from swarm.engines.transformers.packing import BatchLimits, Decode, buckets, equal_buckets
from swarm.engines.transformers.shared_prefixes import prefix_groups

Prompts = Sequence[tuple[Generation, Encoded]]


@dataclass(frozen=True)
class PromptBatch:
    """Prompts of one batch, left-padded so that they all end in the last column.

    prefix: tokens that precede every prompt (possibly none).
    indices: the index of each row's request.
    targets: the targets of each row's text, for its margin.
    ids_BT: token ids.
    mask_BS: 1 on real tokens, prefix included, else 0.
    positions_BT: the position of each column in its own sequence, counted from the start of the prefix.
    decode: how the texts are generated; all prompts have the same length unless it is "cache".
    contiguous: whether padding between prefix and prompt has to be moved before the prefix once it has been read.
    limit: the most tokens of a text, where all have the same; else 0.
    """

    prefix: tuple[int, ...]
    indices: tuple[int, ...]
    targets: TargetTries
    ids_BT: Tensor
    mask_BS: Tensor
    positions_BT: Tensor
    decode: Decode = "cache"
    contiguous: bool = False
    limit: int = 0

    @property
    def tokens(self) -> int:
        """Columns without padding and without the prefix."""
        return int(self.mask_BS.sum()) - len(self.indices) * len(self.prefix)


def prompt_batches(
    requests: Prompts, limits: BatchLimits, device: torch.device, end_ids: Set[int]
) -> list[PromptBatch]:
    """Batches for all the requests; rows times the longest prompt and text stay within the limit of columns.

    end_ids: the tokens that end any text.
    """
    found: list[PromptBatch] = []
    for indices, its_limits in _by_rotary_frequencies(requests, limits):
        members = [requests[i] for i in indices]
        for prefix, batch, decode in _grouped(members, its_limits):
            items = [members[i] for i in batch]
            made = _left_padded(prefix, [indices[i] for i in batch], [item for _, item in items], device, end_ids)
            # A window counts columns, so padding inside it hides tokens.
            last = len(prefix) + made.ids_BT.shape[1] + max(request.max_new_tokens for request, _ in items)
            padded = not bool(made.mask_BS.all())
            contiguous = bool(prefix) and padded and last > its_limits.window
            found.append(replace(made, decode=decode, contiguous=contiguous))
    return found


def _by_rotary_frequencies(requests: Prompts, limits: BatchLimits) -> Iterator[tuple[list[int], BatchLimits]]:
    """The requests that end before the frequencies change, those that start after that, those that pass it."""
    starts = [len(item.prompt) for _, item in requests]
    ends = [start + request.max_new_tokens - 1 for start, (request, _) in zip(starts, requests, strict=True)]
    before = [i for i, end in enumerate(ends) if end <= limits.turn]
    after = [i for i, start in enumerate(starts) if start > limits.turn]
    crossing = sorted({*range(len(requests))}.difference(before, after))
    yield before, limits
    alone = replace(limits, share=False, equal=True)
    yield after, alone
    # The keys that were computed before have the other frequencies.
    yield crossing, replace(alone, decode="recompute")


def _grouped(requests: Prompts, limits: BatchLimits) -> Iterator[tuple[tuple[int, ...], list[int], Decode]]:
    """The prefix, the indices and the way of decoding of each batch."""
    if limits.equal:
        room = max((request.max_new_tokens for request, _ in requests), default=0)
        lengths = [len(item.prompt) for _, item in requests]
        for batch in equal_buckets(lengths, max(1, limits.columns - room)):
            yield (), batch, limits.decode
        return
    for group in prefix_groups([encoded.prompt for _, encoded in requests], limits.share, limits.min_saved):
        cut = len(group.prefix)
        members = [requests[i] for i in group.members]
        weights = [limits.weight(len(item.prompt) - cut + request.max_new_tokens, cut) for request, item in members]
        for bucket in buckets(weights, limits.columns):
            yield group.prefix, [group.members[i] for i in bucket], limits.decode


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

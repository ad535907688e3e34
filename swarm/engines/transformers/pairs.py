"""Batches for encoder-decoders: prompts that the encoder reads, and texts that the decoder reads or writes.

In a batch, a prompt is encoded once for all of its continuations.

Shape suffixes: U prompts, B rows of the decoder, S columns of prompts, M logits that are needed.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from swarm.engines.encoding import Encoded
from swarm.engines.transformers.batches import Batcher
from swarm.engines.transformers.margins import target_tries
from swarm.engines.transformers.packing import (
    BatchLimits,
    PackedRow,
    Packing,
    buckets,
    pack,
    rows_of,
    split_by_logits,
)
from swarm.engines.transformers.prompts import PromptBatch, Prompts


@dataclass(frozen=True, eq=False, kw_only=True)
class PairPacking(Packing):
    """Continuations behind the decoder's start, one a row, and the prompts that they answer.

    sources_US: the prompts, right-padded.
    mask_US: 1 on real tokens of prompts, else 0.
    source_B: the prompt of each row.
    """

    sources_US: Tensor
    mask_US: Tensor
    source_B: Tensor


@dataclass(frozen=True)
class PairTokens:
    """The tokens that a model puts around texts.

    start: what the decoder reads before a continuation.
    first: what the decoder reads before it writes.
    padding: what fills up prompts to one length.
    """

    start: tuple[int, ...]
    first: int
    padding: int


class PairBatcher(Batcher):
    """Makes batches for an encoder-decoder."""

    def __init__(
        self,
        scoring: BatchLimits,
        device: torch.device,
        end_ids: Set[int],
        generation: BatchLimits,
        tokens: PairTokens,
        margins: bool,
    ) -> None:
        """margins: whether texts have margins."""
        super().__init__(scoring, device, end_ids, generation)
        self._tokens = tokens
        self._margins = margins

    def packings(self, continuations: Sequence[Encoded], limits: BatchLimits) -> Sequence[PairPacking]:
        return pair_packings(continuations, limits, self._device, self._tokens)

    def prompt_batches(self, requests: Prompts, limits: BatchLimits) -> Sequence[PromptBatch]:
        end_ids = self._end_ids if self._margins else None
        return pair_prompts(requests, limits, self._device, self._tokens, end_ids)


def pair_packings(
    requests: Sequence[Encoded], limits: BatchLimits, device: torch.device, tokens: PairTokens
) -> list[PairPacking]:
    """Batches that score the continuations of all requests."""
    rows = rows_of(range(len(requests)), requests, share=True)
    found = []
    for batch in _batches([len(row.prompt) for row in rows], [len(row) for row in rows], limits):
        for part in split_by_logits([rows[i] for i in batch], limits.logits):
            found.append(_paired(part, device, tokens))
    return found


def pair_prompts(
    requests: Prompts, limits: BatchLimits, device: torch.device, tokens: PairTokens, end_ids: Set[int] | None
) -> list[PromptBatch]:
    """Batches that generate; all texts of a batch have the same limit.

    end_ids: the tokens that end any text; None where texts have no margins.
    """

    def limit(i: int) -> int:
        return requests[i][0].max_new_tokens

    found = []
    for most, group in groupby(sorted(range(len(requests)), key=limit), key=limit):
        members = list(group)
        lengths = [len(requests[i][1].prompt) for i in members]
        for batch in _batches(lengths, [length + most for length in lengths], limits):
            items = [requests[members[b]][1] for b in batch]
            ids_BS, mask_BS = right_padded([item.prompt for item in items], device, tokens.padding)
            targets = [() if end_ids is None else item.targets for item in items]
            found.append(
                PromptBatch(
                    prefix=(),
                    indices=tuple(members[b] for b in batch),
                    targets=target_tries(targets, end_ids or set()),
                    ids_BT=ids_BS,
                    mask_BS=mask_BS,
                    positions_BT=(mask_BS.cumsum(1) - 1).clamp(min=0),
                    decode=limits.decode,
                    limit=most,
                )
            )
    return found


def right_padded(sequences: Sequence[Sequence[int]], device: torch.device, padding: int) -> tuple[Tensor, Tensor]:
    """Token ids, and 1 where they are real."""
    width = max(map(len, sequences))
    ids = [[*each, *[padding] * (width - len(each))] for each in sequences]
    mask = [[1] * len(each) + [0] * (width - len(each)) for each in sequences]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def _batches(prompts: Sequence[int], weights: Sequence[int], limits: BatchLimits) -> Iterator[list[int]]:
    """Indices in batches, by the lengths of prompts and what each counts for; of prompts of one length if need be."""
    lengths = sorted(set(prompts), reverse=True) if limits.equal else [None]
    for length in lengths:
        members = [i for i in range(len(prompts)) if length is None or prompts[i] == length]
        for batch in buckets([weights[i] for i in members], limits.columns, int(limits.columns * limits.busy)):
            yield [members[b] for b in batch]


def _paired(rows: Sequence[PackedRow], device: torch.device, tokens: PairTokens) -> PairPacking:
    texts = [
        (source, PackedRow(tokens.start, (text,), (index,)))
        for source, row in enumerate(rows)
        for text, index in zip(row.continuations, row.indices, strict=True)
    ]
    packed = pack((), [text for _, text in texts], device)
    sources_US, mask_US = right_padded([row.prompt for row in rows], device, tokens.padding)
    return PairPacking(
        prefix=(),
        ids_BT=packed.ids_BT,
        positions_BT=packed.positions_BT,
        nodes_BT=None,
        picks_M=packed.picks_M,
        targets_M=packed.targets_M,
        owner_M=packed.owner_M,
        tokens=packed.tokens + int(mask_US.sum()),
        sources_US=sources_US,
        mask_US=mask_US,
        source_B=torch.tensor([source for source, _ in texts], device=device),
    )

"""Decoding step by step: what the model is given for the next token of every row.

Shape suffixes: N rows that are still generated, B rows of a batch, T columns, S columns of prefix and row together, V
vocabulary.
"""

from typing import Protocol

import torch
from torch import Tensor
from transformers import DynamicCache

from swarm.engines.transformers.encoder_decoder import EncoderDecoderForward, PairDecoder
from swarm.engines.transformers.forward import Forward, State, select_rows
from swarm.engines.transformers.prompts import PromptBatch


class Decoder(Protocol):
    """The rows of one batch, once for each particle, particle after particle."""

    def start(self) -> Tensor:
        """Read the prompts. Returns the logits of the first token of every row, shape (N, V)."""

    def step(self, tokens_N: Tensor) -> Tensor:
        """Read one token a row. Returns the logits of the next, shape (N, V)."""

    def keep(self, rows_N: Tensor) -> None:
        """Go on with these rows alone."""


def decoder(forward: Forward, batch: PromptBatch, particles: int, prefix: DynamicCache | None) -> Decoder:
    """The decoder that a batch asks for. prefix: keys and values of its prefix under each particle."""
    if isinstance(forward, EncoderDecoderForward):
        return PairDecoder(forward, batch)
    if batch.decode == "state":
        return StatefulDecoder(forward, batch, particles)
    if batch.decode == "recompute":
        return RecomputingDecoder(forward, batch, particles)
    return CachedDecoder(forward, batch, particles, prefix)


class CachedDecoder:
    """Keeps keys and values, in rows padded to one length. Finished rows leave the cache."""

    def __init__(self, forward: Forward, batch: PromptBatch, particles: int, prefix: DynamicCache | None) -> None:
        self._forward = forward
        self._particles_N = _particles(batch, particles)
        self._cache = DynamicCache() if prefix is None else select_rows(prefix, self._particles_N)
        given = (batch.ids_BT, batch.mask_BS, batch.positions_BT)
        self._ids, self._mask, self._positions = (part.repeat(particles, 1) for part in given)
        self._contiguous = batch.contiguous

    def start(self) -> Tensor:
        self._forward.reset_frequencies()
        return self._start_contiguous() if self._contiguous else self._pass()

    def step(self, tokens_N: Tensor) -> Tensor:
        self._ids = tokens_N[:, None]
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(tokens_N), 1)], dim=1)
        self._positions = self._positions[:, -1:] + 1
        return self._pass()

    def keep(self, rows_N: Tensor) -> None:
        self._cache.batch_select_indices(rows_N)
        self._mask, self._positions = self._mask[rows_N], self._positions[rows_N]
        self._particles_N = self._particles_N[rows_N]

    def _pass(self) -> Tensor:
        return self._forward(
            self._ids,
            self._particles_N,
            attention_mask=self._mask,
            position_ids=self._positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )[:, -1]

    def _start_contiguous(self) -> Tensor:
        """Read the prompts padded on the right, then move the padding before the prefix.

        So every column is as far from the others as the tokens are, which a sliding window or a chunk counts.
        """
        rows, width = self._ids.shape
        before = self._mask.shape[1] - width
        padding_N = width - self._mask[:, before:].sum(dim=1)
        self._ids, self._positions = _rolled(self._ids, -padding_N), _rolled(self._positions, -padding_N)
        columns = torch.arange(width, device=self._ids.device)
        real = (columns[None] < (width - padding_N)[:, None]).to(self._mask.dtype)
        last_N = torch.arange(rows, device=self._ids.device) * width + width - padding_N - 1
        logits_NV = self._forward(
            self._ids,
            self._particles_N,
            picks_M=last_N,
            attention_mask=torch.cat([self._mask[:, :before], real], dim=1),
            position_ids=self._positions,
            past_key_values=self._cache,
            use_cache=True,
        )
        self._mask = _rolled(torch.cat([self._mask[:, :before], real], dim=1), padding_N)
        self._positions = _rolled(self._positions, padding_N)
        for layer in self._cache.layers:
            layer.keys, layer.values = (_rolled_columns(part, padding_N) for part in (layer.keys, layer.values))
        return logits_NV


class StatefulDecoder:
    """Hands back to the model what it returned, whatever that is. Finished rows stay in the batch, unread."""

    def __init__(self, forward: Forward, batch: PromptBatch, particles: int) -> None:
        self._forward = forward
        self._particles_B = _particles(batch, particles)
        self._ids = batch.ids_BT.repeat(particles, 1)
        self._going_N = torch.arange(len(self._ids), device=self._ids.device)
        self._state: State = {}

    def start(self) -> Tensor:
        self._forward.reset_frequencies()
        return self._pass()

    def step(self, tokens_N: Tensor) -> Tensor:
        self._ids = self._ids[:, -1:].clone()
        self._ids[self._going_N, 0] = tokens_N
        return self._pass()

    def keep(self, rows_N: Tensor) -> None:
        self._going_N = self._going_N[rows_N]

    def _pass(self) -> Tensor:
        logits_BV, self._state = self._forward.advance(self._ids, self._particles_B, self._state)
        return logits_BV[self._going_N]


class RecomputingDecoder:
    """Reads the whole text again for every token: slow, and right wherever the model itself is."""

    def __init__(self, forward: Forward, batch: PromptBatch, particles: int) -> None:
        self._forward = forward
        self._particles_N = _particles(batch, particles)
        self._ids = batch.ids_BT.repeat(particles, 1)

    def start(self) -> Tensor:
        self._forward.reset_frequencies()
        return self._forward.last_logits(self._ids, self._particles_N)

    def step(self, tokens_N: Tensor) -> Tensor:
        self._ids = torch.cat([self._ids, tokens_N[:, None]], dim=1)
        return self.start()

    def keep(self, rows_N: Tensor) -> None:
        self._ids, self._particles_N = self._ids[rows_N], self._particles_N[rows_N]


def _particles(batch: PromptBatch, particles: int) -> Tensor:
    """The particle of each row."""
    return torch.arange(particles, device=batch.ids_BT.device).repeat_interleave(len(batch.indices))


def _rolled(rows_NT: Tensor, by_N: Tensor) -> Tensor:
    """Each row moved to the right by its own number of columns; what leaves on one side enters on the other."""
    return rows_NT.gather(1, _places(rows_NT.shape[1], by_N))


def _rolled_columns(cached: Tensor, by_N: Tensor) -> Tensor:
    """The same for keys or values. Shape (N, heads, S, size of a head)."""
    places = _places(cached.shape[2], by_N)[:, None, :, None]
    return cached.gather(2, places.expand(-1, cached.shape[1], -1, cached.shape[3]))


def _places(width: int, by_N: Tensor) -> Tensor:
    return (torch.arange(width, device=by_N.device)[None] - by_N[:, None]) % width

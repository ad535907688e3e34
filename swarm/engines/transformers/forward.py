"""The model's forward pass: logits only where they are asked for, keys and values of shared prefixes once.

Several recipes may be in one pass, each row under its own (see stacked.py): `particles_N` says which.

Shape suffixes: N rows (B of a layout, once a particle), T columns, S columns seen, M logits, V vocabulary.
"""

from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from swarm.engines.transformers.frozen_layers_cache import FrozenLayersCache
from swarm.engines.transformers.packing import Packing
from swarm.engines.transformers.stacked import PerRowAdapters


class Forward:
    """A causal language model, the stack beside its weights and the trunk under them.

    kept_columns: of prefixes' keys and values that are kept until other weights come. prefix_tokens: positions that
    were computed for prefixes, under each particle.
    """

    def __init__(
        self,
        model: nn.Module,
        stack: PerRowAdapters | None = None,
        trunk: FrozenLayersCache | None = None,
        kept_columns: int = 8192,
    ) -> None:
        self._model = model
        self._stack = stack or PerRowAdapters()
        self._trunk = trunk or FrozenLayersCache([])
        self._picks = _Picks()
        self._kept_columns = kept_columns
        self._prefixes: dict[tuple[tuple[int, ...], int], DynamicCache] = {}
        self._weights: object = None
        self.prefix_tokens = 0
        head = model.get_output_embeddings()  # type: ignore[operator]
        head.register_forward_pre_hook(self._picks)

    @property
    def device(self) -> torch.device:
        return next(self._model.parameters()).device

    def under(self, weights: object) -> None:
        """What stands for the weights that are put in place: of others, what prefixes came to does not hold."""
        if weights != self._weights:
            self._prefixes.clear()
        self._weights = weights

    def prefix(self, tokens: tuple[int, ...], particles: int) -> DynamicCache:
        """Keys and values of a prefix under each particle: computed once, for all rungs of a race."""
        key = (tokens, particles)
        if key not in self._prefixes:
            if sum(len(kept) * times for kept, times in [*self._prefixes, key]) > self._kept_columns:
                self._prefixes.clear()
            self._prefixes[key] = self._computed(tokens, particles)
        return self._prefixes[key]

    def _computed(self, tokens: Sequence[int], particles: int) -> DynamicCache:
        self.prefix_tokens += len(tokens)
        ids = torch.tensor([list(tokens)] * particles, device=self.device)
        cache = DynamicCache()
        last_P = torch.arange(1, particles + 1, device=self.device) * len(tokens) - 1
        self(ids, torch.arange(particles, device=self.device), picks_M=last_P, past_key_values=cache, use_cache=True)
        return cache

    def logits(self, layout: Packing, particles: int, prefix: DynamicCache | None) -> Tensor:
        """The logits that a layout needs, particle after particle. Shape (particles * M, V)."""
        rows, width = layout.ids_BT.shape
        particles_N = torch.arange(particles, device=self.device).repeat_interleave(rows)
        offsets = torch.arange(particles, device=self.device)[:, None] * (rows * width)
        mask_BTS = layout.mask()
        mask = None if mask_BTS is None else self._additive(mask_BTS).repeat(particles, 1, 1, 1)
        cache = None if prefix is None else taken(prefix, particles_N)
        with self._trunk.batch(layout, particles) if prefix is None else nullcontext():
            logits: Tensor = self(
                layout.ids_BT.repeat(particles, 1),
                particles_N,
                picks_M=(offsets + layout.picks_M).flatten(),
                attention_mask=mask,
                position_ids=layout.positions_BT.repeat(particles, 1),
                past_key_values=cache,
                use_cache=cache is not None,
            )
        return logits

    def __call__(
        self, ids_NT: Tensor, particles_N: Tensor, *, picks_M: Tensor | None = None, **given: object
    ) -> Tensor:
        """Logits of every column, or in one row (M, V) those at the flat positions `picks_M`."""
        self._picks.places_M = picks_M
        rows_M = None if picks_M is None else picks_M // ids_NT.shape[1]
        with self._stack.rows(particles_N, rows_M):
            logits: Tensor = self._model(input_ids=ids_NT, **given).logits
        return logits if picks_M is None else logits[0]

    def _additive(self, mask_BTS: Tensor) -> Tensor:
        """0 where seen, else the lowest number: what every attention implementation takes. Shape (B, 1, T, S)."""
        dtype = next(self._model.parameters()).dtype
        hidden = torch.finfo(dtype).min
        return torch.where(mask_BTS, 0.0, hidden).to(dtype)[:, None]


class _Picks:
    """Only the picked hidden states go through the head: a vocabulary is wide. It holds no model: no cycles."""

    places_M: Tensor | None = None

    def __call__(self, head: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor] | None:
        if self.places_M is None:
            return None
        (hidden_NTH,) = inputs
        return (hidden_NTH.flatten(0, 1)[self.places_M][None],)


def taken(cache: DynamicCache, rows_N: Tensor) -> DynamicCache:
    """A cache of its own with these rows of another one."""
    copy = DynamicCache()
    for i, layer in enumerate(cache.layers):
        copy.update(layer.keys[rows_N], layer.values[rows_N], i)
    return copy

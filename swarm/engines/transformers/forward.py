"""The model's forward pass, with logits only where they are needed.

Several recipes may share one pass, each row under its own coefficients (stacked.py): `particles_N` says which row
belongs to which.

Shape suffixes: N rows (the B rows of a packing, once per particle), T columns, S columns attended to, M logits, H
hidden, V vocabulary.
"""

import inspect
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from swarm.engines.transformers.frozen_layers_cache import FrozenLayersCache
from swarm.engines.transformers.packing import Packing
from swarm.engines.transformers.stacked import PerRowAdapters

# The names under which models return what they need to go on: keys and values, or the state of recurrent layers.
STATES = ("past_key_values", "cache", "cache_params", "state")
CACHE, NEWER_CACHE = "past_key_values", "cache"  # what models before and from transformers 5.24 call keys and values
State = Mapping[str, Any]


class Forward:
    """A causal language model with its per-row LoRA layers and its cache of frozen layers."""

    ids_name = "input_ids"  # of the tokens whose logits are asked for

    def __init__(
        self,
        model: nn.Module,
        adapters: PerRowAdapters | None = None,
        frozen_layers: FrozenLayersCache | None = None,
        dynamic: bool = False,
    ) -> None:
        """dynamic: whether the model's rotary frequencies depend on the longest sequence that it has read."""
        self._model = model
        self._dynamic = dynamic
        self._adapters = adapters or PerRowAdapters()
        self._frozen_layers = frozen_layers or FrozenLayersCache([])
        self._takes = frozenset(inspect.signature(model.forward).parameters)
        self._cache_name = NEWER_CACHE if NEWER_CACHE in self._takes and CACHE not in self._takes else CACHE
        self._picks = _Picks()
        head = model.get_output_embeddings()  # type: ignore[operator]
        self._hook = head.register_forward_pre_hook(self._picks)

    def release(self) -> None:
        """Give the model back as it was: its head gets every hidden state again."""
        self._hook.remove()

    @property
    def device(self) -> torch.device:
        return next(self._model.parameters()).device

    def logits(self, packing: Packing, particles: int, prefix: DynamicCache | None) -> Tensor:
        """The logits that a packing needs, particle after particle. Shape (particles * M, V).

        prefix: keys and values of the packing's prefix under each particle (prefix_cache.py); None where it has none.
        """
        self.reset_frequencies()
        rows, width = packing.ids_BT.shape
        particles_N = torch.arange(particles, device=self.device).repeat_interleave(rows)
        offsets = torch.arange(particles, device=self.device)[:, None] * (rows * width)
        mask_BTS = packing.mask()
        mask = None if mask_BTS is None else self._additive(mask_BTS).repeat(particles, 1, 1, 1)
        cache = None if prefix is None else select_rows(prefix, particles_N)
        # Rows behind a prefix need the keys and values of every layer, so none of their layers are skipped.
        with self._frozen_layers.batch(packing, particles) if prefix is None else nullcontext():
            ids_NT, picks_M = packing.ids_BT.repeat(particles, 1), (offsets + packing.picks_M).flatten()
            if packing.bare:
                return self(ids_NT, particles_N, picks_M=picks_M, use_cache=False)
            return self(
                ids_NT,
                particles_N,
                picks_M=picks_M,
                attention_mask=mask,
                position_ids=packing.positions_BT.repeat(particles, 1),
                past_key_values=cache,
                use_cache=cache is not None,
            )

    def last_logits(self, ids_NT: Tensor, particles_N: Tensor) -> Tensor:
        """The logits after whole sequences of one length. Shape (N, V)."""
        return self(ids_NT, particles_N, picks_M=_last(ids_NT), use_cache=False)

    def advance(self, ids_NT: Tensor, particles_N: Tensor, state: State) -> tuple[Tensor, State]:
        """The logits after sequences that go on from a state, shape (N, V), and the state there.

        state: what the model returned before, under its names; empty at the start. Raises TypeError where the model
        returns none.
        """
        out = self._outputs(ids_NT, particles_N, _last(ids_NT), use_cache=True, **state)
        found = {name: out[name] for name in STATES if out.get(name) is not None}
        # Where a release gives a state under its old name as well, the model takes the new one.
        found = {name: state for name, state in found.items() if name in self._takes} or found
        if not found:
            raise TypeError("the model returns no state")
        return out["logits"][0], found

    def reset_frequencies(self) -> None:
        """Undo what the longest sequence so far has done to dynamic rotary frequencies: a short one resets them."""
        if self._dynamic:
            ids = torch.zeros(1, 1, dtype=torch.long, device=self.device)
            self(ids, torch.zeros(1, dtype=torch.long, device=self.device), use_cache=False)

    def __call__(
        self, ids_NT: Tensor, particles_N: Tensor, *, picks_M: Tensor | None = None, **given: object
    ) -> Tensor:
        """Logits of every column, shape (N, T, V), or those at the flat positions `picks_M`, shape (M, V)."""
        logits: Tensor = self._outputs(ids_NT, particles_N, picks_M, **given)["logits"]
        return logits if picks_M is None else logits[0]

    def _outputs(
        self, ids_NT: Tensor, particles_N: Tensor, picks_M: Tensor | None, **given: object
    ) -> Mapping[str, Any]:
        if CACHE in given:
            given[self._cache_name] = given.pop(CACHE)
        self._picks.places_M = picks_M
        rows_M = None if picks_M is None else picks_M // ids_NT.shape[1]
        with self._adapters.rows(particles_N, rows_M):
            out: Mapping[str, Any] = self._model(**{self.ids_name: ids_NT}, **given)
        return out

    def _additive(self, mask_BTS: Tensor) -> Tensor:
        """0 where attended to, else the dtype's lowest number: every attention implementation takes this form.

        Shape (B, 1, T, S).
        """
        dtype = next(self._model.parameters()).dtype
        hidden = torch.finfo(dtype).min
        return torch.where(mask_BTS, 0.0, hidden).to(dtype)[:, None]


class _Picks:
    """Passes only the picked hidden states to the head, as its product with the vocabulary is expensive.

    It holds no reference to the model, so that no reference cycle keeps the model alive.
    """

    places_M: Tensor | None = None

    def __call__(self, head: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor] | None:
        if self.places_M is None:
            return None
        (hidden_NTH,) = inputs
        return (hidden_NTH.flatten(0, 1)[self.places_M][None],)


def _last(ids_NT: Tensor) -> Tensor:
    """The flat positions of the last columns."""
    rows, width = ids_NT.shape
    return torch.arange(1, rows + 1, device=ids_NT.device) * width - 1


def select_rows(cache: DynamicCache, rows_N: Tensor) -> DynamicCache:
    """A new cache with copies of these rows of another one."""
    copy = DynamicCache()
    for i, layer in enumerate(cache.layers):
        copy.update(layer.keys[rows_N], layer.values[rows_N], i)
    return copy

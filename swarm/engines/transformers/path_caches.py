"""What several models that read one text remember of it: keys and values of each, and the tokens that all were given.

A model that took no part at first, as its coefficient was 0, reads the tokens that it has missed when it is first run.

Shape suffixes: B rows, T new columns, S columns so far.
"""

import torch
from torch import Tensor
from transformers import Cache

from swarm.engines.transformers.logit_paths import RowMixes


class PathCaches(Cache):  # type: ignore[misc]
    """A cache of transformers for each model.

    caches: model -> its keys and values.
    mixes: the weights of each row, where they were fixed by the prompts that were read first; else None.
    """

    def __init__(self) -> None:
        super().__init__(layers=[])
        self.caches: dict[str, Cache] = {}
        self.mixes: RowMixes | None = None
        self._ids_BS: Tensor | None = None
        self._positions_BS: Tensor | None = None

    def add(self, ids_BT: Tensor, positions_BT: Tensor | None) -> None:
        """Take note of new columns. positions_BT: None where they are counted from 0, as models do by themselves."""
        known = self.get_seq_length()
        if positions_BT is not None or self._positions_BS is not None:
            before = self._counted(ids_BT, 0, known) if self._positions_BS is None else self._positions_BS
            new = self._counted(ids_BT, known, known + ids_BT.shape[1]) if positions_BT is None else positions_BT
            self._positions_BS = torch.cat([before, new.expand(len(ids_BT), -1)], dim=1)
        self._ids_BS = ids_BT if self._ids_BS is None else torch.cat([self._ids_BS, ids_BT], dim=1)

    def unread(self, model: str) -> tuple[Tensor, Tensor | None]:
        """Token ids and positions that a model has not read."""
        assert self._ids_BS is not None, "asked after columns were added"
        start = self.caches[model].get_seq_length() if model in self.caches else 0
        positions_BS = self._positions_BS
        return self._ids_BS[:, start:], None if positions_BS is None else positions_BS[:, start:]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return 0 if self._ids_BS is None else self._ids_BS.shape[1]

    def reorder_cache(self, beam_idx: Tensor) -> None:
        for cache in self.caches.values():
            cache.reorder_cache(beam_idx)
        self._select(beam_idx)

    def batch_select_indices(self, indices: Tensor) -> None:
        for cache in self.caches.values():
            cache.batch_select_indices(indices)
        self._select(indices)

    def batch_repeat_interleave(self, repeats: int) -> None:
        for cache in self.caches.values():
            cache.batch_repeat_interleave(repeats)
        if self._ids_BS is not None:
            self._select(torch.arange(len(self._ids_BS), device=self._ids_BS.device).repeat_interleave(repeats))

    def crop(self, max_length: int) -> None:
        """Forget columns: those from `max_length` on, or where it is below 0, so many at the end."""
        kept = max_length if max_length >= 0 else self.get_seq_length() + max_length
        for cache in self.caches.values():
            if cache.get_seq_length() > kept:
                cache.crop(kept)
        self._ids_BS = None if self._ids_BS is None else self._ids_BS[:, :kept]
        self._positions_BS = None if self._positions_BS is None else self._positions_BS[:, :kept]

    def _select(self, rows: Tensor) -> None:
        if self._ids_BS is not None:
            self._ids_BS = self._ids_BS[rows.to(self._ids_BS.device)]
        if self._positions_BS is not None:
            self._positions_BS = self._positions_BS[rows.to(self._positions_BS.device)]
        if self.mixes is not None:
            self.mixes = self.mixes.of_rows(rows)

    def _counted(self, ids_BT: Tensor, start: int, stop: int) -> Tensor:
        return torch.arange(start, stop, device=ids_BT.device).expand(len(ids_BT), -1)

"""Keys and values of shared prefixes, computed once per recipe and kept until other weights are put in place.

Shape suffixes: P particles.
"""

import torch
from transformers import DynamicCache

from swarm.engines.transformers.forward import Forward


class PrefixCache:
    """Computes the keys and values of prefixes and keeps them, so that all rungs of a race use the same ones.

    most_columns: columns to keep, over all prefixes and particles; beyond them, all are dropped.
    tokens: positions computed for prefixes so far, per particle.
    """

    def __init__(self, forward: Forward, most_columns: int = 8192) -> None:
        self._forward = forward
        self._most_columns = most_columns
        self._kept: dict[tuple[tuple[int, ...], int], DynamicCache] = {}
        self._weights: object = None
        self.tokens = 0

    def use(self, weights: object) -> None:
        """Say which weights are in place from now on, by any value that identifies them: others drop what is kept."""
        if weights != self._weights:
            self._kept.clear()
        self._weights = weights

    def get(self, prefix: tuple[int, ...], particles: int) -> DynamicCache | None:
        """Keys and values of a prefix, one row per particle; None for an empty prefix."""
        if not prefix:
            return None
        key = (prefix, particles)
        if key not in self._kept:
            if sum(len(kept) * times for kept, times in [*self._kept, key]) > self._most_columns:
                self._kept.clear()
            self._kept[key] = self._compute(prefix, particles)
        return self._kept[key]

    def _compute(self, prefix: tuple[int, ...], particles: int) -> DynamicCache:
        self.tokens += len(prefix)
        device = self._forward.device
        ids_PT = torch.tensor([list(prefix)] * particles, device=device)
        cache = DynamicCache()
        last_P = torch.arange(1, particles + 1, device=device) * len(prefix) - 1
        # The logits are not used, so only each row's last are made.
        self._forward(
            ids_PT, torch.arange(particles, device=device), picks_M=last_P, past_key_values=cache, use_cache=True
        )
        return cache

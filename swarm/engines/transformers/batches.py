"""What an engine derives from requests, once: which are scored and which written, in which batches."""

from collections.abc import Set
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import torch

from swarm.core.requests import Generation
from swarm.engines.encoding import Encoded, Requests
from swarm.engines.transformers.generation import PromptBatch, prompt_batches
from swarm.engines.transformers.packing import BatchLimits, Packing, packings


@dataclass(frozen=True)
class Batches:
    """Requests by kind, with their places among all, and the batches that answer them.

    scored, asked: the continuations; written, writing: the generations.
    """

    scored: tuple[int, ...]
    written: tuple[int, ...]
    asked: tuple[Encoded, ...]
    writing: tuple[Generation, ...]
    packings: tuple[Packing, ...]
    prompts: tuple[PromptBatch, ...]

    @property
    def tokens(self) -> int:
        """Positions that one particle needs, generated ones and shared prefixes left out."""
        return sum(batch.tokens for batch in self.packings) + sum(batch.tokens for batch in self.prompts)


class Batcher:
    """Makes batches of requests and keeps them as long as the requests live. end_ids: tokens that end any text."""

    def __init__(self, limits: BatchLimits, device: torch.device, end_ids: Set[int]) -> None:
        self._limits = limits
        self._device = device
        self._end_ids = end_ids
        self._known: WeakKeyDictionary[Requests, dict[int, Batches]] = WeakKeyDictionary()

    def batches(self, requests: Requests, particles: int = 1) -> Batches:
        """Batches small enough for so many particles together."""
        known = self._known.setdefault(requests, {})
        if particles not in known:
            known[particles] = self._make(requests, particles)
        return known[particles]

    def _make(self, requests: Requests, particles: int) -> Batches:
        limits = replace(
            self._limits, columns=self._limits.columns // particles, logits=self._limits.logits // particles
        )
        generations = [(i, item.request) for i, item in enumerate(requests.items)]
        writing = [(i, request) for i, request in generations if isinstance(request, Generation)]
        written = {i for i, _ in writing}
        scored = tuple(i for i in range(len(requests.items)) if i not in written)
        asked = tuple(requests.items[i] for i in scored)
        prompts = [(request, requests.items[i]) for i, request in writing]
        return Batches(
            scored=scored,
            written=tuple(i for i, _ in writing),
            asked=asked,
            writing=tuple(request for _, request in writing),
            packings=tuple(packings(asked, limits, self._device)),
            prompts=tuple(prompt_batches(prompts, limits, self._device, self._end_ids)),
        )

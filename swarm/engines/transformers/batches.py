"""What an engine derives from requests, once: which are scored, which are generated, and in which batches."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import torch

from swarm.core.requests import Generation
from swarm.engines.encoding import Encoded, Requests
from swarm.engines.transformers.packing import BatchLimits, Decode, Packing, packings
from swarm.engines.transformers.prompts import PromptBatch, Prompts, prompt_batches

DECODES: tuple[Decode, ...] = ("cache", "state", "recompute")  # from the one that asks most of a model to the least


@dataclass(frozen=True)
class Batches:
    """Requests by kind, and the batches that answer them.

    scored: the places of the continuations among all requests.
    generated: the places of the generations among all requests.
    continuations: the requests at `scored`, in that order.
    generations: the requests at `generated`, in that order.
    packings: batches that score the continuations; their indices count in `continuations`.
    prompts: batches that generate; their indices count in `generations`.
    """

    scored: tuple[int, ...]
    generated: tuple[int, ...]
    continuations: tuple[Encoded, ...]
    generations: tuple[Generation, ...]
    packings: tuple[Packing, ...]
    prompts: tuple[PromptBatch, ...]

    @property
    def tokens(self) -> int:
        """Positions that one particle needs, without generated tokens and shared prefixes."""
        return sum(batch.tokens for batch in self.packings) + sum(batch.tokens for batch in self.prompts)


class Batcher:
    """Makes batches of requests and keeps them as long as the requests live.

    scoring: limits of the batches that score.
    end_ids: tokens that end any text.
    generation: limits of the batches that generate; those of scoring where there are none.
    """

    def __init__(
        self, scoring: BatchLimits, device: torch.device, end_ids: Set[int], generation: BatchLimits | None = None
    ) -> None:
        self._scoring = scoring
        self._generation = generation or scoring
        self._device = device
        self._end_ids = end_ids
        self._known: WeakKeyDictionary[Requests, dict[int, Batches]] = WeakKeyDictionary()

    def batches(self, requests: Requests, particles: int = 1) -> Batches:
        """Batches that stay within the limits when so many particles share them."""
        known = self._known.setdefault(requests, {})
        if particles not in known:
            known[particles] = self._make(requests, particles)
        return known[particles]

    def _make(self, requests: Requests, particles: int) -> Batches:
        scoring, generation = _divided(self._scoring, particles), _divided(self._generation, particles)
        by_place = [(i, item.request) for i, item in enumerate(requests.items)]
        generations = [(i, request) for i, request in by_place if isinstance(request, Generation)]
        generated = {i for i, _ in generations}
        scored = tuple(i for i in range(len(requests.items)) if i not in generated)
        continuations = tuple(requests.items[i] for i in scored)
        prompts = [(request, requests.items[i]) for i, request in generations]
        return Batches(
            scored=scored,
            generated=tuple(i for i, _ in generations),
            continuations=continuations,
            generations=tuple(request for _, request in generations),
            packings=tuple(self.packings(continuations, scoring)),
            prompts=tuple(self.prompt_batches(prompts, generation)),
        )

    def packings(self, continuations: Sequence[Encoded], limits: BatchLimits) -> Sequence[Packing]:
        """Batches that score continuations."""
        return packings(continuations, limits, self._device)

    def prompt_batches(self, requests: Prompts, limits: BatchLimits) -> Sequence[PromptBatch]:
        """Batches that generate."""
        return prompt_batches(requests, limits, self._device, self._end_ids)


def _divided(limits: BatchLimits, particles: int) -> BatchLimits:
    return replace(limits, columns=limits.columns // particles, logits=limits.logits // particles)


def narrower(one: BatchLimits, other: BatchLimits) -> BatchLimits:
    """The limits of batches that two models read alike."""
    return BatchLimits(
        columns=min(one.columns, other.columns),
        logits=min(one.logits, other.logits),
        share=one.share and other.share,
        min_saved=max(one.min_saved, other.min_saved),
        busy=one.busy,
        window=min(one.window, other.window),
        equal=one.equal or other.equal,
        decode=max(one.decode, other.decode, key=DECODES.index),
        turn=min(one.turn, other.turn),
    )

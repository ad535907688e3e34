"""What a model allows: shared prompts, padded rows, cached generation, kept layers, stacking.

It is tested when the engine opens, not inferred from a name. A few short sequences of random tokens are read one by
one, as the model alone reads them, and then in every way that the engine would batch them, until one agrees. Recurrent
layers read padding as text, some models derive positions from a mask, others count columns in a window. A layer that is
called on flattened rows cannot have coefficients per row.

Sequences are about 30 tokens long. Where it costs at most MOST_WORK, longer ones reach beyond the model's window or
chunk. That leaves out most real models: there, the limits of batches alone keep windows right.

Shape suffixes: P particles, M logits, V vocabulary.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from swarm.core.errors import ExpertError, first_line
from swarm.core.recipes import Group, Recipe, WeightRecipe
from swarm.core.requests import Continuation, Generation
from swarm.engines.encoding import Encoded
from swarm.engines.transformers.decoding import Decoder, decoder
from swarm.engines.transformers.forward import Forward
from swarm.engines.transformers.frozen_layers_cache import FrozenLayersCache
from swarm.engines.transformers.merged_weights import MergedWeights
from swarm.engines.transformers.packing import BatchLimits, packings
from swarm.engines.transformers.prefix_cache import PrefixCache
from swarm.engines.transformers.prompts import prompt_batches
from swarm.engines.transformers.stacked import PerRowAdapters, base_recipe
from swarm.experts.catalog import Catalog

PREFIX = 18  # tokens that the prompts share: enough to be shared
TAILS = (2, 7, 7)  # tokens of each prompt after the prefix
WRITTEN = 4  # tokens after each prompt
MOST_WORK = 5e10  # weights times tokens of a longer sequence: about a second of a CPU for all of them
# Largest difference of the logits, relative to their spread. Merging rounds every weight, stacking rounds activations:
# in half precision the two differ even where a model can be stacked. In bfloat16, 5e-2 was too strict.
TOLERANCE = {torch.float32: 1e-3, torch.float16: 5e-2, torch.bfloat16: 1e-1}
REFUSALS = (RuntimeError, ValueError, TypeError, AttributeError, IndexError, KeyError, AssertionError)
# From the fastest way to the one that asks least of a model, each with what the user should know.
SCORING: tuple[tuple[Mapping[str, Any], str], ...] = (
    ({"share": True}, ""),
    ({"share": False}, "prompts are read again for every continuation"),
    ({"share": False, "equal": True}, "continuations are scored in batches of one length, each behind its own prompt"),
)
GENERATION: tuple[tuple[Mapping[str, Any], str], ...] = (
    ({"share": True}, ""),
    ({"share": False}, "texts are generated without shared prefixes"),
    ({"share": False, "equal": True, "decode": "state"}, "texts are generated in batches of prompts of one length"),
    ({"share": False, "equal": True, "decode": "recompute"}, "texts are generated without a cache, which is slow"),
)
Logits = Mapping[int, Tensor]  # the index of a sample's request -> the logits of what follows it, shape (M, V)


@dataclass(frozen=True)
class Sample:
    """Requests, and the logits of their continuations as the model alone has them. Shape (M, V)."""

    requests: Sequence[Encoded]
    expected_MV: Tensor


@dataclass(frozen=True)
class Capabilities:
    """What was found. notes: what the user should know."""

    scoring: BatchLimits
    generation: BatchLimits
    keeps_layers: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class CapabilityProbe:
    """Asks a model for what follows three prompts of random tokens with a common start.

    name: the base and its architecture, for messages.
    forward: the model.
    vocabulary: how many tokens its tokenizer knows.
    dtype: of its weights.
    weights: how many it has.
    limits: of its batches.
    """

    name: str
    forward: Forward
    vocabulary: int
    dtype: torch.dtype
    weights: int
    limits: BatchLimits

    def capabilities(self, kept: FrozenLayersCache) -> Capabilities:
        """What agrees with the model alone. Raises ExpertError where nothing does."""
        samples = list(self._samples())
        scoring, scored = self._first(SCORING, samples, self._scored)
        # A model whose continuations cannot share prompts gets no shared prefixes, whatever a few tokens say.
        generation, generated = self._first(GENERATION[not scoring.share :], samples, self._generated)
        alone = replace(scoring, share=False)
        keeps = kept.depth > 0 and all(self._agree(each, lambda s: self._scored_again(s, alone)) for each in samples)
        lost = "" if keeps or not kept.depth else "the layers that no expert changes are computed for every candidate"
        return Capabilities(scoring, generation, keeps, tuple(filter(None, (scored, generated, lost))))

    def can_stack(
        self, merged_weights: MergedWeights, adapters: PerRowAdapters, catalog: Catalog, scoring: BatchLimits
    ) -> bool:
        """True where stacked recipes get the logits of merged ones. Leaves the base in place."""
        recipes, merged = [sample_recipe(catalog, sign) for sign in (1.0, -1.0)], []
        limits, sample = replace(scoring, share=False), Sample(random_requests(self.vocabulary, PREFIX), torch.empty(0))
        for recipe in recipes:
            merged_weights.put(recipe)
            merged.append(_in_order(self._scored(sample, limits)))
        merged_weights.put(base_recipe(recipes[0]))
        adapters.put(recipes)
        try:
            sample = replace(sample, expected_MV=torch.cat(merged, dim=-2))
            agree = self._agree(sample, lambda s: self._scored(s, limits, particles=2))
        finally:
            adapters.clear()
        return agree and self._unread(merged_weights, adapters.uncalled(), lambda: self._scored(sample, limits))

    @torch.no_grad()
    def _unread(self, weights: MergedWeights, names: Set[str], scored: Callable[[], Logits]) -> bool:
        """Whether logits do not depend on parameters whose layers are not called.

        Some models read a layer's weight without calling the layer; the update there may be too small to show.
        """
        lives = [parameter.live for parameter in weights.parameters if parameter.name in names]
        if not lives:
            return True
        before, pristine = _in_order(scored()), [live.clone() for live in lives]
        for live in lives:
            live.add_(1.0)
        moved = _in_order(scored())
        for live, values in zip(lives, pristine, strict=True):
            live.copy_(values)
        return torch.equal(before, moved)

    def _first(
        self,
        ways: Sequence[tuple[Mapping[str, Any], str]],
        samples: Sequence[Sample],
        found: Callable[..., Logits],
    ) -> tuple[BatchLimits, str]:
        """The first way in which every sample gets the expected logits, and its note."""
        for way, note in ways:
            limits = replace(self.limits, **way)
            if all(self._agree(sample, partial(found, limits=limits)) for sample in samples):
                return limits, note
        if not all(bool(sample.expected_MV.isfinite().all()) for sample in samples):
            return replace(self.limits, share=False), ""  # every evaluation will say so
        raise ExpertError(f"{self.name}: its answers depend on what else is in their batch; use another base")

    def _agree(self, sample: Sample, found: Callable[[Sample], Logits]) -> bool:
        """Whether logits are the expected ones, relative to how far those lie from their mean."""
        expected_MV = sample.expected_MV
        try:
            difference = (expected_MV - _in_order(found(sample))).norm()
        except REFUSALS:
            return False
        spread = (expected_MV - expected_MV.mean(dim=1, keepdim=True)).norm()
        return bool(difference <= TOLERANCE[self.dtype] * spread)

    @torch.inference_mode()
    def _samples(self) -> Iterator[Sample]:
        """Short sequences, and where it is cheap some that reach beyond the window."""
        yield self._alone(random_requests(self.vocabulary, PREFIX))
        beyond = self.limits.window + PREFIX
        if PREFIX + max(TAILS) < beyond and self.weights * beyond <= MOST_WORK:
            yield self._alone(random_requests(self.vocabulary, beyond))

    def _alone(self, requests: Sequence[Encoded]) -> Sample:
        """The requests, each read by itself. Raises ExpertError where the model cannot read or looks ahead."""
        found: list[Tensor] = []
        for item in requests:
            ids = torch.tensor([item.prompt + item.continuation[:-1]], device=self.forward.device)
            self.forward.reset_frequencies()
            try:
                logits_TV = self.forward(ids, torch.zeros_like(ids[:, 0]), use_cache=False)[0].float()
            except REFUSALS as error:
                raise ExpertError(f"{self.name}: it cannot be run ({first_line(error)}); use another base") from error
            found.append(logits_TV)
        start = len(requests[0].prompt) - 1  # the second request has the same prompt
        one, other = found[0][:start], found[1][:start]
        if (one - other).norm() > TOLERANCE[self.dtype] * (one - one.mean()).norm():
            raise ExpertError(
                f"{self.name}: it sees the text that it is asked for; set is_decoder: true in its config.json where "
                "the model is a decoder, or use another base"
            )
        cut = [logits_TV[len(item.prompt) - 1 :] for item, logits_TV in zip(requests, found, strict=True)]
        return Sample(requests, torch.cat(cut))

    @torch.inference_mode()
    def _scored(self, sample: Sample, limits: BatchLimits, particles: int = 1, passes: int = 1) -> Logits:
        """The logits of every request, particle after particle. passes: how often each batch is read."""
        prefixes = PrefixCache(self.forward)
        found: dict[int, list[Tensor]] = {}
        limits = replace(limits, columns=1 << 12, logits=1 << 12, min_saved=1)
        for packing in packings(sample.requests, limits, self.forward.device):
            prefix = prefixes.get(packing.prefix, particles)
            for _ in range(passes):
                logits_MV = self.forward.logits(packing, particles, prefix).float()
            logits_PMV = logits_MV.view(particles, -1, logits_MV.shape[1])
            for i, owner in enumerate(packing.owner_M.tolist()):
                found.setdefault(owner, []).append(logits_PMV[:, i])
        return {owner: torch.stack(each, dim=1) for owner, each in found.items()}

    def _scored_again(self, sample: Sample, limits: BatchLimits) -> Logits:
        return self._scored(sample, limits, passes=2)

    @torch.inference_mode()
    def _generated(self, sample: Sample, limits: BatchLimits) -> Logits:
        """The logits after every token of the continuations, which are written whatever the model would write."""
        prefixes, requests = PrefixCache(self.forward), sample.requests
        found: dict[int, Tensor] = {}
        prompts = [(Generation("", WRITTEN), item) for item in requests]
        limits = replace(limits, columns=1 << 12, min_saved=1)
        for batch in prompt_batches(prompts, limits, self.forward.device, set()):
            decoding = decoder(self.forward, batch, 1, prefixes.get(batch.prefix, 1))
            texts = [requests[i].continuation for i in batch.indices]
            found |= dict(zip(batch.indices, written_logits(decoding, texts, self.forward.device), strict=True))
        return found


def written_logits(decoding: Decoder, texts: Sequence[tuple[int, ...]], device: torch.device) -> list[Tensor]:
    """The logits after every token of texts, which are written whatever the model would write. Each (1, M, V)."""
    logits = [decoding.start().float()]
    for tokens in list(zip(*texts, strict=True))[:-1]:
        logits.append(decoding.step(torch.tensor(tokens, device=device)).float())
    return [torch.stack([each[row] for each in logits])[None] for row in range(len(texts))]


def _in_order(found: Logits) -> Tensor:
    """The logits of all requests one after another, particle after particle. Shape (P * M, V)."""
    return torch.cat([found[i] for i in sorted(found)], dim=1).flatten(0, 1)


def random_requests(vocabulary: int, prefix: int) -> list[Encoded]:
    """Three prompts with a common start, the first with two continuations, the others with one."""
    generator = torch.Generator().manual_seed(0)
    tokens: list[int] = torch.randint(vocabulary, (prefix + sum(TAILS) + 4 * WRITTEN,), generator=generator).tolist()
    start, rest = tuple(tokens[:prefix]), iter(tokens[prefix:])
    prompts = [start + tuple(next(rest) for _ in range(tail)) for tail in TAILS]
    pairs = [(prompt, tuple(next(rest) for _ in range(WRITTEN))) for prompt in (prompts[0], *prompts)]
    return [Encoded(Continuation("", ""), prompt, text) for prompt, text in pairs]


def sample_recipe(catalog: Catalog, sign: float) -> Recipe:
    """A recipe in which every expert has a part."""
    n = len(catalog.names)
    coefficients = {name: (sign * (1.0 if i % 2 else -0.5) / n,) for i, name in enumerate(catalog.names)}
    return Recipe(WeightRecipe("delta", (Group("all", ("*",)),), coefficients))

"""The models whose logits a recipe combines, opened once and run when they are needed.

An expert of the base is scored with its weights swapped into the live model, so that it takes no memory. To generate,
all models have to be there at once, each with its own keys and values: then an expert is a copy of the model.

Shape suffixes: A models that take part, Q requests, M logits, N rows that are still generated, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from swarm.core.recipes import Combined, Recipe
from swarm.engines.transformers.answering import Path
from swarm.engines.transformers.batches import Batches, narrower
from swarm.engines.transformers.capability_probe import CapabilityProbe
from swarm.engines.transformers.decoding import Decoder, decoder
from swarm.engines.transformers.forward import Forward
from swarm.engines.transformers.frozen_layers_cache import FrozenLayersCache
from swarm.engines.transformers.load_model import LoadedModel, load_beside
from swarm.engines.transformers.logit_mix import (
    BASE,
    PRISTINE,
    Mix,
    combine,
    control_key,
    expert_key,
    mix_of,
    pair_keys,
)
from swarm.engines.transformers.logits_cache import LogitsCache
from swarm.engines.transformers.merged_weights import MergedWeights
from swarm.engines.transformers.model_copies import with_recipe
from swarm.engines.transformers.packing import BatchLimits, Packing
from swarm.engines.transformers.prefix_cache import PrefixCache
from swarm.engines.transformers.prompts import PromptBatch
from swarm.engines.transformers.stacked import alone_recipe, base_recipe
from swarm.experts.catalog import Catalog
from swarm.experts.control_layer import ControlLayer, with_control_layer
from swarm.experts.expert import Base
from swarm.experts.path_models import ModelPair


@dataclass(frozen=True)
class RowMixes:
    """The models that take part in any of Q requests, and the weight of each in each of them."""

    combined: Combined
    models: tuple[str, ...]
    weights_AQ: Tensor

    @classmethod
    def of(cls, mixes: Sequence[Mix], device: torch.device) -> "RowMixes":
        """One mix per request; all combine the same."""
        models = tuple(dict.fromkeys(model for mix in mixes for model in mix.weights))
        weights = [[mix.weights.get(model, 0.0) for mix in mixes] for model in models]
        combined = mixes[0].combined if mixes else "logits"
        return cls(combined, models, torch.tensor(weights, dtype=torch.float32, device=device))

    def of_rows(self, rows: Tensor) -> "RowMixes":
        """The same for rows of these requests, without models that take no part in them."""
        weights_AR = self.weights_AQ[:, rows.to(self.weights_AQ.device)]
        kept = [a for a in range(len(self.models)) if bool((weights_AR[a] != 0).any())]
        return RowMixes(self.combined, tuple(self.models[a] for a in kept), weights_AR[kept])


@dataclass(frozen=True)
class OpenModel:
    """A model that can be run: its forward pass, and the prefixes that it has read."""

    forward: Forward
    prefixes: PrefixCache

    def decoder(self, batch: PromptBatch) -> Decoder:
        return decoder(self.forward, batch, 1, self.prefixes.get(batch.prefix, 1))


class LogitPaths:
    """Runs the models of a catalog's paths.

    limits: what a batch may hold, for the base and every model of a pair.
    """

    def __init__(
        self, loaded: LoadedModel, live: OpenModel, merged: MergedWeights, catalog: Catalog, batch_tokens: int
    ) -> None:
        """live: the base, whose weights `merged` puts in place."""
        self._loaded, self._live, self._merged, self._catalog = loaded, live, merged, catalog
        self._batch_tokens = batch_tokens
        self._cache = LogitsCache()
        self._opened: dict[str, OpenModel] = {}

    def narrowed(self, limits: BatchLimits, found: BatchLimits) -> tuple[BatchLimits, BatchLimits]:
        """Limits of batches that score and that generate, for the base (given) and every model of the pairs."""
        for pair in (each for each in self._catalog.models if isinstance(each, ModelPair)):
            for model, key in zip((pair.plus, pair.minus), pair_keys(pair), strict=True):
                if model is not None and key is not None and key not in self._opened:
                    scoring, generation = self._open_pair(model, key, f"expert {pair.name}", limits)
                    limits, found = narrower(limits, scoring), narrower(found, generation)
        return limits, found

    def path(self, recipes: Sequence[Recipe], weights: Recipe, batches: Batches) -> Path:
        """Where logits come from. recipes: one per request, in their order. weights: what the base's own path has."""
        known = {id(recipe): mix_of(recipe, self._catalog) for recipe in {id(each): each for each in recipes}.values()}
        mixes = [known[id(recipe)] for recipe in recipes]
        scored, generated = (
            RowMixes.of([mixes[i] for i in places], self._loaded.device)
            for places in (batches.scored, batches.generated)
        )
        return Path(
            lambda packing: self.logits(packing, scored, weights),
            lambda batch, _: self.decoder(batch, generated, weights),
        )

    def logits(self, packing: Packing, mixes: RowMixes, recipe: Recipe) -> Tensor:
        """The combined logits that a packing needs, shape (M, V). mixes: of the requests that its owners count in."""
        rows = mixes.of_rows(packing.owner_M)
        parts = [self._scored(model, packing, recipe) for model in rows.models]
        return combine(parts, rows.weights_AQ, self._loaded.vocabulary, rows.combined)

    def decoder(self, batch: PromptBatch, mixes: RowMixes, recipe: Recipe) -> Decoder:
        """The decoder of a batch. mixes: of the requests that `batch.indices` counts in."""
        rows = mixes.of_rows(torch.tensor(batch.indices))
        # The base last: opening another model puts other weights in place.
        for model in rows.models:
            self._generating(model, recipe)
        opened = [self._put(model, recipe) if model == BASE else self._opened[model] for model in rows.models]
        return CombinedDecoder([each.decoder(batch) for each in opened], rows, self._loaded.vocabulary)

    def _scored(self, model: str, packing: Packing, recipe: Recipe) -> Tensor:
        """A model's logits of a packing: kept ones, except for the base with other weights."""

        def compute() -> Tensor:
            ready = self._put(model, recipe)
            return ready.forward.logits(packing, 1, ready.prefixes.get(packing.prefix, 1))

        if model == BASE and recipe != base_recipe(recipe):
            return compute()
        return self._cache.get(PRISTINE if model == BASE else model, packing, compute)

    def _put(self, model: str, recipe: Recipe) -> OpenModel:
        """The model, ready to be run alone."""
        swapped = {BASE: recipe, PRISTINE: base_recipe(recipe)}
        swapped |= {expert_key(name): alone_recipe(recipe, name) for name in self._catalog.names}
        if model not in swapped:
            return self._generating(model, recipe)
        self._merged.put(swapped[model])
        self._live.prefixes.use(("path", swapped[model]))
        return self._live

    def _generating(self, model: str, recipe: Recipe) -> OpenModel:
        """The model, ready to be run beside the others."""
        if model == BASE:
            return self._put(model, recipe)
        if model not in self._opened:
            self._opened[model] = self._open(self._copied(model, recipe), self._loaded.dynamic)
        return self._opened[model]

    def _copied(self, model: str, recipe: Recipe) -> nn.Module:
        """A copy of the base, as it is, with an expert, or behind a control layer."""
        layers = {control_key(each.name): each for each in self._catalog.models if isinstance(each, ControlLayer)}
        names = [name for name in self._catalog.names if expert_key(name) == model]
        weights = alone_recipe(recipe, names[0]) if names else base_recipe(recipe)
        made = with_recipe(self._loaded.model, self._merged, weights)
        return with_control_layer(made, layers[model].tensors()) if model in layers else made

    def _open(self, model: nn.Module, dynamic: bool) -> OpenModel:
        forward = Forward(model.eval(), dynamic=dynamic)
        return OpenModel(forward, PrefixCache(forward, self._batch_tokens))

    def _open_pair(self, model: Base, key: str, owner: str, limits: BatchLimits) -> tuple[BatchLimits, BatchLimits]:
        """Open a model of a pair. Returns what its batches may hold. Raises ExpertError."""
        loaded = load_beside(model.path, self._loaded, owner)
        opened = self._opened[key] = self._open(loaded.model, loaded.dynamic)
        name = f"{owner}: {model.path} ({type(loaded.model).__name__})"
        own = BatchLimits(limits.columns, loaded.most_logits, window=loaded.window, turn=loaded.turn)
        probe = CapabilityProbe(name, opened.forward, self._loaded.vocabulary, loaded.dtype, loaded.weights, own)
        found = probe.capabilities(FrozenLayersCache([]))
        return found.scoring, found.generation


class CombinedDecoder:
    """A decoder for each model; every row has its own weights, and one next token for all models."""

    def __init__(self, decoders: Sequence[Decoder], mixes: RowMixes, vocabulary: int) -> None:
        self._decoders, self._mixes, self._vocabulary = decoders, mixes, vocabulary

    def start(self) -> Tensor:
        return self._combined([each.start() for each in self._decoders])

    def step(self, tokens_N: Tensor) -> Tensor:
        return self._combined([each.step(tokens_N) for each in self._decoders])

    def keep(self, rows_N: Tensor) -> None:
        for each in self._decoders:
            each.keep(rows_N)
        weights_AN = self._mixes.weights_AQ[:, rows_N]
        self._mixes = RowMixes(self._mixes.combined, self._mixes.models, weights_AN)

    def _combined(self, parts: Sequence[Tensor]) -> Tensor:
        return combine(parts, self._mixes.weights_AQ, self._vocabulary, self._mixes.combined)

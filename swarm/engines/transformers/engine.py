"""The engine on Hugging Face transformers: one model, with recipes merged into its weights or stacked beside them."""

import logging
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Literal
from weakref import WeakKeyDictionary

import torch
from pydantic import Field

from swarm.core.errors import ConfigError, DeviceError, ExpertError, NotFiniteError
from swarm.core.recipes import Recipe
from swarm.core.requests import Method, Reply
from swarm.engines.base import DtypeName, EngineSettings, Memory
from swarm.engines.encoding import Requests
from swarm.engines.transformers.answering import Answering, in_groups
from swarm.engines.transformers.base_distributions import BaseDistributions
from swarm.engines.transformers.batches import Batcher
from swarm.engines.transformers.capability_probe import CapabilityProbe
from swarm.engines.transformers.cost_model import CostModel
from swarm.engines.transformers.encoder_decoder import EncoderDecoderForward
from swarm.engines.transformers.forward import Forward
from swarm.engines.transformers.frozen_layers_cache import FrozenLayersCache, untouched_layers
from swarm.engines.transformers.generation import Generator
from swarm.engines.transformers.load_model import LoadedModel, load_model, usable_device
from swarm.engines.transformers.logit_paths import LogitPaths, OpenModel
from swarm.engines.transformers.logits_cache import check_room
from swarm.engines.transformers.memory import LargestBatch, memory
from swarm.engines.transformers.merged_weights import MergedWeights, UnmergedWeights
from swarm.engines.transformers.packing import BatchLimits
from swarm.engines.transformers.pair_probe import PairProbe
from swarm.engines.transformers.pairs import PairBatcher
from swarm.engines.transformers.path_memory import Running, cache_bytes, path_memory
from swarm.engines.transformers.prefix_cache import PrefixCache
from swarm.engines.transformers.quantised_probe import QuantisedProbe
from swarm.engines.transformers.routing import Routing
from swarm.engines.transformers.stacked import PerRowAdapters, base_recipe
from swarm.experts.catalog import Catalog

log = logging.getLogger(__name__)
DTYPES: dict[DtypeName, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


class TransformersSettings(EngineSettings):
    """Settings of the transformers engine."""

    type: Literal["transformers"] = "transformers"
    device: str = Field("auto", description="auto: cuda where available, else cpu")
    batch_tokens: int = Field(8192, ge=1, description="tokens per batch, padding included")
    method: Literal["auto", "merged", "stacked"] = Field(
        "auto",
        description="merged: into the weights, one candidate after another; stacked: as rows of one batch (adapters "
        "only); auto: the faster of the two",
    )
    particles: int = Field(8, ge=1, le=1_024, description="most candidates in one batch, where they are stacked")

    @property
    def uses_gpu(self) -> bool:
        return self.device != "cpu"

    def together(self, catalog: Catalog, requests: Requests) -> int:
        return self.particles if self.stacks(self.cost_model(catalog), requests) else 1

    def decides_scores(self) -> dict[str, object]:
        return {**super().decides_scores(), "method": self.method, "particles": self.particles}

    def needed_memory(
        self, catalog: Catalog, requests: Requests, paths: Sequence[str] = (), merged: bool = False
    ) -> Memory:
        vocabulary = int(str(catalog.base.config.get("vocab_size", 1)))
        found = memory(catalog, self.dtype, LargestBatch.of(requests.items, self.batch_tokens, vocabulary))
        running = Running.of(paths, merged, requests.items, self.batch_tokens, vocabulary)
        return path_memory(found, catalog, self.dtype, running)

    def needed_cache(self, catalog: Catalog, requests: Sequence[Requests], paths: Sequence[str]) -> float:
        return cache_bytes(catalog, self.dtype, [item for each in requests for item in each.items], paths)

    def check_cache(self, needed: float) -> None:
        check_room(needed)

    def check_here(self) -> None:
        usable_device(self.device)

    def open(self, catalog: Catalog) -> "TransformersEngine":
        return TransformersEngine(self, catalog)

    def cost_model(self, catalog: Catalog) -> CostModel | None:
        """What scoring costs; None where nothing can be stacked.

        Raises ConfigError where `method` asks for what is not possible.
        """
        base = f"base {catalog.base.path}"
        if self.method == "merged" and catalog.base.codes:
            raise _impossible(f"merged, but {base} is quantised, and nothing can be merged into its codes; use")
        # By the name of the device: the process that asks may have no such device.
        cuda = self.device.startswith("cuda") or (self.device == "auto" and torch.cuda.is_available())
        costs = CostModel.of(catalog, "cuda" if cuda else "cpu", DTYPES[self.dtype], self.batch_tokens)
        if costs is None and self.method == "stacked" and catalog.experts:
            if catalog.base.architecture.encoder_decoder:
                one_by_one = "is an encoder-decoder, whose candidates are merged one after another"
                raise _impossible(f"stacked, but {base} {one_by_one}; use")
            raise _impossible("stacked, but an expert changes a matrix as a whole; cut it to a rank with svd:, or use")
        return costs

    def stacks(self, costs: CostModel | None, requests: Requests) -> bool:
        """Whether candidates that get these requests are stacked.

        This holds for a single candidate as well, so that its score does not depend on what else is in its batch.
        """
        if costs is not None and costs.only_stacked:
            return True
        if costs is None or self.method == "merged" or self.particles < 2:
            return False
        return self.method == "stacked" or costs.stacked_pays(self.particles, requests)


def _impossible(problem: str) -> ConfigError:
    return ConfigError(f"engine.method: {problem} method: auto")


class TransformersEngine:
    """The model that runs, and everything that puts recipes into it and answers requests with it.

    notes: what the user should know of how this model is run.
    """

    notes: tuple[str, ...]

    def __init__(self, settings: TransformersSettings, catalog: Catalog) -> None:
        self._settings = settings
        loaded = load_model(catalog.base.path, DTYPES[settings.dtype], settings.device)
        self._model = loaded.model
        self._merged_weights = (UnmergedWeights if catalog.base.codes else MergedWeights)(self._model, catalog)
        name = f"base {catalog.base.path} ({type(self._model).__name__})"
        limits = BatchLimits(settings.batch_tokens, loaded.most_logits, window=loaded.window, turn=loaded.turn)
        self._adapters: PerRowAdapters | None = None
        self._costs: CostModel | None = None
        open_model = self._open_encoder_decoder if catalog.base.architecture.encoder_decoder else self._open_decoder
        notes = open_model(loaded, catalog, name, limits)
        self._answering = self._answering_of(loaded)
        self._routing = Routing(self._model, self._merged_weights, catalog, loaded.device)
        self._stacked: WeakKeyDictionary[Requests, bool] = WeakKeyDictionary()
        for note in notes:
            log.info("%s: %s", name, note)
        self.notes = tuple(f"{name}: {note}" for note in notes)

    def _open_decoder(self, loaded: LoadedModel, catalog: Catalog, name: str, limits: BatchLimits) -> tuple[str, ...]:
        """Prepare a causal model. Returns notes."""
        self._adapters = PerRowAdapters.of(self._model, self._merged_weights.parameters)
        touched = [each.place.live for each in self._merged_weights.parameters]
        frozen_layers = FrozenLayersCache(untouched_layers(self._model, touched))
        self._forward = Forward(self._model, self._adapters, frozen_layers, loaded.dynamic)
        probe = CapabilityProbe(name, self._forward, loaded.vocabulary, loaded.dtype, loaded.weights, limits)
        found = probe.capabilities(frozen_layers)
        if not found.keeps_layers:
            frozen_layers.switch_off()
        live = OpenModel(self._forward, PrefixCache(self._forward, self._settings.batch_tokens))
        self._paths = LogitPaths(loaded, live, self._merged_weights, catalog, self._settings.batch_tokens)
        scoring, generation = self._paths.narrowed(found.scoring, found.generation)
        self._batcher = Batcher(scoring, loaded.device, loaded.end_ids, generation)
        self._costs = self._stacking_costs(probe, catalog, found.scoring)
        return found.notes

    def _open_encoder_decoder(
        self, loaded: LoadedModel, catalog: Catalog, name: str, limits: BatchLimits
    ) -> tuple[str, ...]:
        """Prepare an encoder-decoder, whose candidates are merged one after another. Returns notes."""
        forward = EncoderDecoderForward(loaded.model, name)
        found = PairProbe(name, forward, loaded.vocabulary, loaded.dtype, loaded.weights, limits).capabilities()
        margins = not forward.rules.any  # rules change the logits that margins are made of
        self._batcher = PairBatcher(
            found.scoring, loaded.device, loaded.end_ids, found.generation, forward.tokens, margins
        )
        self._forward = forward
        return found.notes

    def joins(self, recipes: Sequence[Recipe], requests: Requests) -> bool:
        if any(recipe.logits or recipe.routing for recipe in recipes):
            return False
        if requests not in self._stacked:
            self._stacked[requests] = self._settings.stacks(self._costs, requests)
        return self._stacked[requests]

    def answer(self, recipes: Sequence[Recipe], requests: Requests) -> list[Reply]:
        try:
            if self.joins(recipes, requests):
                return self._answer_stacked(recipes, requests)
            return [self._answer_one(recipe, requests) for recipe in recipes]
        except NotFiniteError as error:
            if self._settings.dtype != "float16":
                raise
            raise NotFiniteError(f"{error}; float16 ends at 65,504: set engine.dtype to bfloat16") from error
        except torch.OutOfMemoryError as error:
            reason = str(error).splitlines()[0]
            raise DeviceError(f"out of device memory; lower engine.batch_tokens ({reason})") from error

    def _answering_of(self, loaded: LoadedModel) -> Answering:
        prefixes = PrefixCache(self._forward, self._settings.batch_tokens)
        bases = BaseDistributions(self._forward, prefixes)
        self._path_bases = BaseDistributions(self._forward, prefixes, loaded.vocabulary)
        generator = Generator(loaded.tokenizer, loaded.end_ids)
        return Answering(self._forward, prefixes, self._batcher, bases, generator, self._merged_weights.put)

    def _answer_one(self, recipe: Recipe, requests: Requests) -> Reply:
        if recipe.routing is not None:
            return self._answer_routed(recipe, requests)
        recipes = [recipe] * len(requests.items) if recipe.logits is not None else None
        return self._answer_each(replace(recipe, logits=None), recipes, requests)

    def _answer_routed(self, recipe: Recipe, requests: Requests) -> Reply:
        """Each request under the recipe that the router gives its prompt."""
        recipes = self._routing.recipes(recipe, [item.prompt for item in requests.items])
        if recipe.routing and recipe.routing.by == "logits":
            return self._answer_each(base_recipe(recipe), recipes, requests)
        return in_groups(recipes, requests, lambda alone, part: self._answer_each(alone, None, part))

    def _answer_each(self, weights: Recipe, recipes: Sequence[Recipe] | None, requests: Requests) -> Reply:
        """weights: what is put in place. recipes: one per request, whose logits are combined; None: nothing is."""
        path = self._paths.path(recipes, weights, self._answering.batcher.batches(requests)) if recipes else None
        method: Method = "logits" if path else "merged"
        bases = self._path_bases if path else None
        (reply,) = self._answering.replies(
            [weights], requests, method, lambda: self._merged_weights.put(weights), path, bases
        )
        return reply

    def _answer_stacked(self, recipes: Sequence[Recipe], requests: Requests) -> list[Reply]:
        assert self._adapters is not None, "joins() refuses what cannot be stacked"
        adapters = self._adapters

        def put() -> None:
            self._merged_weights.put(base_recipe(recipes[0]))
            adapters.put(recipes)

        try:
            return self._answering.replies(recipes, requests, "stacked", put)
        finally:
            adapters.clear()

    def _stacking_costs(self, probe: CapabilityProbe, catalog: Catalog, scoring: BatchLimits) -> CostModel | None:
        """What decides between merged and stacked; None where only merging is allowed or possible."""
        costs = self._settings.cost_model(catalog) if self._settings.method != "merged" else None
        if catalog.base.codes and catalog.experts:
            quantised = QuantisedProbe(**{each.name: getattr(probe, each.name) for each in fields(probe)})
            if not (costs and self._adapters and quantised.can_stand_beside(self._adapters, catalog, scoring)):
                raise ExpertError(
                    f"{probe.name}: adapters cannot stand beside its quantised layers; give the 16-bit checkpoint that "
                    "it was made from"
                )
            return costs
        if costs is None or self._adapters is None:
            return None
        return costs if probe.can_stack(self._merged_weights, self._adapters, catalog, scoring) else None

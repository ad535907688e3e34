"""The engine on Hugging Face transformers: one model in memory, recipes merged into it or stacked beside it."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal
from weakref import WeakKeyDictionary

import torch
from pydantic import Field
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from swarm.core.errors import ConfigError, DeviceError, EvaluationError, ExpertError
from swarm.core.recipes import Group, Recipe, WeightRecipe
from swarm.core.requests import Answer, Method, Reply
from swarm.engines.base import DtypeName, EngineSettings
from swarm.engines.encoding import Requests
from swarm.engines.transformers.batches import Batcher, Batches
from swarm.engines.transformers.capability_probe import CapabilityProbe
from swarm.engines.transformers.cost_model import CostModel
from swarm.engines.transformers.forward import Forward
from swarm.engines.transformers.frozen_layers_cache import FrozenLayersCache, untouched_layers
from swarm.engines.transformers.generation import Generator
from swarm.engines.transformers.merged_weights import MergedWeights
from swarm.engines.transformers.packing import BatchLimits
from swarm.engines.transformers.scoring import log_likelihoods
from swarm.engines.transformers.stacked import PerRowAdapters
from swarm.experts.catalog import Catalog

DTYPES: dict[DtypeName, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
LOGITS = {"cpu": 1 << 26, "cuda": 1 << 28}  # entries of a batch's logits


class TransformersSettings(EngineSettings):
    """Settings of the transformers engine."""

    type: Literal["transformers"] = "transformers"
    device: str = Field("auto", description="auto: cuda where there is one, else cpu")
    batch_tokens: int = Field(8192, ge=1, description="tokens a batch, padding included")
    method: Literal["auto", "merged", "stacked"] = Field(
        "auto", description="merged into the weights, stacked by rows of one batch (adapters only), or what is faster"
    )
    particles: int = Field(8, ge=1, description="candidates in one batch at most, where they are stacked")

    def together(self, catalog: Catalog, requests: Requests) -> int:
        return self.particles if self.joins(self.costs(catalog), requests) else 1

    def open(self, catalog: Catalog) -> "TransformersEngine":
        return TransformersEngine(self, catalog)

    def costs(self, catalog: Catalog) -> CostModel | None:
        """What scoring costs; None where nothing can be stacked. Raises ConfigError where the user wants it stacked."""
        # By the device's name: the driver may have none.
        cuda = self.device.startswith("cuda") or (self.device == "auto" and torch.cuda.is_available())
        costs = CostModel.of(catalog, "cuda" if cuda else "cpu", DTYPES[self.dtype], self.batch_tokens)
        if costs is None and self.method == "stacked" and catalog.experts:
            raise ConfigError(
                "engine.method: stacked, but an expert changes a matrix as a whole; cut it to a rank with svd:, or use "
                "method: auto"
            )
        return costs

    def joins(self, costs: CostModel | None, requests: Requests) -> bool:
        """Whether candidates are stacked where they are asked this: also one alone, so that its score is the same."""
        if costs is None or self.method == "merged" or self.particles < 2:
            return False
        return self.method == "stacked" or costs.stacked_pays(self.particles, requests)


class TransformersEngine:
    """A live model and what composing it needs."""

    def __init__(self, settings: TransformersSettings, catalog: Catalog) -> None:
        self._settings = settings
        device = _device(settings.device)
        path = str(catalog.base.path)
        disable_progress_bar()
        try:
            model = AutoModelForCausalLM.from_pretrained(
                path, dtype=DTYPES[settings.dtype], local_files_only=True, use_safetensors=True, trust_remote_code=False
            )
            tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).splitlines()[0]
            raise ExpertError(f"base {path}: transformers cannot load it ({reason}); check the folder") from error
        self._model = model.to(device).eval()
        self._composer = MergedWeights(self._model, catalog)
        updates = {each.name: each.updates for each in self._composer.parameters}
        self._stack = PerRowAdapters.of(self._model, updates)
        trunk = FrozenLayersCache(untouched_layers(self._model, updates))
        self._forward = Forward(self._model, self._stack, trunk, settings.batch_tokens)
        end_ids = _end_ids(model, tokenizer)
        self._generator = Generator(self._forward, tokenizer, end_ids)
        probe = CapabilityProbe(self._forward, len(tokenizer), self._model.dtype)
        limits = BatchLimits(
            settings.batch_tokens, _most_logits(model, device), share=probe.takes_sharing(), window=_window(model)
        )
        self._batcher = Batcher(limits, device, end_ids)
        costs = settings.costs(catalog) if settings.method != "merged" else None
        self._costs = costs if costs is not None and self._stacks(probe, catalog) else None
        self._joined: WeakKeyDictionary[Requests, bool] = WeakKeyDictionary()

    def joins(self, recipes: Sequence[Recipe], requests: Requests) -> bool:
        if requests not in self._joined:
            self._joined[requests] = self._settings.joins(self._costs, requests)
        return self._joined[requests]

    def _stacks(self, probe: CapabilityProbe, catalog: Catalog) -> bool:
        """Whether the stacked form gives what merging gives: not every layer is called as a stack needs it."""
        if self._stack is None:
            return False
        recipes, merged = [_sample(catalog, turn) for turn in (1.0, -1.0)], []
        for recipe in recipes:
            self._composer.put(recipe)
            merged.append(probe.logits())
        self._composer.put(_neutral(recipes[0]))
        self._stack.put(recipes)
        try:
            return probe.agree(torch.cat(merged), lambda: probe.logits(particles=2))
        finally:
            self._stack.clear()

    def answer(self, recipes: Sequence[Recipe], requests: Requests) -> list[Reply]:
        try:
            if self.joins(recipes, requests):
                return self._stacked(recipes, requests)
            return [self._merged(recipe, requests) for recipe in recipes]
        except torch.OutOfMemoryError as error:
            reason = str(error).splitlines()[0]
            raise DeviceError(f"out of device memory; lower engine.batch_tokens ({reason})") from error

    def _merged(self, recipe: Recipe, requests: Requests) -> Reply:
        (reply,) = self._timed([recipe], requests, lambda: self._composer.put(recipe), "merged")
        return reply

    def _stacked(self, recipes: Sequence[Recipe], requests: Requests) -> list[Reply]:
        assert self._stack is not None, "joins() refuses what cannot be stacked"
        stack = self._stack

        def put() -> None:
            self._composer.put(_neutral(recipes[0]))
            stack.put(recipes)

        try:
            return self._timed(recipes, requests, put, "stacked")
        finally:
            stack.clear()

    def _timed(
        self, recipes: Sequence[Recipe], requests: Requests, put: Callable[[], None], method: Method
    ) -> list[Reply]:
        """Put in place, then answer; the costs are shared out evenly."""
        particles, prefix_tokens = len(recipes), self._forward.prefix_tokens
        start = time.perf_counter()
        self._forward.under((method, *recipes))
        put()
        _synchronize()
        composed = time.perf_counter()
        batches = self._batcher.batches(requests, particles)
        answers = self._answers(batches, particles)
        _synchronize()
        done = time.perf_counter()
        prefix_tokens = self._forward.prefix_tokens - prefix_tokens
        return [
            Reply(
                answers=tuple(each),
                tokens=batches.tokens + prefix_tokens + sum(each[i].n_tokens for i in batches.written),
                compose_seconds=(composed - start) / particles,
                forward_seconds=(done - composed) / particles,
                method=method,
            )
            for each in answers
        ]

    def _answers(self, batches: Batches, particles: int) -> list[list[Answer]]:
        """For each particle the answers in the order of the requests."""
        scored = log_likelihoods(self._forward, batches.asked, batches.packings, particles)
        if not all(math.isfinite(each.log_likelihood) for of in scored for each in of):
            raise EvaluationError("the log-likelihood is not finite: the composed weights are out of range")
        texts = self._generator.generate(batches.writing, batches.prompts, particles)
        places = (*batches.scored, *batches.written)
        answers: list[list[Answer]] = []
        for each in zip(scored, texts, strict=True):
            by_place: dict[int, Answer] = dict(zip(places, (*each[0], *each[1]), strict=True))
            answers.append([by_place[i] for i in range(len(places))])
        return answers


def _sample(catalog: Catalog, turn: float) -> Recipe:
    """Some of every expert: what a probe asks with."""
    n = len(catalog.names)
    coefficients = {name: (turn * (1.0 if i % 2 else -0.5) / n,) for i, name in enumerate(catalog.names)}
    return Recipe(WeightRecipe("delta", (Group("all", ("*",)),), coefficients))


def _window(model: torch.nn.Module) -> int:
    """Columns up to which every layer sees all before it."""
    config = model.config.get_text_config()  # type: ignore[operator, union-attr]
    sizes = [getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size")]
    return min((size for size in sizes if isinstance(size, int) and size > 0), default=1 << 30)


def _neutral(recipe: Recipe) -> Recipe:
    """The base itself."""
    weights = recipe.weights
    nothing = {name: tuple(0.0 for _ in values) for name, values in weights.coefficients.items()}
    return replace(recipe, weights=WeightRecipe(weights.algebra, weights.groups, nothing))


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"engine.device: {name!r} cannot be used ({reason}); use auto or cpu") from None
    return device


def _synchronize() -> None:
    """Device work is asynchronous; a clock read must wait for it."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _most_logits(model: torch.nn.Module, device: torch.device) -> int:
    """Picked positions a batch, so that their logits stay within bounds."""
    head = model.get_output_embeddings()  # type: ignore[operator]
    entries = LOGITS["cuda" if device.type == "cuda" else "cpu"]
    return max(1, entries // int(head.weight.shape[0]))


def _end_ids(model: object, tokenizer: object) -> frozenset[int]:
    """Tokens that end a generation: the tokenizer's and those of the generation config."""
    found: set[int] = set()
    for owner in (tokenizer, getattr(model, "generation_config", None), getattr(model, "config", None)):
        value = getattr(owner, "eos_token_id", None)
        found |= {value} if isinstance(value, int) else set(value or ())
    width = model.get_output_embeddings().weight.shape[0]  # type: ignore[attr-defined]
    return frozenset(token for token in found if 0 <= token < width)

"""The engine on vLLM: recipes loaded into its weights in place, or served side by side as LoRA adapters.

vLLM fuses, shards and packs weights, and caches what it computed from them. So a recipe goes through vLLM's own reload
(worker_extension.py), and the prefix cache is reset whenever the weights change.
"""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from pydantic import Field

from swarm.core.errors import ConfigError, DataError, EvaluationError, ExpertError
from swarm.core.recipes import Group, Recipe, WeightRecipe
from swarm.core.requests import Answer, Continuation, Generation, Likelihood, Reply, Request, Text
from swarm.engines.base import EngineSettings, Memory
from swarm.engines.encoding import Encoded, Encoder, Requests
from swarm.engines.transformers.memory import LargestBatch, memory
from swarm.engines.vllm.lora_files import Ranks, write_composed
from swarm.engines.vllm.requests import AssignedRequest, answers_to, end_ids_of
from swarm.engines.vllm.server import (
    AdapterSlots,
    CatalogSpec,
    Server,
    ServerOptions,
    check_installed,
    lora_request,
    start_server,
)
from swarm.experts.catalog import Catalog
from swarm.experts.expert import Base

PROBE, PROBE_TOKENS, PROBE_TOLERANCE = "a b c", 4, 1e-3  # asked before and after the first exchange of weights
SHARED_MEMORY = Path("/dev/shm")  # where it exists, adapters are written here, not to a disk: each is served once


class VllmSettings(EngineSettings):
    """Settings of the vLLM engine."""

    type: Literal["vllm"] = "vllm"
    max_model_len: int | None = Field(
        None, ge=1, description="longest request, in tokens; null: what the base takes, or less where memory is short"
    )
    memory: float = Field(
        0.9, gt=0, le=1, description="share of an accelerator's memory for weights and key-value cache"
    )
    kv_cache_gb: float | None = Field(
        None, gt=0, description="key-value cache, in GiB, instead of what `memory` leaves for it; null: 2 on a CPU"
    )
    tensor_parallel_size: int = Field(1, ge=1, description="accelerators that hold one model together")
    enforce_eager: bool = Field(
        False,
        description="no compilation and no CUDA graphs: starts faster, runs slower; always true on a CPU",
    )
    adapters: int = Field(
        0,
        ge=0,
        description="most candidates served at once, each as a LoRA adapter, where all experts are plain adapters; "
        "0: candidates are merged into the weights, one after another",
    )

    @property
    def accelerators(self) -> int:
        return self.tensor_parallel_size

    def together(self, catalog: Catalog, requests: Requests) -> int:
        return max(1, self.adapters) if Ranks.of(catalog) else 1

    def decides_scores(self) -> dict[str, object]:
        return {**super().decides_scores(), "adapters": self.adapters}

    def needed_memory(
        self, catalog: Catalog, requests: Requests, paths: Sequence[str] = (), merged: bool = False
    ) -> Memory:
        """The weights alone: vLLM's own memory is not predicted."""
        return memory(catalog, self.dtype, LargestBatch())

    def check_here(self) -> None:
        check_installed()

    def check_base(self, base: Base) -> None:
        if base.codes:
            raise ConfigError(
                f"engine.type: vllm, but base {base.path} is quantised, which this engine does not compose with; "
                "set engine.type to transformers"
            )
        if base.architecture.encoder_decoder:
            raise ConfigError(
                f"engine.type: vllm, but base {base.path} is an encoder-decoder, which vLLM does not run; "
                "set engine.type to transformers"
            )

    def open(self, catalog: Catalog) -> "VllmEngine":
        self.check_base(catalog.base)
        return VllmEngine(self, catalog)

    def server_options(self, base: Path, ranks: Ranks | None) -> ServerOptions:
        """How to start vLLM. ranks: of the experts, where adapters are to be served."""
        return ServerOptions(
            base=base,
            dtype=self.dtype,
            max_model_len=self.max_model_len,
            memory=self.memory,
            kv_cache_gb=self.kv_cache_gb,
            tensor_parallel_size=self.tensor_parallel_size,
            enforce_eager=self.enforce_eager,
            slots=AdapterSlots(self.adapters, ranks.allowed, ranks.modules) if ranks else None,
        )


class VllmEngine:
    """A vLLM in this process, and which recipe its weights hold."""

    notes: tuple[str, ...] = ()

    def __init__(self, settings: VllmSettings, catalog: Catalog) -> None:
        self._catalog = catalog
        self._encoder = Encoder.of(catalog.base.path)
        self._end_ids = end_ids_of(catalog.base, self._encoder.tokenizer)
        self._ranks = Ranks.of(catalog) if settings.adapters > 1 else None
        self._server: Server = start_server(settings.server_options(catalog.base.path, self._ranks))
        lengths = self._server.collective_rpc("swarm_open", args=(CatalogSpec.of(catalog),))
        self._max_model_len = min(int(str(length)) for length in lengths)
        self._base_recipe = base_recipe(catalog)
        self._in_place: Recipe | None = self._base_recipe
        self._served = 0  # adapters so far: each gets a new number
        self._check_reload()

    def _check_reload(self) -> None:
        """Raise ExpertError where the base, put in place as candidates are, answers otherwise than vLLM loaded it.

        Reloading is known to damage some architectures: weights that are fused, tied or transformed at loading.
        """
        asked: list[Request] = [Generation(PROBE, PROBE_TOKENS), Continuation(PROBE, PROBE)]
        items = self._encoder.encode(asked).items
        if max(map(len, items)) + PROBE_TOKENS > self._max_model_len:
            return
        requests = [AssignedRequest(item) for item in items]
        before = self._ask(requests)
        self._in_place = None
        self._put(self._base_recipe)
        if not _same(before, self._ask(requests)):
            raise ExpertError(
                f"base {self._catalog.base.path}: vLLM answers otherwise once its weights were exchanged for the same "
                "ones, so it would score other models than are exported; set engine.type to transformers"
            )

    def joins(self, recipes: Sequence[Recipe], requests: Requests) -> bool:
        """True where every recipe is an adapter.

        vLLM's CPU kernels answer wrongly for a prompt without an adapter that is asked beside prompts with one.
        """
        ranks = self._ranks
        return len(recipes) > 1 and ranks is not None and all(ranks.admit(recipe) for recipe in recipes)

    def answer(self, recipes: Sequence[Recipe], requests: Requests) -> list[Reply]:
        for item in requests.items:
            self._check_length(item)
        if self.joins(recipes, requests):
            return self._answer_as_adapters(recipes, requests.items)
        return [self._answer_merged(recipe, requests.items) for recipe in recipes]

    def _answer_merged(self, recipe: Recipe, items: Sequence[Encoded]) -> Reply:
        start = time.perf_counter()
        self._put(recipe)
        composed = time.perf_counter()
        answers = self._ask([AssignedRequest(item) for item in items])
        return Reply(
            answers=tuple(answers),
            tokens=_tokens(items, answers),
            compose_seconds=composed - start,
            forward_seconds=time.perf_counter() - composed,
        )

    def _answer_as_adapters(self, recipes: Sequence[Recipe], items: Sequence[Encoded]) -> list[Reply]:
        start = time.perf_counter()
        self._put(self._base_recipe)
        with TemporaryDirectory(prefix="swarm-", dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None) as folder:
            adapters = [self._adapter(recipe, Path(folder)) for recipe in recipes]
            composed = time.perf_counter()
            found = self._ask([AssignedRequest(item, adapter) for adapter in adapters for item in items])
        done = time.perf_counter()
        each = [found[i * len(items) : (i + 1) * len(items)] for i in range(len(recipes))]
        return [
            Reply(
                answers=tuple(answers),
                tokens=_tokens(items, answers),
                compose_seconds=(composed - start) / len(recipes),
                forward_seconds=(done - composed) / len(recipes),
                method="adapters",
            )
            for answers in each
        ]

    def _put(self, recipe: Recipe) -> None:
        """Make the weights what the recipe means, and drop what was computed with others."""
        if recipe == self._in_place:
            return
        self._in_place = None
        self._server.collective_rpc("swarm_put", args=(recipe,))
        self._reset_prefix_cache()
        self._in_place = recipe

    def _reset_prefix_cache(self) -> None:
        if not self._server.reset_prefix_cache():
            raise EvaluationError("vLLM could not reset its prefix cache, which holds results of other weights")

    def _adapter(self, recipe: Recipe, folder: Path) -> object:
        """The recipe as an adapter with a new number."""
        self._served += 1
        path = folder / str(self._served)
        write_composed(self._catalog, recipe, path)
        return lora_request(self._served, path)

    def _ask(self, requests: Sequence[AssignedRequest]) -> list[Answer]:
        return answers_to(self._server, self._encoder.tokenizer, self._end_ids, requests)

    def _check_length(self, item: Encoded) -> None:
        """Raise DataError where a request is too long.

        vLLM generates at least one token after a prompt, and a continuation is scored as part of the prompt.
        """
        new = item.request.max_new_tokens if isinstance(item.request, Generation) else 1
        if len(item) + new > self._max_model_len:
            raise DataError(
                f"the prompt {str(item.request.prompt)[:60]!r}... needs {len(item) + new} tokens, but this vLLM takes "
                f"{self._max_model_len}; raise engine.max_model_len or the memory, or shorten the example"
            )


def base_recipe(catalog: Catalog) -> Recipe:
    """The recipe that is the base itself."""
    return Recipe(WeightRecipe("delta", (Group("all", ("*",)),), dict.fromkeys(catalog.names, (0.0,))))


def _same(before: Sequence[Answer], after: Sequence[Answer]) -> bool:
    """Whether two answers to the probe say the same model; the kernels may round otherwise."""
    (text, likelihood), (text_then, likelihood_then) = before, after
    assert isinstance(text, Text)
    assert isinstance(text_then, Text)
    assert isinstance(likelihood, Likelihood)
    assert isinstance(likelihood_then, Likelihood)
    close = math.isclose(likelihood.log_likelihood, likelihood_then.log_likelihood, rel_tol=PROBE_TOLERANCE)
    return text.text == text_then.text and close


def _tokens(items: Sequence[Encoded], answers: Sequence[Answer]) -> int:
    """Tokens read and generated. What the prefix cache saves is not deducted: it depends on earlier requests."""
    return sum(len(item) for item in items) + sum(a.n_tokens for a in answers if isinstance(a, Text))

"""The engine on Hugging Face transformers: one model in memory, recipes merged into it in place."""

import time
from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from swarm.engines.base import DtypeName, EngineSettings
from swarm.engines.composer import Composer
from swarm.engines.encoding import Encoded, Encoder
from swarm.engines.generation import generate
from swarm.engines.scoring import log_likelihoods
from swarm.errors import ConfigError, EvaluationError, ExpertError
from swarm.experts import Catalog
from swarm.types import Answer, Continuation, Generation, Recipe, Reply, Request

DTYPES: dict[DtypeName, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


class TransformersSettings(EngineSettings):
    """Settings of the transformers engine."""

    type: Literal["transformers"] = "transformers"
    device: str = Field("auto", description="auto: cuda where there is one, else cpu")
    batch_tokens: int = Field(8192, ge=1, description="tokens a batch, padding included")

    def open(self, catalog: Catalog) -> "TransformersEngine":
        return TransformersEngine(self, catalog)


class TransformersEngine:
    """A live model and what composing it needs."""

    def __init__(self, settings: TransformersSettings, catalog: Catalog) -> None:
        self._budget = settings.batch_tokens
        device = _device(settings.device)
        path = str(catalog.base.path)
        disable_progress_bar()
        try:
            model = AutoModelForCausalLM.from_pretrained(
                path, dtype=DTYPES[settings.dtype], local_files_only=True, use_safetensors=True, trust_remote_code=False
            )
            self._tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).splitlines()[0]
            raise ExpertError(f"base {path}: transformers cannot load it ({reason}); check the folder") from error
        self._model = model.to(device).eval()
        self._encoder = Encoder(self._tokenizer, _max_positions(model.config))
        self._end_ids = _end_ids(model, self._tokenizer)
        self._composer = Composer(self._model, catalog)

    def answer(self, recipes: Sequence[Recipe], requests: Sequence[Request]) -> list[Reply]:
        encoded = [self._encoder.encode(request) for request in requests]
        try:
            return [self._answer_one(recipe, requests, encoded) for recipe in recipes]
        except torch.OutOfMemoryError as error:
            reason = str(error).splitlines()[0]
            raise EvaluationError(f"out of device memory; lower engine.batch_tokens ({reason})") from error

    def _answer_one(self, recipe: Recipe, requests: Sequence[Request], encoded: Sequence[Encoded]) -> Reply:
        start = time.perf_counter()
        self._composer.put(recipe)
        _synchronize()
        composed = time.perf_counter()
        answers = self._answers(requests, encoded)
        _synchronize()
        generated = sum(
            answer.n_tokens
            for answer, request in zip(answers, requests, strict=True)
            if isinstance(request, Generation)
        )
        return Reply(
            answers=tuple(answers),
            tokens=sum(len(item) for item in encoded) + generated,
            compose_seconds=composed - start,
            forward_seconds=time.perf_counter() - composed,
        )

    def _answers(self, requests: Sequence[Request], encoded: Sequence[Encoded]) -> list[Answer]:
        scored = [i for i, request in enumerate(requests) if isinstance(request, Continuation)]
        written = [(i, request) for i, request in enumerate(requests) if isinstance(request, Generation)]
        answers: dict[int, Answer] = {}
        if scored:
            totals = log_likelihoods(self._model, [encoded[i] for i in scored], self._budget)
            answers |= dict(zip(scored, totals, strict=True))
        if written:
            work = [(request, encoded[i]) for i, request in written]
            texts = generate(self._model, self._tokenizer, self._end_ids, work, self._budget)
            answers |= {i: text for (i, _), text in zip(written, texts, strict=True)}
        return [answers[i] for i in range(len(requests))]


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


def _max_positions(config: object) -> int:
    return int(getattr(config, "max_position_embeddings", 0) or getattr(config, "n_positions", 0) or 1 << 30)


def _end_ids(model: object, tokenizer: object) -> frozenset[int]:
    """Tokens that end a generation: the tokenizer's and those of the generation config."""
    found: set[int] = set()
    for owner in (tokenizer, getattr(model, "generation_config", None), getattr(model, "config", None)):
        value = getattr(owner, "eos_token_id", None)
        found |= {value} if isinstance(value, int) else set(value or ())
    return frozenset(found)

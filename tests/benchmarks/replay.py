"""Records the model calls of a program and repeats them on a plain model: the bare time of the forward passes.

A recorded call holds its inputs, the shapes of key-value caches, and the number of positions at which it made logits.
It is replayed on the base as transformers loads it, without any hook but one that makes as many logits, on a cache of
noise that is made before the clock starts. For CPU, where calls are synchronous.
"""

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, Cache, PreTrainedModel


@dataclass(frozen=True)
class ModelCall:
    """One call of the model.

    keywords: its arguments.
    logits: the number of positions of the batch at which it made logits.
    """

    keywords: Mapping[str, object]
    logits: int


@contextmanager
def recorded() -> Iterator[list[ModelCall]]:
    """The model calls made within the context, in order."""
    calls: list[ModelCall] = []
    original: Callable[..., Any] = nn.Module.__call__
    depth = 0

    def call(module: nn.Module, *arguments: object, **keywords: object) -> object:
        nonlocal depth
        kept = {name: _kept(value) for name, value in keywords.items()} if depth == 0 else {}
        depth += 1
        try:
            result = original(module, *arguments, **keywords)
        finally:
            depth -= 1
        if depth == 0:
            assert isinstance(module, PreTrainedModel), "only whole models are called"
            assert not arguments, "models are called by keywords"
            calls.append(ModelCall(kept, result.logits.shape[:2].numel()))
        return result

    with patch.object(nn.Module, "__call__", call):
        yield calls


class PlainModel:
    """The base as transformers loads it."""

    def __init__(self, base: Path, dtype: torch.dtype) -> None:
        self._model = AutoModelForCausalLM.from_pretrained(base, dtype=dtype).eval()
        self._logits = 0
        self._model.get_output_embeddings().register_forward_pre_hook(self._pick)

    @torch.inference_mode()
    def seconds(self, calls: Sequence[ModelCall]) -> float:
        """Seconds of all calls, without the time between them."""
        return sum(self._seconds(call) for call in calls)

    def _seconds(self, call: ModelCall) -> float:
        keywords = {name: _live(value) for name, value in call.keywords.items()}
        self._logits = call.logits
        start = time.perf_counter()
        self._model(**keywords)
        return time.perf_counter() - start

    def _pick(self, head: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor] | None:
        hidden_NTH = inputs[0]
        if hidden_NTH.shape[:2].numel() == self._logits:
            return None
        return (hidden_NTH.flatten(0, 1)[: self._logits][None],)


def _kept(value: object) -> object:
    """What a recorded call keeps of an argument: a copy of a tensor, the shapes of a cache."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    return _with_tensors(value, lambda tensor: tensor.to("meta")) if isinstance(value, Cache) else value


def _live(value: object) -> object:
    """The argument as the model takes it; a cache is filled with noise."""
    if not isinstance(value, Cache):
        return value
    return _with_tensors(value, lambda tensor: torch.randn(tensor.shape, dtype=tensor.dtype))


def _with_tensors(cache: Cache, change: Callable[[Tensor], Tensor]) -> Cache:
    """A copy of the cache with the keys and values of every layer changed."""
    copied = copy.copy(cache)
    copied.layers = [copy.copy(layer) for layer in cache.layers]
    for layer in copied.layers:
        if layer.keys is not None and layer.keys.numel():
            layer.keys, layer.values = change(layer.keys), change(layer.values)
    return copied

"""Starts vLLM in this process, offline and quiet, and says what is used of it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from swarm.core.errors import ConfigError
from swarm.experts.catalog import Catalog, ExpertSpec

WORKER = "swarm.engines.vllm.worker_extension.SwarmWorker"
GIB = 1 << 30
CPU_CACHE_GB = 2.0
CPU_BLOCK = 32  # tokens a block of the key-value cache: prompts share a prefix in whole blocks; vLLM's default is 128
# In this process, so that errors arrive as they are and weights need no copy. Threads are left as OMP_NUM_THREADS has
# them: vLLM's own binding would put all workers of a machine on the same cores.
ALWAYS = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
UNLESS_SET = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_LOGGING_LEVEL": "ERROR"}
INSTALL = (
    'install it: pip install "swarm-experts[vllm]" with an accelerator, `make .venv-vllm/.installed` without '
    "(docs/vllm.md); or set engine.type: transformers"
)


class Completion(Protocol):
    """What is used of one text of vLLM's."""

    token_ids: Sequence[int]
    logprobs: "Sequence[LogProbabilities] | None"


class LogProbability(Protocol):
    logprob: float


LogProbabilities = dict[int, LogProbability]


class Output(Protocol):
    """What is used of vLLM's output for one prompt."""

    outputs: Sequence[Completion]
    prompt_logprobs: Sequence[LogProbabilities | None] | None
    num_cached_tokens: int | None


class Server(Protocol):
    """What is used of vllm.LLM."""

    def generate(
        self,
        prompts: Sequence[dict[str, list[int]]],
        sampling_params: Sequence[object],
        *,
        use_tqdm: bool,
        lora_request: Sequence[object | None] | None,
    ) -> Sequence[Output]: ...

    def collective_rpc(self, method: str, *, args: tuple[object, ...]) -> Sequence[object]: ...

    def reset_prefix_cache(self) -> bool: ...


@dataclass(frozen=True)
class Room:
    """Room for adapters: how many at a time, of what rank, on which modules (the last part of their names)."""

    adapters: int
    rank: int
    modules: tuple[str, ...]


@dataclass(frozen=True)
class CatalogSpec:
    """What a worker opens base and experts from."""

    base: Path
    experts: tuple[ExpertSpec, ...]

    @classmethod
    def of(cls, catalog: Catalog) -> "CatalogSpec":
        experts = tuple(ExpertSpec(expert.name, expert.path, expert.sparsification) for expert in catalog.experts)
        return cls(catalog.base.path, experts)


@dataclass(frozen=True)
class Start:
    """How a vLLM is started; see VllmSettings."""

    base: Path
    dtype: str
    max_model_len: int | None
    memory: float
    kv_cache_gb: float | None
    tensor_parallel_size: int
    enforce_eager: bool
    room: Room | None

    def options(self, cpu: bool) -> dict[str, object]:
        """Arguments of vllm.LLM."""
        cache_gb = self.kv_cache_gb or (CPU_CACHE_GB if cpu else None)
        options: dict[str, object] = {
            "model": str(self.base),
            "dtype": self.dtype,
            "max_model_len": self.max_model_len or -1,
            "gpu_memory_utilization": self.memory,
            "kv_cache_memory_bytes": int(cache_gb * GIB) if cache_gb else None,
            "tensor_parallel_size": self.tensor_parallel_size,
            "distributed_executor_backend": "uni" if self.tensor_parallel_size == 1 else "mp",
            # A compiled graph on a CPU keeps the packed weights it was made with: a swap would go unseen.
            "enforce_eager": self.enforce_eager or cpu,
            "load_format": "safetensors",
            "use_tqdm_on_load": False,
            "worker_extension_cls": WORKER,
        }
        if cpu:
            options["block_size"] = CPU_BLOCK
        if self.room:
            options |= {"enable_lora": True, "max_loras": self.room.adapters, "max_lora_rank": self.room.rank}
            # A head that could be adapted fails in vLLM's scoring of prompts on a CPU.
            options["lora_target_modules"] = list(self.room.modules)
        return options


def start(how: Start) -> Server:
    """A vLLM that holds the base. Raises ConfigError where it cannot be imported or does not start."""
    os.environ.update(ALWAYS)
    for name, value in UNLESS_SET.items():
        os.environ.setdefault(name, value)
    try:
        from vllm import LLM
        from vllm.platforms import current_platform
    except ImportError as error:
        raise ConfigError(f"engine.type: vllm cannot be used ({_line(error)}); {INSTALL}") from error
    try:
        server: Server = LLM(**how.options(current_platform.is_cpu()))
    except (ValueError, RuntimeError, OSError, KeyError) as error:
        raise ConfigError(
            f"engine: vLLM does not start with {how.base} ({_line(error)}); change the engine's settings, "
            "or set engine.type: transformers"
        ) from error
    return server


def lora_request(number: int, path: Path) -> object:
    """An adapter for requests; a number that was never used before, so nothing cached for another is taken for it."""
    from vllm.lora.request import LoRARequest

    request: object = LoRARequest(f"swarm-{number}", number, str(path))
    return request


def _line(error: Exception) -> str:
    """The error in one line: vLLM's own are often several."""
    return " ".join(str(error).split())[:300] or type(error).__name__

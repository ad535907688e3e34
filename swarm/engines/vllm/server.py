"""Starts vLLM in this process, offline and quiet, and declares which parts of its interface are used."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from swarm.core.errors import ConfigError
from swarm.experts.catalog import Catalog, ExpertSpec

WORKER = "swarm.engines.vllm.worker_extension.SwarmWorker"
GIB = 1 << 30
CPU_CACHE_GB = 2.0  # GiB of key-value cache on a CPU where kv_cache_gb is not set; a modest default, not a measurement
CPU_BLOCK = 32  # tokens per block of the key-value cache: prompts share whole blocks only, and vLLM's default is 128
# vLLM runs in this process, so that errors arrive unchanged and weights need no copy. The number of threads is that of
# OMP_NUM_THREADS: vLLM's own binding would put all workers of a machine on the same cores.
ALWAYS = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
UNLESS_SET = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_LOGGING_LEVEL": "ERROR"}
INSTALL = (
    'install it: pip install "swarm-experts[vllm]" with an accelerator, `make .venv-vllm/.installed` without '
    "(docs/vllm.md); or set engine.type: transformers"
)


class Completion(Protocol):
    """What is used of one text that vLLM generated."""

    token_ids: Sequence[int]
    logprobs: "Sequence[LogProbabilities] | None"


class LogProbability(Protocol):
    """What is used of vLLM's log-probability of a token."""

    logprob: float
    rank: int | None


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
class AdapterSlots:
    """What vLLM reserves for LoRA adapters.

    adapters: how many are served at a time.
    rank: the largest rank of one.
    modules: which modules they change, by the last part of their names.
    """

    adapters: int
    rank: int
    modules: tuple[str, ...]


@dataclass(frozen=True)
class CatalogSpec:
    """What vLLM's workers open base and experts from."""

    base: Path
    experts: tuple[ExpertSpec, ...]

    @classmethod
    def of(cls, catalog: Catalog) -> "CatalogSpec":
        experts = tuple(ExpertSpec(expert.name, expert.path, expert.sparsification) for expert in catalog.experts)
        return cls(catalog.base.path, experts)


@dataclass(frozen=True)
class ServerOptions:
    """How vLLM is started.

    base: the folder of the base checkpoint.
    slots: room for adapters; None where none are served.
    The other fields are those of VllmSettings.
    """

    base: Path
    dtype: str
    max_model_len: int | None
    memory: float
    kv_cache_gb: float | None
    tensor_parallel_size: int
    enforce_eager: bool
    slots: AdapterSlots | None

    def arguments(self, cpu: bool) -> dict[str, object]:
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
            # On a CPU a compiled graph keeps the packed weights it was made with: new weights would have no effect.
            "enforce_eager": self.enforce_eager or cpu,
            "load_format": "safetensors",
            "use_tqdm_on_load": False,
            "worker_extension_cls": WORKER,
        }
        if cpu:
            options["block_size"] = CPU_BLOCK
        if self.slots:
            options |= {"enable_lora": True, "max_loras": self.slots.adapters, "max_lora_rank": self.slots.rank}
            # Without this list vLLM wraps the head, too, and then fails to score prompts on a CPU.
            options["lora_target_modules"] = list(self.slots.modules)
        return options


def check_installed() -> None:
    """Raise ConfigError where vLLM is not installed. It is not imported."""
    if find_spec("vllm") is None:
        raise ConfigError(f"engine.type: vllm cannot be used (No module named 'vllm'); {INSTALL}")


def start_server(options: ServerOptions) -> Server:
    """Start a vLLM with the base in its weights. Raises ConfigError where it cannot be imported or does not start."""
    os.environ.update(ALWAYS)
    for name, value in UNLESS_SET.items():
        os.environ.setdefault(name, value)
    try:
        from vllm import LLM
        from vllm.platforms import current_platform
    except ImportError as error:
        raise ConfigError(f"engine.type: vllm cannot be used ({_line(error)}); {INSTALL}") from error
    try:
        server: Server = LLM(**options.arguments(current_platform.is_cpu()))
    except (ValueError, RuntimeError, OSError, KeyError) as error:
        raise ConfigError(
            f"engine: vLLM does not start with {options.base} ({_line(error)}); change the engine's settings, "
            "or set engine.type: transformers"
        ) from error
    return server


def lora_request(number: int, path: Path) -> object:
    """An adapter for requests. Its number must never have been used before: vLLM caches results under it."""
    from vllm.lora.request import LoRARequest

    request: object = LoRARequest(f"swarm-{number}", number, str(path))
    return request


def _line(error: Exception) -> str:
    """The error in one line: vLLM's own are often several."""
    return " ".join(str(error).split())[:300] or type(error).__name__

"""Loads the base's model and tokenizer, and reads from them what batches and texts depend on."""

import gc
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PretrainedConfig
from transformers.utils.logging import disable_progress_bar

from swarm.core.errors import ConfigError, ExpertError
from swarm.engines.encoding import Tokenizer
from swarm.engines.transformers.packing import MOST_LOGITS, UNLIMITED
from swarm.experts.architecture import auto_class
from swarm.experts.base_tokenizer import load_config, load_tokenizer
from swarm.experts.quantisation import quantisation

# Config keys of the sizes of sliding windows and attention chunks.
WINDOWS = ("sliding_window", "attention_chunk_size", "attention_window_size", "local_attention", "sliding_window_size")


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model on its device and its tokenizer.

    model: in evaluation mode.
    tokenizer: the checkpoint's own.
    device: where the model is.
    vocabulary: how many tokens the tokenizer knows.
    end_ids: the tokens that end a generation.
    """

    model: nn.Module
    tokenizer: Tokenizer
    device: torch.device
    vocabulary: int
    end_ids: frozenset[int]

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        dtype: torch.dtype = self.model.dtype  # type: ignore[assignment]
        return dtype

    @property
    def weights(self) -> int:
        return sum(parameter.numel() for parameter in self.model.parameters())

    @property
    def window(self) -> int:
        """The longest row, in columns, in which every layer attends to all columns before."""
        config = self._config
        sizes = [getattr(config, name, None) for name in WINDOWS]
        if "local" in (getattr(config, "attention_layers", None) or ()):
            sizes.append(getattr(config, "window_size", None))
        return min((size for size in sizes if isinstance(size, int) and size > 0), default=UNLIMITED)

    @property
    def turn(self) -> int:
        """The longest sequence, in tokens, that is read under the rotary frequencies of short ones."""
        kinds = self._changing_frequencies
        most = getattr(self._config, "max_position_embeddings", UNLIMITED)
        longest = [int(kind.get("original_max_position_embeddings") or most) for kind in kinds]
        return min(longest, default=UNLIMITED)

    @property
    def dynamic(self) -> bool:
        """Whether the rotary frequencies depend on the longest sequence that the model has read."""
        return any("dynamic" in kind["rope_type"] for kind in self._changing_frequencies)

    @property
    def _config(self) -> PretrainedConfig:
        config: PretrainedConfig = self.model.config.get_text_config()  # type: ignore[operator, union-attr]
        return config

    @property
    def _changing_frequencies(self) -> list[dict[str, Any]]:
        """The parameters of rotary embeddings whose frequencies depend on the length; they may differ by layer type."""
        parameters = getattr(self._config, "rope_parameters", None) or {}
        kinds = [parameters, *(each for each in parameters.values() if isinstance(each, dict))]
        return [kind for kind in kinds if any(name in str(kind.get("rope_type")) for name in ("longrope", "dynamic"))]

    @property
    def most_logits(self) -> int:
        """Positions per batch whose logits stay within MOST_LOGITS."""
        head = self.model.get_output_embeddings()  # type: ignore[operator]
        entries = MOST_LOGITS["cuda" if self.device.type == "cuda" else "cpu"]
        return max(1, entries // int(head.weight.shape[0]))


def load_model(base: Path, dtype: torch.dtype, device: str) -> LoadedModel:
    """Load a checkpoint onto a device ("auto", or a name that torch knows).

    Raises ConfigError where the device cannot be used, ExpertError where transformers cannot load the checkpoint.
    """
    found = usable_device(device)
    disable_progress_bar()
    config = load_config(base)
    try:
        model, report = auto_class(config).from_pretrained(
            str(base),
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **({"device_map": {"": found}} if quantisation(config.to_dict()) else {}),
        )
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise ExpertError(f"base {base}: transformers cannot load it ({reason}); check the folder") from error
    if missing := sorted(report["missing_keys"]):
        raise ExpertError(
            f"base {base}: no file holds {missing[0]}, and transformers fills it with random weights; "
            "download or save the whole checkpoint again"
        )
    tokenizer = load_tokenizer(base)
    # A quantised model is put there by its loader.
    model = model if getattr(model, "is_quantized", False) else model.to(found)
    return LoadedModel(model.eval(), tokenizer, found, len(tokenizer), _end_ids(model, tokenizer))


def load_beside(path: Path, base: LoadedModel, owner: str) -> LoadedModel:
    """Load a model whose logits are combined with the base's, in the base's dtype and on its device.

    owner: how messages name it. Raises ExpertError where it lacks embeddings of tokens of the base's tokenizer.
    """
    loaded = load_model(path, base.dtype, str(base.device))
    rows = loaded.model.get_input_embeddings().weight.shape[0]  # type: ignore[operator]
    if rows < base.vocabulary:
        raise ExpertError(
            f"{owner}: {path} has embeddings of {rows} tokens, and the base's tokenizer knows {base.vocabulary}; "
            "give a model of the same vocabulary"
        )
    return loaded


def usable_device(name: str) -> torch.device:
    """The device of a name that torch knows, or of "auto". Raises ConfigError where it cannot be used."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"engine.device: {name!r} cannot be used ({reason}); use auto or cpu") from None
    return device


def _end_ids(model: object, tokenizer: object) -> frozenset[int]:
    """Tokens that end a generation: the tokenizer's, the generation config's and the config's."""
    found: set[int] = set()
    for owner in (tokenizer, getattr(model, "generation_config", None), getattr(model, "config", None)):
        value = getattr(owner, "eos_token_id", None)
        found |= {value} if isinstance(value, int) else set(value or ())
    width = model.get_output_embeddings().weight.shape[0]  # type: ignore[attr-defined]
    return frozenset(token for token in found if 0 <= token < width)


def release_memory() -> None:
    """Give back what a model that is no longer referred to has held, to the system and to the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def synchronize() -> None:
    """Wait for the device, which works asynchronously, before the clock is read."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()

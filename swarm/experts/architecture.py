"""What transformers makes of a checkpoint: which tensors it needs, ties and stores as (in, out).

The loader itself is asked, with tensors that have shapes and no values, so nothing but headers is read.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D
from transformers.utils.logging import disable_progress_bar

from swarm.core.errors import ExpertError, first_line
from swarm.experts.safetensors_files import TensorFiles, TensorInfo

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


@dataclass(frozen=True)
class Architecture:
    """A checkpoint as transformers loads it.

    tied: parameter -> the parameter that the config ties it to ("lm_head.weight" -> "model.embed_tokens.weight").
    in_out: parameters stored as (in, out), where a Linear has (out, in).
    missing: what the model needs and no file holds; transformers would fill it with random weights.
    unused: tensors that the model does not use.
    mismatched: tensor -> its shape in the model, where the file has another.
    """

    tied: Mapping[str, str]
    in_out: frozenset[str]
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    mismatched: Mapping[str, tuple[int, ...]]


def read_architecture(path: Path, files: TensorFiles, owner: str) -> Architecture:
    """Ask transformers' loader about a checkpoint. Raises ExpertError where it does not know the architecture."""
    try:
        model, report = _load_shapes(path, files.info)
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError, ImportError) as error:
        raise ExpertError(
            f"{owner}: transformers cannot load {path} ({first_line(error)}); check the folder"
        ) from error
    order = {name: i for i, name in enumerate(model.state_dict())}
    return Architecture(
        tied=dict(model.all_tied_weights_keys),  # type: ignore[arg-type]
        in_out=frozenset(f"{name}.weight" for name, module in model.named_modules() if isinstance(module, Conv1D)),
        missing=tuple(sorted(report["missing_keys"], key=lambda name: order.get(name, len(order)))),
        unused=tuple(name for name in files.info if name in report["unexpected_keys"] or _ignored(name, model, order)),
        mismatched={name: tuple(in_model) for name, _, in_model in report["mismatched_keys"]},
    )


def _ignored(name: str, model: nn.Module, known: Mapping[str, int]) -> bool:
    """True for a tensor that transformers leaves out on purpose, and so does not report."""
    patterns: Iterable[str] = getattr(model, "_keys_to_ignore_on_load_unexpected", None) or ()
    return name not in known and any(re.search(pattern, name) for pattern in patterns)


def _load_shapes(path: Path, info: Mapping[str, TensorInfo]) -> tuple[nn.Module, Mapping[str, Any]]:
    """The model on the meta device, and the loader's report."""
    disable_progress_bar()
    config = AutoConfig.from_pretrained(str(path), local_files_only=True, trust_remote_code=False)
    shapes = {n: torch.empty(i.shape, dtype=DTYPES.get(i.dtype, torch.float32), device="meta") for n, i in info.items()}
    with torch.device("meta"):
        empty = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    model, report = type(empty).from_pretrained(
        None, config=empty.config, state_dict=shapes, device_map="meta", output_loading_info=True,
        ignore_mismatched_sizes=True,
    )  # fmt: skip
    return model, report

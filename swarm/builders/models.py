"""Opens bases for training and scoring. Libraries are kept quiet."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.utils.logging import disable_progress_bar

ADAPTER = "adapter_model.safetensors"
LIBRARIES = ("trl", "accelerate", "datasets", "transformers")


def load_model(folder: Path, dtype: str) -> PreTrainedModel:
    """The causal language model of a folder, from safetensors, in a dtype."""
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=getattr(torch, dtype), use_safetensors=True, local_files_only=True, trust_remote_code=False
    )


def load_dtype(dtype: str, full: bool) -> str:
    """The dtype in which a base of this dtype is trained.

    All weights are trained in float32: in 16 bits small updates would be lost. float16 would overflow.
    """
    return "float32" if full or dtype != "bfloat16" else "bfloat16"


@contextmanager
def quiet() -> Iterator[None]:
    """A block in which libraries show no bars and no warnings: the build shows its own progress."""
    disable_progress_bar()
    before = {name: logging.getLogger(name).level for name in LIBRARIES}
    bars = os.environ.get("TQDM_DISABLE")
    os.environ["TQDM_DISABLE"] = "1"
    for name in before:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
        if bars is None:
            del os.environ["TQDM_DISABLE"]
        else:
            os.environ["TQDM_DISABLE"] = bars

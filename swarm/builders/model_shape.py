"""How many weights a base has and how many of them a builder trains. Shapes alone are made: nothing is loaded."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from swarm.builders.base import ExpertBuilder
from swarm.builders.models import load_dtype
from swarm.builders.parts import part_of

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
TRAINED_BYTES = 4 + 4 + 8  # of a weight that is trained, in float32: itself, its gradient, AdamW's two moments
SAVED_BYTES = 4 + 8  # of such a weight in a checkpoint


@dataclass(frozen=True)
class ModelShape:
    """Weights of a base, and those that are trained.

    held: bytes of all weights in memory, with gradients and the optimizer's state; batches come on top.
    saved: bytes of a checkpoint of the training.
    """

    weights: int
    trained: int
    held: int
    saved: int


def shape_of(builder: ExpertBuilder, base: Path, dtype: str, key: str) -> ModelShape:
    """The shape of what is trained. key: the expert's place in the config.

    Raises ConfigError where that part cannot be trained: target_modules names none of the base's modules, or its head;
    or the first layer cannot be copied.
    """
    with torch.device("meta"), warnings.catch_warnings(action="ignore"):
        model = AutoModelForCausalLM.from_config(
            AutoConfig.from_pretrained(base, local_files_only=True, trust_remote_code=False)
        )
        weights = sum(parameter.numel() for parameter in model.parameters())
        part = part_of(builder)
        trained = part.trained(model, key)
    frozen = weights * BYTES[load_dtype(dtype, full=False)] if part.frozen else 0
    return ModelShape(weights, trained, frozen + trained * TRAINED_BYTES, trained * SAVED_BYTES)

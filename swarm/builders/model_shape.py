"""How many weights a base has and how many of them a builder trains. Shapes alone are made: nothing is loaded."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

from swarm.builders.base import ExpertBuilder
from swarm.builders.models import load_dtype, lora_of
from swarm.core.errors import ConfigError, first_line

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

    Raises ConfigError where target_modules names none of the base's modules, or its head.
    """
    with torch.device("meta"), warnings.catch_warnings(action="ignore"):
        model = AutoModelForCausalLM.from_config(
            AutoConfig.from_pretrained(base, local_files_only=True, trust_remote_code=False)
        )
        weights = sum(parameter.numel() for parameter in model.parameters())
        head = model.get_output_embeddings()
        if not builder.full:
            try:
                model = get_peft_model(model, lora_of(builder))
            except ValueError as error:
                raise _unfit(builder, key, first_line(error)) from None
    if not builder.full and model.get_output_embeddings() is not head:
        raise _unfit(builder, key, "the output layer cannot be adapted")
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    frozen = 0 if builder.full else weights * BYTES[load_dtype(dtype, builder.full)]
    return ModelShape(weights, trained, frozen + trained * TRAINED_BYTES, trained * SAVED_BYTES)


def _unfit(builder: ExpertBuilder, key: str, reason: str) -> ConfigError:
    named = builder.target_modules
    shown = named if isinstance(named, str) else ", ".join(named)
    return ConfigError(
        f"{key}.target_modules: {shown[:80]} does not fit the base ({reason[:160]}); name linear modules of the base, "
        "or remove the key, which adapts all of them"
    )

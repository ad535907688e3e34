"""The model that a config.json describes, built without weights: names and shapes of parameters, types of modules.

transformers builds it on the meta device, which takes milliseconds and no memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.pytorch_utils import Conv1D

from swarm.core.errors import ExpertError
from swarm.core.terminal_text import shortened
from swarm.experts.libraries import at_most_parts, understood
from swarm.experts.own_code import asked_code, refused_code
from swarm.experts.safetensors_files import read_json

# Dtypes of weights that can be composed, as safetensors names them.
DTYPES = {"F64", "F32", "F16", "BF16"}
MOST_PARTS = 100_000  # modules and parameters: several times those of the largest models
MOST_LAYERS = 10_000  # or experts: some configs make a list of them before there is a model
COUNTED = ("layer", "layers", "experts", "blocks", "depth")  # the ends of keys that say how many there are


@dataclass(frozen=True, eq=False)
class Architecture:
    """The model that transformers makes of a folder's config.json.

    model: on the meta device, without weights. Not to be changed: it is shared by all that ask for the folder.
    parameters: name -> shape; a tied parameter has only the name of its source.
    buffers: name -> shape, of the buffers that are saved in files.
    tied: parameter -> the parameter that it is tied to.
    """

    model: PreTrainedModel
    parameters: Mapping[str, tuple[int, ...]]
    buffers: Mapping[str, tuple[int, ...]]
    tied: Mapping[str, str]

    @property
    def encoder_decoder(self) -> bool:
        """Whether an encoder reads the prompt and a decoder writes the answer."""
        return bool(self.model.config.is_encoder_decoder)

    @property
    def module_types(self) -> Mapping[str, str]:
        """Module name -> the name of its class ("Linear", "Conv1D", "Embedding")."""
        return {name: type(module).__name__ for name, module in self.model.named_modules()}

    @property
    def in_out(self) -> frozenset[str]:
        """Parameters stored as (in, out), where a Linear has (out, in)."""
        return frozenset(f"{name}.weight" for name, each in self.model.named_modules() if isinstance(each, Conv1D))


def architecture_of(folder: Path, owner: str = "base") -> Architecture:
    """The architecture of a checkpoint's folder, from its config.json alone. owner: begins messages.

    Raises ExpertError where transformers makes no language model of it.
    """
    file = folder / "config.json"
    if not file.is_file():
        raise ExpertError(f"{owner}: {file} does not exist; give the folder of a saved model")
    return _build(folder, owner, file.read_bytes())


@lru_cache(maxsize=4)
def _build(folder: Path, owner: str, content: bytes) -> Architecture:
    """`content` is that of config.json, so that a changed file is read again."""

    check_values(folder, owner)

    def made() -> PreTrainedModel:
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        _check_text(folder, owner, config)
        with torch.device("meta"), at_most_parts(MOST_PARTS):
            return auto_class(config).from_config(config, trust_remote_code=False)

    def refused(reason: str) -> ExpertError:
        if "custom code" in reason and (code := asked_code(folder)):
            return refused_code(owner, folder, code)
        return ExpertError(
            f"{owner}: {folder}: transformers makes no model of config.json ({reason}); "
            "save the model again with this version of transformers"
        )

    model = understood(made, refused)
    parameters = {name: tuple(each.shape) for name, each in model.named_parameters()}
    saved = model.state_dict().keys()
    buffers = {name: tuple(each.shape) for name, each in model.named_buffers() if name in saved}
    return Architecture(model, parameters, buffers, dict(model.all_tied_weights_keys or {}))


def check_values(folder: Path, owner: str) -> None:
    """Raise ExpertError for a number of layers or experts that no model has, and for an attention of foreign code."""
    content = read_json(folder / "config.json", owner)
    for config in (content, *(each for each in content.values() if isinstance(each, dict))):
        for key, value in config.items():
            if key.endswith("attn_implementation") and "/" in str(value):  # a repository of kernels
                raise refused_code(owner, folder, f"{key} of config.json: {shortened(str(value))}")
            if key.endswith(COUNTED) and isinstance(value, int | float) and not abs(value) <= MOST_LAYERS:
                raise ExpertError(
                    f"{owner}: {folder}: {key} in config.json is {shortened(str(value))}, more than any model has; "
                    "download or save the whole checkpoint again"
                )


def auto_class(config: PreTrainedConfig) -> type[AutoModelForCausalLM | AutoModelForSeq2SeqLM]:
    """The class of transformers that loads the language model of a config."""
    if config.is_encoder_decoder:
        return AutoModelForSeq2SeqLM  # type: ignore[no-any-return]
    return AutoModelForCausalLM  # type: ignore[no-any-return]


def _check_text(folder: Path, owner: str, config: PreTrainedConfig) -> None:
    """Raise ExpertError where only a model for other inputs than text has this config."""
    if config.is_encoder_decoder:
        model = MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING.get(type(config), None)
        if model is None or model.main_input_name != "input_ids":
            raise ExpertError(
                f"{owner}: {folder}: transformers loads no encoder-decoder for text of model_type "
                f"{config.model_type!r}; give one whose encoder reads text, such as T5 or BART"
            )
    elif type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise ExpertError(
            f"{owner}: {folder}: transformers loads no causal language model of model_type {config.model_type!r}; "
            "give its language model alone, saved with the config of its text part"
        )

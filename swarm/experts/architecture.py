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
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.pytorch_utils import Conv1D

from swarm.core.errors import ExpertError

# Dtypes of weights that can be composed, as safetensors names them.
DTYPES = {"F64", "F32", "F16", "BF16"}


@dataclass(frozen=True, eq=False)
class Architecture:
    """What AutoModelForCausalLM makes of a folder's config.json.

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
    def module_types(self) -> Mapping[str, str]:
        """Module name -> the name of its class ("Linear", "Conv1D", "Embedding")."""
        return {name: type(module).__name__ for name, module in self.model.named_modules()}

    @property
    def in_out(self) -> frozenset[str]:
        """Parameters stored as (in, out), where a Linear has (out, in)."""
        return frozenset(f"{name}.weight" for name, each in self.model.named_modules() if isinstance(each, Conv1D))


def architecture_of(folder: Path, owner: str = "base") -> Architecture:
    """The architecture of a checkpoint's folder, from its config.json alone. owner: begins messages.

    Raises ExpertError where transformers makes no causal language model of it.
    """
    file = folder / "config.json"
    if not file.is_file():
        raise ExpertError(f"{owner}: {file} does not exist; give the folder of a saved model")
    return _build(folder, owner, file.read_bytes())


@lru_cache(maxsize=4)
def _build(folder: Path, owner: str, content: bytes) -> Architecture:
    """`content` is that of config.json, so that a changed file is read again."""
    try:
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        _check_causal(folder, owner, config)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except ExpertError:
        raise
    except Exception as error:  # a config can be wrong in as many ways as there are architectures
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise ExpertError(
            f"{owner}: {folder}: transformers makes no model of config.json ({reason}); "
            "save the model again with this version of transformers"
        ) from error
    parameters = {name: tuple(each.shape) for name, each in model.named_parameters()}
    saved = model.state_dict().keys()
    buffers = {name: tuple(each.shape) for name, each in model.named_buffers() if name in saved}
    return Architecture(model, parameters, buffers, dict(model.all_tied_weights_keys or {}))


def _check_causal(folder: Path, owner: str, config: PreTrainedConfig) -> None:
    """Raise ExpertError for an encoder-decoder, and where only a model for other inputs than text has this config."""
    if getattr(config, "is_encoder_decoder", False):
        raise ExpertError(
            f"{owner}: {folder}: model_type {config.model_type!r} is an encoder-decoder, which no engine scores; "
            "give a decoder-only model"
        )
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise ExpertError(
            f"{owner}: {folder}: transformers loads no causal language model of model_type {config.model_type!r}; "
            "give its language model alone, saved with the config of its text part"
        )

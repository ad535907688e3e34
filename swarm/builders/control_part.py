"""A control layer as what is trained: a copy of the first decoder layer in front of a base that stays as it is."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import PreTrainedModel

from swarm.builders.models import load_dtype, load_model
from swarm.builders.trained_part import BaseFolder, TrainedPart, check_trained
from swarm.builders.trainers import PairTrainer
from swarm.core.errors import ConfigError, ExpertError
from swarm.core.loading import Snippet, python_string
from swarm.experts.control_layer import WEIGHTS, write_control_layer
from swarm.experts.layer_copy import control_layer_of, first_layer, put_tensors, with_control_layer

CONTROL = """\
from safetensors.torch import load_file
from swarm.experts.control_layer import with_control_layer
from transformers import AutoModelForCausalLM

base = AutoModelForCausalLM.from_pretrained({base}, dtype="auto")
aligned = with_control_layer(base, load_file({file}))  # shares the base's weights
"""


class ControlTrainer(PairTrainer):
    """DPO of a control layer: a checkpoint holds that layer, not the base."""

    def _save(self, output_dir: str | None = None, state_dict: object = None) -> None:
        assert output_dir is not None
        Path(output_dir).mkdir(parents=True, exist_ok=True)
        layer = control_layer_of(self.model)
        save_file({name: each.detach() for name, each in layer.named_parameters()}, Path(output_dir) / WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        layer = control_layer_of(self.model if model is None else model)
        put_tensors(layer, load_file(Path(resume_from_checkpoint) / WEIGHTS))


class ControlPart(TrainedPart):
    """The layer is trained in float32."""

    library = "transformers"

    @property
    def trainer(self) -> type[PairTrainer]:
        return ControlTrainer

    def started(self, base: Path, start: Path | None, dtype: str) -> PreTrainedModel:
        assert start is None, "a config that trains control layers in sequence is refused"
        made: PreTrainedModel = with_control_layer(load_model(base, load_dtype(dtype, full=False)), None)
        made.requires_grad_(False)
        control_layer_of(made).float().requires_grad_(True)
        return made

    def trained(self, model: PreTrainedModel, key: str) -> int:
        try:
            return sum(parameter.numel() for parameter in first_layer(model).parameters())
        except ExpertError as error:
            raise ConfigError(f"{key}.type: control, but {error}") from None

    def write(self, checkpoint: Path, base: BaseFolder, dest: Path) -> None:
        """The layer in the base's dtype."""
        tensors = load_file(checkpoint / WEIGHTS)
        for name, tensor in tensors.items():
            check_trained(name, tensor)
        stored = {name: tensor.to(getattr(torch, base.dtype)) for name, tensor in tensors.items()}
        write_control_layer(dest, stored, base.name, base.fingerprint)

    def snippet(self, folder: str, base: str) -> Snippet:
        file = python_string(f"{folder}/{WEIGHTS}")
        return Snippet("python", CONTROL.format(base=python_string(base), file=file))

"""Weights of the model itself as what is trained: a LoRA adapter, or all of them."""

import json
import shutil
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from swarm.builders.models import ADAPTER, load_dtype, load_model, quiet
from swarm.builders.trained_part import BaseFolder, TrainedPart, check_trained
from swarm.builders.weights_builder import WeightsBuilder
from swarm.core.errors import ConfigError, first_line
from swarm.core.files import write_text
from swarm.core.loading import Snippet, load_snippet

ADAPTER_CONFIG = "adapter_config.json"
# Of the base's folder, beside weights: what a full checkpoint needs to be loaded.
BESIDE_WEIGHTS = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model",
    "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "chat_template.jinja",
)  # fmt: skip


class AdapterPart(TrainedPart):
    """LoRA, as PEFT has it."""

    library = "peft"

    @property
    def _settings(self) -> WeightsBuilder:
        assert isinstance(self.builder, WeightsBuilder)
        return self.builder

    @property
    def peft_config(self) -> LoraConfig:
        made = self._settings
        return LoraConfig(task_type="CAUSAL_LM", r=made.rank, lora_alpha=made.alpha, target_modules=made.target_modules)

    def started(self, base: Path, start: Path | None, dtype: str) -> PreTrainedModel | PeftModel:
        model = load_model(base, load_dtype(dtype, full=False))
        return PeftModel.from_pretrained(model, start, is_trainable=True) if start else model

    def trained(self, model: PreTrainedModel, key: str) -> int:
        head = model.get_output_embeddings()
        try:
            adapted = get_peft_model(model, self.peft_config)
        except ValueError as error:
            raise self._unfit(key, first_line(error)) from None
        if adapted.get_output_embeddings() is not head:
            raise self._unfit(key, "the output layer cannot be adapted")
        return sum(parameter.numel() for parameter in adapted.parameters() if parameter.requires_grad)

    def write(self, checkpoint: Path, base: BaseFolder, dest: Path) -> None:
        tensors = load_file(checkpoint / ADAPTER)
        for name, tensor in tensors.items():
            check_trained(name, tensor)
        save_file(dict(sorted(tensors.items())), dest / ADAPTER, {"format": "pt"})
        config = json.loads((checkpoint / ADAPTER_CONFIG).read_text())
        config |= {"base_model_name_or_path": base.name}
        if isinstance(config["target_modules"], list):  # a set, in an order that differs from process to process
            config["target_modules"] = sorted(config["target_modules"])
        write_text(dest / ADAPTER_CONFIG, json.dumps(config, indent=2, sort_keys=True) + "\n")

    def snippet(self, folder: str, base: str) -> Snippet:
        return load_snippet("adapter", folder, base)

    def _unfit(self, key: str, reason: str) -> ConfigError:
        named = self._settings.target_modules
        shown = named if isinstance(named, str) else ", ".join(named)
        return ConfigError(
            f"{key}.target_modules: {shown[:80]} does not fit the base ({reason[:160]}); name linear modules of the "
            "base, or remove the key, which adapts all of them"
        )


class AllPart(TrainedPart):
    """All weights, in float32."""

    library = "transformers"
    frozen = False

    def started(self, base: Path, start: Path | None, dtype: str) -> PreTrainedModel:
        return load_model(start or base, load_dtype(dtype, full=True))

    def trained(self, model: PreTrainedModel, key: str) -> int:
        return sum(parameter.numel() for parameter in model.parameters())

    def write(self, checkpoint: Path, base: BaseFolder, dest: Path) -> None:
        """The weights in the base's dtype, under the base's config and tokenizer."""
        with quiet():
            model = load_model(checkpoint, "float32")
            for name, parameter in model.named_parameters():
                check_trained(name, parameter)
            model.to(getattr(torch, base.dtype)).save_pretrained(dest)
        for name in BESIDE_WEIGHTS:
            if (base.path / name).is_file():
                shutil.copyfile(base.path / name, dest / name)

    def snippet(self, folder: str, base: str) -> Snippet:
        return load_snippet("hf", folder, base)

"""Adapters of every variety that PEFT makes, on tiny models with random weights."""

import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from common import ROOT
from peft import (
    AdaLoraConfig,
    BOFTConfig,
    IA3Config,
    LoHaConfig,
    LoKrConfig,
    LoraConfig,
    OFTConfig,
    PeftConfig,
    PromptTuningConfig,
    VeraConfig,
    get_peft_model,
)
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    LlamaConfig,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2Config,
)

sys.path.append(str(ROOT / "tests"))

from support.models import make_tokenizer

VOCABULARY = 304
SIZES = {"vocab_size": VOCABULARY, "pad_token_id": 256, "bos_token_id": 257, "eos_token_id": 258}
LLAMA = SIZES | {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
                 "num_key_value_heads": 2, "max_position_embeddings": 64}  # fmt: skip
BASES: Mapping[str, PreTrainedConfig] = {
    "untied": LlamaConfig(**LLAMA, tie_word_embeddings=False),
    "tied": LlamaConfig(**LLAMA, tie_word_embeddings=True),
    "biased": Qwen2Config(**LLAMA, tie_word_embeddings=False),  # q, k and v have biases
    "gpt2": GPT2Config(**SIZES, n_positions=64, n_embd=32, n_layer=2, n_head=4, tie_word_embeddings=True),
}
WEIGHTS = "adapter_model.safetensors"
TARGETS = ["q_proj", "v_proj", "up_proj", "down_proj"]
Rename = Callable[[str], str]


@dataclass(frozen=True)
class Variety:
    """A variety of adapters.

    config: PEFT's, made anew for every adapter.
    bases: of BASES, those that it is tried on.
    rename: what is done to the names of its tensors after PEFT has saved them.
    dtype: of its tensors after that.
    converted: whether PEFT converts it to plain LoRA on saving.
    """

    config: Callable[[], PeftConfig]
    bases: tuple[str, ...] = ("untied", "tied")
    rename: Rename = str
    dtype: torch.dtype = torch.float32
    converted: bool = False


def lora(**options: object) -> Callable[[], PeftConfig]:
    return partial(
        LoraConfig, **{"task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8, "target_modules": TARGETS} | options
    )


def other(kind: Callable[..., PeftConfig], **options: object) -> Callable[[], PeftConfig]:
    return partial(kind, task_type="CAUSAL_LM", **options)


GPT2 = {"target_modules": ["c_attn", "c_proj", "c_fc"], "fan_in_fan_out": True}
EMBEDDING, HEAD, BOTH = ["embed_tokens", "q_proj"], ["lm_head", "q_proj"], ["embed_tokens", "lm_head", "q_proj"]
ATTENTION = {"target_modules": ["q_proj", "v_proj"]}
PATTERNS = {
    "rank_pattern": {r"layers\.1\..*q_proj": 6, "up_proj": 2},
    "alpha_pattern": {r"^model\.layers\.0\.self_attn\.v_proj": 3, "down_proj": 20},
}
VARIETIES: Mapping[str, Variety] = {
    "plain": Variety(lora(), ("untied", "tied", "biased")),
    "all linear layers": Variety(lora(target_modules="all-linear")),
    "target_modules as a pattern": Variety(lora(target_modules=r".*\.(q|k)_proj")),
    "rsLoRA": Variety(lora(use_rslora=True)),
    "rank_pattern and alpha_pattern": Variety(lora(**PATTERNS)),
    "layers_to_transform": Variety(lora(layers_to_transform=[1])),
    "exclude_modules": Variety(lora(exclude_modules=["layers.0.mlp.up_proj"])),
    "Conv1D": Variety(lora(**GPT2), ("gpt2",)),
    "bfloat16 factors": Variety(lora(), dtype=torch.bfloat16),
    "float16 factors": Variety(lora(), dtype=torch.float16),
    "LoRA on embeddings": Variety(lora(target_modules=EMBEDDING)),
    "LoRA on the head": Variety(lora(target_modules=HEAD)),
    "LoRA on embeddings and head": Variety(lora(target_modules=BOTH)),
    "LoRA on embeddings, ensure_weight_tying": Variety(lora(target_modules=EMBEDDING, ensure_weight_tying=True)),
    "LoRA on positions": Variety(lora(**GPT2 | {"target_modules": ["wpe", "c_attn"]}), ("gpt2",)),
    "modules_to_save: lm_head": Variety(lora(modules_to_save=["lm_head"])),
    "modules_to_save: embed_tokens": Variety(lora(modules_to_save=["embed_tokens"])),
    "modules_to_save: both": Variety(lora(modules_to_save=["embed_tokens", "lm_head"])),
    "modules_to_save, ensure_weight_tying": Variety(lora(modules_to_save=["embed_tokens"], ensure_weight_tying=True)),
    "modules_to_save: norm": Variety(lora(modules_to_save=["input_layernorm", "norm"])),
    "modules_to_save: a block": Variety(lora(target_modules=["q_proj"], modules_to_save=["mlp"])),
    "trainable_token_indices": Variety(lora(trainable_token_indices=[7, 40, 300])),
    "trainable_token_indices, both": Variety(lora(trainable_token_indices={"embed_tokens": [7, 40], "lm_head": [9]})),
    "DoRA": Variety(lora(use_dora=True), ("untied", "tied", "biased")),
    "DoRA, rsLoRA, patterns": Variety(lora(use_dora=True, use_rslora=True, **PATTERNS)),
    "DoRA on embeddings": Variety(lora(use_dora=True, target_modules=EMBEDDING)),
    "DoRA on Conv1D": Variety(lora(use_dora=True, **GPT2), ("gpt2",)),
    "DoRA and modules_to_save": Variety(lora(use_dora=True, modules_to_save=["lm_head"])),
    "bias: all": Variety(lora(bias="all"), ("untied", "biased")),
    "bias: lora_only": Variety(lora(bias="lora_only"), ("untied", "biased")),
    "bias: all, Conv1D": Variety(lora(bias="all", **GPT2), ("gpt2",)),
    "lora_bias": Variety(lora(lora_bias=True, **ATTENTION), ("biased",)),
    "target_parameters": Variety(lora(target_modules=[], target_parameters=["q_proj.weight"])),
    "init_lora_weights: gaussian": Variety(lora(init_lora_weights="gaussian")),
    "MiCA": Variety(lora(init_lora_weights="mica")),
    "PiSSA, converted": Variety(lora(init_lora_weights="pissa"), converted=True),
    "PiSSA": Variety(lora(init_lora_weights="pissa")),
    "OLoRA, converted": Variety(lora(init_lora_weights="olora"), converted=True),
    "OLoRA": Variety(lora(init_lora_weights="olora")),
    "names with the adapter's": Variety(lora(use_dora=True), rename=lambda name: _with_adapter(name, "default")),
    "names without prefix": Variety(lora(), rename=lambda name: name.removeprefix("base_model.model.")),
    "names with a doubled prefix": Variety(lora(), rename=lambda name: f"base_model.model.{name}"),
    "names of torch.compile": Variety(lora(), rename=lambda name: name.replace(".self_attn", "._orig_mod.self_attn")),
    "names of data parallelism": Variety(lora(), rename=lambda name: f"module.{name}"),
    "names of the inner model": Variety(lora(), rename=lambda name: name.replace("model.model.model.", "model.model.")),
    "layer_replication": Variety(lora(layer_replication=[(0, 2), (0, 2)])),
    "LoHa": Variety(other(LoHaConfig, r=4, alpha=8, **ATTENTION)),
    "LoKr": Variety(other(LoKrConfig, r=4, alpha=8, **ATTENTION)),
    "IA3": Variety(other(IA3Config, target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"])),
    "VeRA": Variety(other(VeraConfig, r=4, target_modules=["q_proj"])),
    "OFT": Variety(other(OFTConfig, r=0, oft_block_size=4, **ATTENTION)),
    "BOFT": Variety(other(BOFTConfig, boft_block_size=4, **ATTENTION)),
    "AdaLoRA": Variety(other(AdaLoraConfig, init_r=4, target_r=2, total_step=10, **ATTENTION)),
    "prompt tuning": Variety(other(PromptTuningConfig, num_virtual_tokens=4)),
}


def make_base(path: Path, kind: str) -> Path:
    """A base of BASES with random weights and a tokenizer."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(BASES[kind])
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):  # zeros otherwise
            nn.init.normal_(parameter, std=0.1)
    model.save_pretrained(path)
    make_tokenizer().save_pretrained(path)
    return path


def make_adapter(path: Path, base: Path, variety: Variety, seed: int) -> Path:
    """An adapter of the variety: every trained tensor is moved by noise."""
    torch.manual_seed(seed)
    with warnings.catch_warnings(action="ignore"):
        model = get_peft_model(load(base), variety.config())
        options: dict[str, str] = {}
        if variety.converted:
            first = path.with_name(f"{path.name}-initial")
            model.peft_config["default"].init_lora_weights = True
            model.save_pretrained(first)
            model.peft_config["default"].init_lora_weights = variety.config().init_lora_weights
            options = {"path_initial_model_for_weight_conversion": str(first)}
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.add_(0.05 * torch.randn_like(parameter))
        model.save_pretrained(path, **options)
    tensors = {variety.rename(name): tensor.to(variety.dtype) for name, tensor in load_file(path / WEIGHTS).items()}
    save_file(tensors, path / WEIGHTS, {"format": "pt"})
    return path


def load(path: Path) -> PreTrainedModel:
    """The model at `path` in float32."""
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)


def untied(base: Path, path: Path) -> Path:
    """A copy of a base with a head of its own."""
    model = load(base)
    model.config.tie_word_embeddings = False
    model.lm_head.weight = nn.Parameter(model.lm_head.weight.detach().clone())
    model.save_pretrained(path)
    make_tokenizer().save_pretrained(path)
    return path


def _with_adapter(name: str, adapter: str) -> str:
    stem, _, last = name.rpartition(".")
    return f"{stem}.{adapter}.{last}" if last in ("weight", "bias") else f"{name}.{adapter}.weight"

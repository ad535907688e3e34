"""Tiny random models of architectures whose files are laid out otherwise than the live model."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM

from support.models import VOCABULARY, load, make_tokenizer

COMMON = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 4, "max_position_embeddings": 256, "tie_word_embeddings": False,
    "pad_token_id": 256, "bos_token_id": 257, "eos_token_id": 258,
}  # fmt: skip
GPT = {
    "vocab_size": VOCABULARY, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256, "rotary_dim": 8,
    "tie_word_embeddings": False, "bos_token_id": 257, "eos_token_id": 258,
}  # fmt: skip
# Twelve experts: their order by number is not that by letter.
MIXTURE = {**COMMON, "head_dim": 8, "moe_intermediate_size": 8, "num_experts": 12, "num_experts_per_tok": 2}
LOCAL = {**COMMON, "head_dim": 8, "num_local_experts": 4, "num_experts_per_tok": 2}
ROUTED = {**COMMON, "n_routed_experts": 4, "n_shared_experts": 1, "moe_intermediate_size": 8, "num_experts_per_tok": 2,
          "n_group": 1, "topk_group": 1, "first_k_dense_replace": 1}  # fmt: skip
LATENT = {"q_lora_rank": 8, "kv_lora_rank": 8, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 8}
MIXTURES: Mapping[str, Mapping[str, object]] = {
    "qwen2_moe": {**MIXTURE, "shared_expert_intermediate_size": 8},
    "qwen3_moe": MIXTURE,
    "olmoe": MIXTURE,
    "mixtral": LOCAL,
    "minimax": {**LOCAL, "layer_types": ["full_attention"] * 2},
    "phimoe": LOCAL,
    "granitemoe": LOCAL,
    "jetmoe": {**LOCAL, "kv_channels": 8},
    "gpt_oss": {**LOCAL, "layer_types": ["full_attention"] * 2},
    "llama4_text": {**LOCAL, "intermediate_size_mlp": 32},
    "deepseek_v2": {**ROUTED, **LATENT, "topk_method": "greedy", "head_dim": 8},
    "deepseek_v3": {**ROUTED, **LATENT},
    "glm4_moe": {**ROUTED, "head_dim": 8},
    "ernie4_5_moe": {**COMMON, "moe_intermediate_size": 8, "moe_num_experts": 4, "moe_k": 2,
                     "moe_num_shared_experts": 1, "moe_layer_start_index": 1},
}  # fmt: skip
ODD: Mapping[str, Mapping[str, object]] = {
    "gpt2": GPT,
    "gptj": GPT,
    "phi": COMMON,
    "gpt_neox": {key: value for key, value in COMMON.items() if key != "num_key_value_heads"},
    "bloom": {"vocab_size": VOCABULARY, "hidden_size": 32, "n_layer": 2, "n_head": 4, "tie_word_embeddings": False},
    "apertus": COMMON,
    "gemma3_text": {**COMMON, "head_dim": 8, "layer_types": ["full_attention"] * 2},
}
DIVIDED: Mapping[str, Mapping[str, object]] = {"hrm_text": COMMON}


def make_model(path: Path, kind: str, *, seed: int = 0) -> Path:
    """A model of the kind with random weights and its tokenizer, saved at `path` by transformers."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **{**MIXTURES, **ODD, **DIVIDED}[kind])).float()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(1.0 if parameter.ndim == 1 else 0.0, 0.1)
    model.save_pretrained(path)
    make_tokenizer().save_pretrained(path)
    return path


@torch.no_grad()
def make_fine_tune(path: Path, base: Path, seed: int) -> Path:
    """The base with noise on every parameter and every buffer that is saved."""
    torch.manual_seed(seed)
    model = load(base)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(0.02 * torch.randn_like(tensor))
    model.save_pretrained(path)
    return path


@torch.no_grad()
def shake(model: nn.Module, scale: float = 0.1) -> None:
    """Noise on what is trained."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.add_(scale * torch.randn_like(parameter))


@torch.no_grad()
def logits(model: nn.Module) -> Tensor:
    return model.eval()(torch.arange(40, 60)[None]).logits.float()


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    """Write the folder's tensors again, changed."""
    file = folder / "model.safetensors"
    tensors = {name: tensor.clone().contiguous() for name, tensor in change(load_file(file)).items()}
    save_file(tensors, file, {"format": "pt"})

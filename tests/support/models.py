"""Tiny models made on the fly: a Llama with random weights, LoRA adapters of it, full fine-tunes of it.

Everything depends on its seed alone. Nothing is trained: the weights are noise, which is enough to test arithmetic.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import nn
from transformers import (
    AutoConfig,
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from swarm.core.recipes import Recipe
from swarm.experts.architecture import auto_class
from swarm.experts.catalog import Catalog
from swarm.experts.merge_model import composed_tensors

SPECIAL = ("<pad>", "<bos>", "<eos>", "<|user|>", "<|assistant|>", "<|system|>")
VOCABULARY = 304  # 256 bytes, the special tokens, rounded up to a multiple of 16
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
LINEARS = (*ATTENTION, "gate_proj", "up_proj", "down_proj")
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@torch.no_grad()
def merged_model(catalog: Catalog, recipe: Recipe) -> nn.Module:
    """The base as plain transformers has it, in float32, with a recipe's composed weights."""
    model = load(catalog.base.path, torch.float32).eval()
    for parameter, tensor in composed_tensors(catalog, recipe, torch.float32):
        model.get_parameter(parameter).copy_(tensor)
    return model


def make_base(
    path: Path,
    *,
    seed: int = 0,
    tied: bool = False,
    dtype: torch.dtype = torch.float32,
    layers: int = 2,
    hidden: int = 32,
    max_shard_size: str = "5GB",
) -> Path:
    """A Llama with random weights and its tokenizer, saved at `path`; `max_shard_size="20KB"` gives shards."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=tied,
        pad_token_id=256,
        bos_token_id=257,
        eos_token_id=258,
    )
    model = LlamaForCausalLM(config).to(dtype)
    model.save_pretrained(path, max_shard_size=max_shard_size)
    make_tokenizer().save_pretrained(path)
    return path


def make_gpt2(path: Path, *, seed: int = 0, positions: int = 64) -> Path:
    """A GPT-2 with random weights: its linear weights are stored as (in, out), the embeddings are tied."""
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=positions,
        n_embd=32,
        n_layer=2,
        n_head=4,
        pad_token_id=256,
        bos_token_id=257,
        eos_token_id=258,
    )
    GPT2LMHeadModel(config).save_pretrained(path)
    make_tokenizer().save_pretrained(path)
    return path


def make_tokenizer() -> PreTrainedTokenizerFast:
    """One token per byte, the special tokens, and a chat template."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={byte: i for i, byte in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=SPECIAL[0], bos_token=SPECIAL[1], eos_token=SPECIAL[2]
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def make_adapter(
    path: Path,
    base: Path,
    seed: int,
    *,
    r: int = 4,
    alpha: int = 8,
    targets: Sequence[str] = LINEARS,
    scale: float = 0.05,
    **config: object,
) -> Path:
    """A PEFT LoRA adapter of `base` whose every trained tensor is noise; `config` goes to LoraConfig."""
    torch.manual_seed(seed)
    lora = LoraConfig(task_type="CAUSAL_LM", r=r, lora_alpha=alpha, target_modules=list(targets), **config)
    with warnings.catch_warnings(action="ignore"):  # PEFT warns about adapted embeddings, which some tests need
        model = get_peft_model(load(base, torch.float32), lora)
        _perturb(model, scale)
        model.save_pretrained(path)
    return path


def make_checkpoint(
    path: Path, base: Path, seed: int, *, scale: float = 0.02, max_shard_size: str = "5GB", **config: object
) -> Path:
    """A full fine-tune of `base` in the base's dtype: every weight moved by noise."""
    torch.manual_seed(seed)
    model = load(base)
    _perturb(model, scale)
    model.save_pretrained(path, max_shard_size=max_shard_size, **config)
    AutoTokenizer.from_pretrained(base).save_pretrained(path)
    return path


def load(path: Path, dtype: torch.dtype | str = "auto") -> nn.Module:
    """The model at `path`, as transformers loads it."""
    return auto_class(AutoConfig.from_pretrained(path)).from_pretrained(path, dtype=dtype, use_safetensors=True)


@torch.no_grad()
def _perturb(model: nn.Module, scale: float) -> None:
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.add_(scale * torch.randn_like(parameter))

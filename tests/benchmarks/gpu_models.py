"""Llamas with random weights and LoRA adapters for them, made on the device and saved: nothing is downloaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import LoraConfig
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

from swarm.core.requests import Continuation, Generation
from swarm.engines.encoding import Encoded, Requests
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog

RANK = 16
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Shape:
    """A Llama's shape, and how much it is measured with.

    tied: whether the head shares the embedding's weights.
    experts: number of LoRA adapters.
    ladder: numbers of multiple-choice items per particle, few to many.
    texts: prompts to generate from.
    new_tokens: tokens to generate per prompt.
    """

    name: str
    hidden: int
    intermediate: int
    layers: int
    heads: int
    key_value_heads: int
    vocabulary: int
    tied: bool
    experts: int
    ladder: tuple[int, ...]
    texts: int
    new_tokens: int

    @property
    def config(self) -> LlamaConfig:
        return LlamaConfig(
            vocab_size=self.vocabulary,
            hidden_size=self.hidden,
            intermediate_size=self.intermediate,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.key_value_heads,
            max_position_embeddings=4096,
            tie_word_embeddings=self.tied,
            bos_token_id=256,
            eos_token_id=257,
            pad_token_id=257,
        )


TOY = Shape("toy", 64, 128, 2, 4, 2, 512, True, 3, (1, 4), 4, 4)
LLAMAS = {
    "1B": Shape("1B", 2048, 8192, 16, 32, 8, 128256, True, 8, (2, 8, 32, 128, 512), 32, 64),
    "8B": Shape("8B", 4096, 14336, 32, 32, 8, 128256, False, 8, (2, 8, 32, 128, 512), 32, 64),
}


def make_catalog(shape: Shape, folder: Path, device: str, dtype: torch.dtype) -> Catalog:
    """Save a base, its tokenizer and its adapters, and open them as a catalog."""
    torch.manual_seed(0)
    base = folder / "base"
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(shape.config, dtype=dtype)
    model.save_pretrained(base)
    linears = {name: module.weight.shape for name, module in model.named_modules() if name.endswith(TARGETS)}
    del model
    _byte_tokenizer().save_pretrained(base)
    paths = [folder / f"expert-{i}" for i in range(shape.experts)]
    for path in paths:
        _make_adapter(path, base, linears, device, dtype)
    return open_catalog(base, [ExpertSpec(path.name, path) for path in paths])


def choices(shape: Shape, items: int) -> Requests:
    """Random multiple-choice items: prompts of 96 tokens with four options of 8 tokens each."""
    generator = torch.Generator().manual_seed(items)

    def draw(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(256, (count,), generator=generator).tolist())

    asked = []
    for _ in range(items):
        prompt = draw(96)
        asked += [Encoded(Continuation("", ""), prompt, draw(8)) for _ in range(4)]
    return Requests(tuple(asked))


def texts(count: int, new_tokens: int) -> list[Generation]:
    """Prompts of about 100 byte tokens that differ from their first letters on, so that none share a prefix."""
    return [Generation(f"{i} " + chr(97 + i % 26) * (90 + i % 20), new_tokens) for i in range(count)]


def _make_adapter(path: Path, base: Path, linears: dict[str, torch.Size], device: str, dtype: torch.dtype) -> None:
    tensors = {}
    for name, (out, into) in linears.items():
        tensors[f"base_model.model.{name}.lora_A.weight"] = _noise((RANK, into), device, dtype)
        tensors[f"base_model.model.{name}.lora_B.weight"] = _noise((out, RANK), device, dtype)
    config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=list(TARGETS), task_type="CAUSAL_LM")
    config.base_model_name_or_path = str(base)
    config.save_pretrained(path)
    save_file(tensors, path / "adapter_model.safetensors")


def _noise(shape: Sequence[int], device: str, dtype: torch.dtype) -> torch.Tensor:
    return (0.01 * torch.randn(tuple(shape), device=device)).to(dtype).cpu()


def _byte_tokenizer() -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={byte: i for i, byte in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<bos>", "<eos>"])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", pad_token="<eos>")

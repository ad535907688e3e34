"""Models of a zoo's folder: from safetensors on this disk alone, without code of theirs."""

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase


def load_model(folder: Path, dtype: torch.dtype | None = None) -> PreTrainedModel:
    """In its own dtype, where none is named."""
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype or "auto", local_files_only=True, use_safetensors=True, trust_remote_code=False
    )


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)

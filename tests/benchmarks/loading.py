"""Loads models and tokenizers of a local folder: safetensors alone, no code from it."""

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase


def load_model(folder: Path, dtype: torch.dtype | None = None) -> PreTrainedModel:
    """The model, in its own dtype unless one is given."""
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype or "auto", local_files_only=True, use_safetensors=True, trust_remote_code=False
    )


def load_tokenizer(folder: Path, **options: object) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **options)

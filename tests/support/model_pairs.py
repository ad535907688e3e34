"""Copies of a model whose vocabulary is not the base's: padded rows of the embeddings, another tokenizer."""

import json
import shutil
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def pad_vocabulary(source: Path, target: Path, rows: int, *, seed: int = 0, scale: float = 0.1) -> Path:
    """The model with `rows` more tokens than its embeddings have, which the tokenizer does not know.

    The new rows are noise of this scale. With a large one the likeliest token is mostly one of them, so that forgetting
    to mask them shows.
    """
    model = AutoModelForCausalLM.from_pretrained(source)
    before = model.config.vocab_size
    model.resize_token_embeddings(before + rows, mean_resizing=False)
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for embedding in (model.get_input_embeddings(), model.get_output_embeddings()):
            added = embedding.weight[before:]
            added.copy_(scale * torch.randn(added.shape, generator=noise))
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(source).save_pretrained(target)
    return target


def with_other_tokenizer(source: Path, target: Path) -> Path:
    """The same model, where two letters have exchanged their token ids: as many tokens, another vocabulary."""
    shutil.copytree(source, target)
    file = target / "tokenizer.json"
    content = json.loads(file.read_text())
    vocabulary = content["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    file.write_text(json.dumps(content))
    return target

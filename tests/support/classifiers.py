"""Tiny sequence classifiers made on the fly: a Llama with random weights and a classification head."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForSequenceClassification

from support.models import VOCABULARY, make_tokenizer


def make_classifier(
    path: Path, labels: Sequence[str] = ("reward",), *, seed: int = 0, template: str | None = None, **settings: object
) -> Path:
    """Saved at `path` with its tokenizer. template: of chats; settings: of its config, such as problem_type."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        pad_token_id=256,
        bos_token_id=257,
        eos_token_id=258,
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
        **settings,
    )
    model = LlamaForSequenceClassification(config)
    model.score.weight.data *= 50  # so that logits of two texts are apart
    model.save_pretrained(path)
    tokenizer = make_tokenizer()
    tokenizer.chat_template = template
    tokenizer.save_pretrained(path)
    return path

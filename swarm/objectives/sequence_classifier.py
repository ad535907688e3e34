"""A sequence classifier of Hugging Face in a local folder: its labels without torch, its logits with it.

Its weights are safetensors. Pickled weights are not opened, and no code of the model's own is run.
"""

import json
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

from jinja2 import TemplateError

from swarm.core.errors import ConfigError, EvaluationError
from swarm.core.examples import Message
from swarm.core.space import Array

KIND = "ForSequenceClassification"
KEPT = 65_536  # logits of texts that were seen last
BESIDE = ("config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")

Input = str | tuple[str, str] | tuple[Message, ...]  # a text, a pair of texts, or a chat that ends with the reply
Device = Literal["cpu", "cuda"]


def classifier_files(folder: str) -> tuple[Path, ...]:
    """The files that decide its logits."""
    beside = [Path(folder) / name for name in BESIDE]
    return (*filter(Path.is_file, beside), *sorted(Path(folder).glob("*.safetensors")))


@cache
def labels_of(folder: str, key: str) -> tuple[str, ...]:
    """Its labels, in the order of its logits. key: what names it, for messages. Raises ConfigError."""
    try:
        config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
        kinds = [str(kind) for kind in config.get("architectures") or []]
        named = config.get("id2label") or {str(i): f"LABEL_{i}" for i in range(int(config.get("num_labels", 2)))}
        labels = tuple(str(named[str(i)]) for i in range(len(named)))
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ConfigError(f"{key}: {folder} has no readable config.json ({reason}); name a folder of a model") from None
    if not any(kind.endswith(KIND) for kind in kinds):
        raise ConfigError(f"{key}: {folder} is {' '.join(kinds) or 'unknown'}; name a model that is ...{KIND}")
    if not list(Path(folder).glob("*.safetensors")):
        raise ConfigError(f"{key}: {folder} holds no safetensors; convert its weights with save_pretrained")
    return labels


@lru_cache(maxsize=KEPT)
def logits(folder: str, device: Device, text: Input) -> Array:
    """Logits of the labels, shape (labels,). Each text goes through alone, so that none depends on another.

    What is too long for the model is cut: the end of a text, the longer of a pair, the start of a chat. The model is
    loaded once a process. Raises ConfigError where it cannot be.
    """
    return _classifier(folder, device)(text)


@cache
def is_multi_label(folder: str) -> bool:
    """Whether its labels do not exclude each other."""
    config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    return bool(config.get("problem_type") == "multi_label_classification")


@cache
def _classifier(folder: str, device: Device) -> Callable[[Input], Array]:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    safely = {"local_files_only": True, "trust_remote_code": False}
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device: cuda, and {folder} is to run where there is none; set device: cpu")
    disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **safely)
        model, report = AutoModelForSequenceClassification.from_pretrained(
            folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **safely
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ConfigError(f"{folder} cannot be loaded as a classifier ({reason}); correct its files") from error
    if lacking := sorted(report["missing_keys"]):
        raise ConfigError(f"{folder} lacks {lacking[0]}, which would be random; name a classifier that was trained")
    model.eval().to(device)
    limit = min(tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None) or 1 << 20)

    def run(text: Input) -> Array:
        try:
            with torch.inference_mode():
                inputs = {name: ids.to(device) for name, ids in _encoded(tokenizer, text, limit, folder).items()}
                found = model(**(inputs if inputs["input_ids"].numel() else _empty(tokenizer, device))).logits[0]
        except (RuntimeError, IndexError, ValueError, TypeError, TemplateError) as error:
            reason = " ".join(str(error).split())[:200]
            raise EvaluationError(f"{folder} fails at a text ({reason})") from error
        logits_L: Array = found.double().cpu().numpy()
        return logits_L

    return run


def _empty(tokenizer: Any, device: Device) -> dict[str, Any]:
    """An empty text, where the tokenizer adds nothing: one token of those that mark an end."""
    import torch

    marks = (tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.pad_token_id)
    return {"input_ids": torch.tensor([[next((mark for mark in marks if mark is not None), 0)]], device=device)}


def _encoded(tokenizer: Any, text: Input, limit: int, folder: str) -> dict[str, Any]:
    """Its input as tensors of one row."""
    cut = {"truncation": True, "max_length": limit, "return_tensors": "pt"}
    if isinstance(text, str):
        return dict(tokenizer(text, **cut))
    if isinstance(text[0], str):
        return dict(tokenizer(*text, **cut))
    if not tokenizer.chat_template:
        raise ConfigError(f"reads: chat, but the tokenizer of {folder} has no chat template; set reads: pair")
    turns = [{"role": turn.role, "content": turn.content} for turn in text if isinstance(turn, Message)]
    rendered = tokenizer.apply_chat_template(turns, tokenize=False)
    tensors = tokenizer(rendered, add_special_tokens=False, return_tensors="pt")
    return {name: ids[:, -limit:] for name, ids in tensors.items()}

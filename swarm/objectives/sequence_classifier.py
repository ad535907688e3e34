"""A sequence classifier of Hugging Face in a local folder: its labels without torch, its logits with it.

Its weights are safetensors. Pickled weights are not opened, and no code of the model's own is run.
"""

import json
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from swarm.core.errors import ConfigError
from swarm.core.space import Array
from swarm.objectives.classifier_batches import Classifier, Input

KIND = "ForSequenceClassification"
KEPT = 65_536  # logits of texts that were seen last
BATCH_TOKENS = {"cpu": 0, "cuda": 4096}  # of a batch, padding counted; 0: each text alone
BESIDE = ("config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")

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


def logits(folder: str, device: Device, texts: Sequence[Input]) -> list[Array]:
    """Logits of the labels of each text, shape (labels,). The model is loaded once a process.

    On the CPU each text goes through alone: batches gain nothing there with long texts and a third with short ones,
    while texts that candidates have in common are then read once. Where launching a pass is what costs, they go through
    in batches, which follow from these texts alone: results differ from those alone by rounding.

    What is too long for the model is cut: the end of a text, the longer of a pair, the start of a chat. Raises
    ConfigError where the model cannot be loaded, EvaluationError where it fails.
    """
    if BATCH_TOKENS[device]:
        return _classifier(folder, device).together(texts, BATCH_TOKENS[device])
    return [_alone(folder, device, text) for text in texts]


@lru_cache(maxsize=KEPT)
def _alone(folder: str, device: Device, text: Input) -> Array:
    return _classifier(folder, device).alone(text)


@cache
def is_multi_label(folder: str) -> bool:
    """Whether its labels do not exclude each other."""
    config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    return bool(config.get("problem_type") == "multi_label_classification")


@cache
def _classifier(folder: str, device: Device) -> Classifier:
    """Raises ConfigError where it cannot be loaded."""
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
    return Classifier(model.eval().to(device), tokenizer, folder, device)

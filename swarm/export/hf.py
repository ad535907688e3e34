"""The composed checkpoint: files and shards as the base has them, composed weights in the engine's dtype."""

import shutil
from collections import defaultdict
from pathlib import Path

from torch import Tensor

from swarm.core.files import write_json
from swarm.experts.merge_model import composed_tensor
from swarm.experts.safetensors_files import TensorInfo, read_json
from swarm.experts.safetensors_writer import tensor_stream
from swarm.export.base import Exported

KEPT = ("*.json", "*.txt", "*.model", "*.jinja", "LICENSE*", "NOTICE*")
TOKENIZER = ("*token*.json", "vocab.*", "merges.txt", "*.model", "chat_template.*")
WRITTEN = ("config.json", "adapter_config.json")
WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
TEMPLATES = "additional_chat_templates"
WIDTHS = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4}


def write_checkpoint(what: Exported, folder: Path) -> None:
    """Fill `folder`: one shard per shard of the base, with one tensor in memory at a time."""
    _copy_files(what.catalog.base.path, folder)
    write_json(folder / "config.json", _config(what))
    shards: dict[Path, dict[str, TensorInfo]] = defaultdict(dict)
    for name, info in what.catalog.base.tensors.info.items():
        shards[info.file][name] = info
    size = sum(_write_shard(what, folder / file.name, tensors) for file, tensors in shards.items())
    _write_index(what, folder, size)


def _write_shard(what: Exported, file: Path, tensors: dict[str, TensorInfo]) -> int:
    """Write one shard; returns the bytes of its tensors, header excluded."""
    written = 0
    shapes = {name: info.shape for name, info in tensors.items()}
    with tensor_stream(file, shapes, {"format": "pt"}) as stream:
        for name in sorted(tensors, key=lambda name: (-_width(what, tensors[name]), name)):
            tensor: Tensor = composed_tensor(what.catalog, what.recipe, name, what.torch_dtype)
            stream.add(name, tensor)
            written += tensor.nbytes
    return written


def _width(what: Exported, info: TensorInfo) -> int:
    """Bytes of an element as it is written: wider tensors come first, so that every tensor is aligned."""
    if info.dtype.startswith(("F", "BF")):
        return what.torch_dtype.itemsize
    return WIDTHS.get(info.dtype, 2 if info.dtype.endswith("16") else 1)


def _write_index(what: Exported, folder: Path, size: int) -> None:
    base = what.catalog.base
    if base.tensors.files == (base.path / WHOLE,) or not (base.path / INDEX).is_file():
        return
    index = read_json(base.path / INDEX, f"base {base.path}")
    metadata = index.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    weight_map = {name: info.file.name for name, info in base.tensors.info.items()}
    write_json(folder / INDEX, index | {"metadata": {**known, "total_size": size}, "weight_map": weight_map})


def _config(what: Exported) -> dict[str, object]:
    config = dict(what.catalog.base.config)
    config.pop("auto_map", None)  # it names Python files, which are not copied
    config["dtype"] = what.dtype
    if "torch_dtype" in config:
        config["torch_dtype"] = what.dtype
    return config if what.catalog.base.tied else _untied(config)


def _untied(config: dict[str, object]) -> dict[str, object]:
    """The config of a base whose head and embeddings differ though it says that they are tied: it says so no longer."""
    found = config | {"tie_word_embeddings": False} if config.get("tie_word_embeddings") else config
    text = found.get("text_config")
    return found | {"text_config": _untied(text)} if isinstance(text, dict) else found


def copy_tokenizer(base: Path, folder: Path) -> None:
    """Copy the base's tokenizer and chat templates, so that a folder without them is whole."""
    for pattern in TOKENIZER:
        for file in base.glob(pattern):
            shutil.copyfile(file, folder / file.name)
    _copy_templates(base, folder)


def _copy_templates(base: Path, folder: Path) -> None:
    for template in (base / TEMPLATES).glob("*.jinja"):
        (folder / TEMPLATES).mkdir(exist_ok=True)
        shutil.copyfile(template, folder / TEMPLATES / template.name)


def _copy_files(base: Path, folder: Path) -> None:
    """Copy tokenizer, chat template, generation config and licence: everything but code and weights."""
    for pattern in KEPT:
        for file in base.glob(pattern):
            if file.is_file() and file.name not in WRITTEN and not file.name.endswith(".index.json"):
                shutil.copyfile(file, folder / file.name)
    _copy_templates(base, folder)

"""The composed checkpoint: files and shards as the base has them, composed weights in the engine's dtype."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from torch import Tensor

from swarm.core.files import write_json
from swarm.experts.merge_model import composed_tensor
from swarm.experts.model_folder import TEMPLATES, copy_inside
from swarm.experts.safetensors_files import TensorInfo, read_json
from swarm.experts.safetensors_writer import tensor_stream
from swarm.export.base import Exported

KEPT = ("*.json", "*.txt", "*.model", "*.spm", "*.jinja", "LICENSE*", "NOTICE*")
TOKENIZER = ("*token*.json", "vocab.*", "merges.txt", "*.model", "*.spm", "chat_template.*")
WRITTEN = ("config.json", "adapter_config.json")
WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
WIDTHS = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4}


def write_checkpoint(what: Exported, folder: Path) -> None:
    """Fill `folder`: one shard per shard of the base, with one tensor in memory at a time."""
    _copy_files(what.catalog.base.path, folder)
    write_json(folder / "config.json", _config(what))
    shards: dict[str, dict[str, TensorInfo]] = defaultdict(dict)
    names = shard_names([info.file for info in what.catalog.base.tensors.info.values()])
    for name, info in what.catalog.base.tensors.info.items():
        shards[names[info.file]][name] = info
    size = done = 0
    for shard, tensors in shards.items():
        size += _write_shard(what, folder / shard, tensors, done)
        done += len(tensors)
    _write_index(what, folder, size, names)


def shard_names(files: Iterable[Path]) -> dict[Path, str]:
    """Each shard of the base -> its name in the export: its own, unless two of several folders have one name.

    Upper and lower case are the same name, as some file systems have it.
    """
    shards = list(dict.fromkeys(files))
    if len({file.name.casefold() for file in shards}) == len(shards):
        return {file: file.name for file in shards}
    return {file: f"model-{i:05}-of-{len(shards):05}.safetensors" for i, file in enumerate(shards, 1)}


def _write_shard(what: Exported, file: Path, tensors: dict[str, TensorInfo], done: int) -> int:
    """Write one shard; returns the bytes of its tensors, header excluded. done: tensors of earlier shards."""
    written, every = 0, len(what.catalog.base.tensors.info)
    shapes = {name: info.shape for name, info in tensors.items()}
    with tensor_stream(file, shapes, {"format": "pt"}) as stream:
        for name in sorted(tensors, key=lambda name: (-_width(what, tensors[name]), name)):
            tensor: Tensor = composed_tensor(what.catalog, what.recipe, name, what.torch_dtype)
            stream.add(name, tensor)
            written += tensor.nbytes
            done += 1
            what.on_step(done, every)
    return written


def _width(what: Exported, info: TensorInfo) -> int:
    """Bytes of an element as it is written: wider tensors come first, so that every tensor is aligned."""
    if info.dtype.startswith(("F", "BF")):
        return what.torch_dtype.itemsize
    return WIDTHS.get(info.dtype, 2 if info.dtype.endswith("16") else 1)


def _write_index(what: Exported, folder: Path, size: int, names: Mapping[Path, str]) -> None:
    base = what.catalog.base
    if base.tensors.files == (base.path / WHOLE,) or not (base.path / INDEX).is_file():
        return
    index = read_json(base.path / INDEX, f"base {base.path}")
    metadata = index.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    weight_map = {name: names[info.file] for name, info in base.tensors.info.items()}
    write_json(folder / INDEX, index | {"metadata": {**known, "total_size": size}, "weight_map": weight_map})


def _config(what: Exported) -> dict[str, object]:
    config = dict(what.catalog.base.config)
    config.pop("auto_map", None)  # it names Python files, which are not copied
    config["dtype"] = what.dtype
    if "torch_dtype" in config:
        config["torch_dtype"] = what.dtype
    # In T5's config, tie_word_embeddings says whether the head's input is scaled; differing tensors are never tied.
    base = what.catalog.base
    return config if base.tied or base.architecture.encoder_decoder else _untied(config)


def _untied(config: dict[str, object]) -> dict[str, object]:
    """The config of a base whose head and embeddings differ though it says that they are tied: it says so no longer."""
    found = config | {"tie_word_embeddings": False} if config.get("tie_word_embeddings") else config
    text = found.get("text_config")
    return found | {"text_config": _untied(text)} if isinstance(text, dict) else found


def copy_tokenizer(base: Path, folder: Path) -> None:
    """Copy the base's tokenizer and chat templates, so that a folder without them is whole."""
    for file in tokenizer_files(base):
        copy_inside(file, base, folder / file.name)
    _copy_templates(base, folder)


def tokenizer_files(base: Path) -> list[Path]:
    return [file for pattern in TOKENIZER for file in base.glob(pattern) if file.is_file()]


def _copy_templates(base: Path, folder: Path) -> None:
    for template in (base / TEMPLATES).glob("*.jinja"):
        (folder / TEMPLATES).mkdir(exist_ok=True)
        copy_inside(template, base, folder / TEMPLATES / template.name)


def _copy_files(base: Path, folder: Path) -> None:
    """Copy tokenizer, chat template, generation config and licence: everything but code and weights."""
    for file in kept_files(base):
        copy_inside(file, base, folder / file.name)
    _copy_templates(base, folder)


def kept_files(base: Path) -> Iterator[Path]:
    """The files of the base that a checkpoint holds as they are."""
    for pattern in KEPT:
        for file in base.glob(pattern):
            if file.is_file() and file.name not in WRITTEN and not file.name.endswith(".index.json"):
                yield file

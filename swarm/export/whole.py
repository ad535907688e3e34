"""Whether an export is whole: every file and every tensor that it must hold is there, by names, shapes and dtypes."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from pydantic import ValidationError

from swarm.core.errors import ExpertError
from swarm.experts.merge_model import composed_tensor
from swarm.experts.safetensors_files import TensorFiles, TensorInfo
from swarm.experts.safetensors_writer import DTYPE_NAMES, check_finite
from swarm.export import mergekit, recipe
from swarm.export.base import Exported
from swarm.export.hf import kept_files, tokenizer_files

CARD = "README.md"
Form = tuple[tuple[int, ...], str]  # the shape of a tensor and its dtype as safetensors names it
F32 = "F32"


def lack_of(what: Exported, folder: Path, format: str) -> str:
    """What the folder lacks, or has otherwise, to be the export of this recipe; "" where it is whole."""
    if not folder.is_dir():
        return f"{folder} is not there"
    if absent := [name for name, size in _files_of(what, format).items() if _size_of(folder / name) < max(size, 1)]:
        return f"{absent[0]} is missing or cut off"
    try:
        return next(_lacks(what, folder, format), "")
    except (OSError, ValueError, ExpertError, yaml.YAMLError, ValidationError) as error:
        return " ".join(str(error).split())


def check_composed(what: Exported) -> None:
    """Raise ExpertError where the composed weights are not finite in the engine's dtype: one line names the tensor.

    For forms that hold no composed weights: what somebody else makes of them would not be finite either.
    """
    changed = {name for expert in what.merged for name in expert.source.parameters()}
    dtype = DTYPE_NAMES[what.torch_dtype]
    for name, info in what.catalog.base.tensors.info.items():
        if name in what.catalog.base.codes:
            continue  # nothing is composed there: adapters stand beside codes
        if name in changed or (dtype == "F16" and info.dtype != dtype):
            check_finite(name, composed_tensor(what.catalog, what.recipe, name, what.torch_dtype))


def _files_of(what: Exported, format: str) -> dict[str, int]:
    """The names of the files that must be there -> their least size, where they are copies."""
    base = what.catalog.base.path
    copies = {"hf": kept_files, "adapter": tokenizer_files}.get(format)
    own = {"hf": "config.json", "adapter": "adapter_config.json", "mergekit": mergekit.FILE, "recipe": recipe.FILE}
    found = {file.name: _size_of(file) for file in copies(base)} if copies else {}
    return (
        {name: size for name, size in found.items() if size} | {CARD: 1} | ({own[format]: 1} if format in own else {})
    )


def _size_of(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def _lacks(what: Exported, folder: Path, format: str) -> Iterator[str]:
    if format == "hf":
        json.loads((folder / "config.json").read_text(encoding="utf-8"))
        yield from _differences(TensorFiles.of(folder).info, _checkpoint(what))
    elif format == "adapter":
        json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        yield from _differences(TensorFiles.of(folder, "adapter_model").info, _adapter(what))
    elif format == "mergekit":
        if yaml.safe_load((folder / mergekit.FILE).read_text(encoding="utf-8")) != mergekit.mergekit_config(what):
            yield f"{mergekit.FILE} holds another recipe"
    elif format == "recipe":
        content = json.loads((folder / recipe.FILE).read_text(encoding="utf-8"))
        if recipe.RecipeFile.model_validate(content).recipe != what.recipe:
            yield f"{recipe.FILE} holds another recipe"


def _checkpoint(what: Exported) -> Mapping[str, Form]:
    dtype = DTYPE_NAMES[what.torch_dtype]
    tensors = what.catalog.base.tensors.info.items()
    return {name: (info.shape, dtype if info.dtype.startswith(("F", "BF")) else info.dtype) for name, info in tensors}


def _adapter(what: Exported) -> Mapping[str, Form]:
    return {name: (tuple(tensor.shape), F32) for name, tensor in what.adapter.tensors().items()}


def _differences(found: Mapping[str, TensorInfo], wanted: Mapping[str, Form]) -> Iterator[str]:
    for name, (shape, dtype) in wanted.items():
        if name not in found:
            yield f"tensor {name} is missing"
        elif (found[name].shape, found[name].dtype) != (shape, dtype):
            yield f"tensor {name} is {found[name].dtype} {list(found[name].shape)} and not {dtype} {list(shape)}"
    for name in found.keys() - wanted.keys():
        yield f"tensor {name} does not belong to it"

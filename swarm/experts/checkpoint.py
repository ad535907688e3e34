"""A whole checkpoint, opened as transformers loads it: complete, unquantised, with one tensor where two are tied."""

from collections.abc import Mapping
from pathlib import Path

import torch

from swarm.core.errors import ExpertError
from swarm.experts.architecture import DTYPES, Architecture, read_architecture
from swarm.experts.expert import Base
from swarm.experts.safetensors_files import TensorFiles, read_json

# Keys of config.json under which quantised checkpoints say so: transformers, llm-compressor, MLX.
QUANTISED = ("quantization_config", "compression_config", "quantization")


def open_checkpoint(path: Path, owner: str) -> Base:
    """Open a checkpoint from its headers. Raises ExpertError where transformers would not load it as it is."""
    config = read_json(path / "config.json", owner)
    if method := quantisation(config):
        raise ExpertError(
            f"{owner}: {path} is quantised ({method}), and its codes cannot be composed; "
            "give the 16-bit checkpoint that it was made from"
        )
    files = TensorFiles.of(path)
    architecture = read_architecture(path, files, owner)
    _check_complete(path, architecture, owner)
    _check_stored(files, architecture, owner)
    ties = {name: source for name, source in architecture.tied.items() if _is_one(files, name, source, path, owner)}
    tensors = TensorFiles(files.files, frozenset(ties))
    return Base(path, config, tensors, ties, architecture.unused, architecture.in_out)


def quantisation(config: Mapping[str, object]) -> str:
    """How the checkpoint with this config is quantised ("fp8"); "" where it is not."""
    text = config.get("text_config")
    for owner in (config, text if isinstance(text, Mapping) else {}):
        for key in QUANTISED:
            if settings := owner.get(key):
                named = settings.get("quant_method") if isinstance(settings, Mapping) else None
                return f"{key}: {named}" if named else key
    return ""


def _check_complete(path: Path, architecture: Architecture, owner: str) -> None:
    if architecture.missing:
        raise ExpertError(
            f"{owner}: {path} does not hold {architecture.missing[0]}, which config.json asks for "
            f"({len(architecture.missing)} missing in all); download or save the whole checkpoint again"
        )
    for name, shape in architecture.mismatched.items():
        raise ExpertError(
            f"{owner}: {name} in {path} has another shape than config.json asks for ({list(shape)}); "
            "download or save the whole checkpoint again"
        )


def _check_stored(files: TensorFiles, architecture: Architecture, owner: str) -> None:
    """Weights are floating-point numbers of 16 bits or more, whatever config.json says."""
    for name, info in files.info.items():
        if name.endswith(".weight") and name not in architecture.unused and info.dtype not in DTYPES:
            raise ExpertError(
                f"{owner}: {name} in {info.file} is stored as {info.dtype}, and such codes cannot be composed; "
                "give the 16-bit checkpoint that it was made from"
            )


def _is_one(files: TensorFiles, name: str, source: str, path: Path, owner: str) -> bool:
    """Whether two tied parameters are one tensor when the checkpoint is loaded.

    Transformers does not tie two tensors that are both in the files and differ, whatever the config says.
    """
    if name not in files.info:
        return True
    if source not in files.info:
        raise ExpertError(
            f"{owner}: {path} holds {name}, but not {source}, to which it is tied; "
            "save it again with transformers' save_pretrained"
        )
    one, other = files.read(name), files.read(source)
    if one.shape != other.shape:
        return False
    return torch.equal(one, other)

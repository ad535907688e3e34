"""A whole checkpoint, opened as transformers loads it: complete, unquantised, with one tensor where two are tied."""

from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from transformers.core_model_loading import dot_natural_key

from swarm.core.errors import ExpertError
from swarm.experts.architecture import DTYPES, architecture_of
from swarm.experts.expert import Base
from swarm.experts.loader_names import Layout, layout_of
from swarm.experts.quantisation import quantisation
from swarm.experts.safetensors_files import TensorFiles, read_json


def open_checkpoint(path: Path, owner: str) -> Base:
    """Open a checkpoint from its headers. Raises ExpertError where transformers would not load it as it is."""
    config = read_json(path / "config.json", owner)
    if method := quantisation(config):
        raise ExpertError(
            f"{owner}: {path} is quantised ({method}), and its codes cannot be composed; "
            "give the 16-bit checkpoint that it was made from"
        )
    files = TensorFiles.of(path)
    architecture = architecture_of(path, owner)
    layout = layout_of(architecture, files.info)
    tied = {layout.file_name(name): layout.file_name(source) for name, source in architecture.tied.items()}
    _check_complete(path, files, layout, tied, owner)
    unused = tuple(name for name in files.info if not layout.loads(name))
    trained = {name for name, place in layout.places.items() if place.live in architecture.parameters}
    _check_stored(files, trained, unused, owner)
    ties = {name: source for name, source in tied.items() if _is_one(files, name, source, path, owner)}
    tensors = TensorFiles(files.files, frozenset(ties))
    in_out = frozenset(layout.file_name(name) for name in architecture.in_out)
    return Base(path, config, tensors, architecture, layout, ties, unused, in_out)


def _check_complete(path: Path, files: TensorFiles, layout: Layout, tied: Mapping[str, str], owner: str) -> None:
    # A tied parameter may be in the files under either of its names.
    held = {source for name, source in tied.items() if name in files.info}
    if missing := sorted(layout.missing - held, key=dot_natural_key):
        raise ExpertError(
            f"{owner}: {path} does not hold {missing[0]}, which config.json asks for "
            f"({len(missing)} missing in all); download or save the whole checkpoint again"
        )
    for name, place in layout.places.items():
        if files.info[name].shape != place.shape:
            raise ExpertError(
                f"{owner}: {name} in {path} is {list(files.info[name].shape)}, but config.json asks for "
                f"{list(place.shape)}; download or save the whole checkpoint again"
            )


def _check_stored(files: TensorFiles, trained: Collection[str], unused: Collection[str], owner: str) -> None:
    """Weights are floating-point numbers of 16 bits or more, whatever config.json says."""
    for name, info in files.info.items():
        is_weight = name in trained or (name.endswith(".weight") and name not in unused)
        if is_weight and info.dtype not in DTYPES:
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

"""Control layers (CLM, arXiv 2503.04346): a trained copy of the base's first decoder layer, in front of the base.

A folder holds control_layer.safetensors, the layer's tensors by their names in the layer (self_attn.q_proj.weight), and
control_config.json: format, version, the base with its fingerprint, and which layer was copied.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import Tensor

from swarm.core.errors import ExpertError
from swarm.core.files import write_json
from swarm.experts.architecture import DTYPES
from swarm.experts.expert import Base
from swarm.experts.layer_copy import first_layer
from swarm.experts.layer_copy import with_control_layer as with_control_layer  # what the tensors are for
from swarm.experts.model_folder import check_inside
from swarm.experts.safetensors_files import TensorFiles, read_json
from swarm.experts.safetensors_writer import tensor_stream

WEIGHTS, CONFIG = "control_layer.safetensors", "control_config.json"
FORMAT, VERSION, LAYER = "swarm-control-layer", 1, 0


@dataclass(frozen=True)
class ControlLayer:
    """A control layer, opened from its headers.

    name: its name in the config, in recipes and in the journal.
    path: its folder.
    fingerprint: of its weights, see TensorFiles.fingerprint.
    files: its weights.
    """

    name: str
    path: Path
    fingerprint: str
    files: TensorFiles
    kind: Literal["control"] = "control"

    def tensors(self) -> Mapping[str, Tensor]:
        """The layer's tensors by their names in the layer, read from disk, in their stored dtype."""
        return {name: self.files.read(name) for name in self.files.info}


def is_control_layer(path: Path) -> bool:
    """Whether a folder holds a control layer, or a part of one."""
    try:
        return any((path / name).is_file() for name in (CONFIG, WEIGHTS))
    except OSError:  # a name that no file can have
        return False


def write_control_layer(folder: Path, tensors: Mapping[str, Tensor], base: str, fingerprint: str) -> None:
    """Write a control layer into a folder that exists.

    tensors: by their names in the layer. base: its folder or hub id. fingerprint: of the base's tensors.
    Raises ExpertError where a tensor is not finite, RunError where nothing can be written.
    """
    ordered = dict(sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0])))
    shapes = {name: tensor.shape for name, tensor in ordered.items()}
    with tensor_stream(folder / WEIGHTS, shapes, {"format": "pt"}) as stream:
        for name, tensor in ordered.items():
            stream.add(name, tensor)
    content = {"format": FORMAT, "version": VERSION, "base": base, "base_fingerprint": fingerprint, "layer": LAYER}
    write_json(folder / CONFIG, content)


def open_control_layer(name: str, path: Path, base: Base) -> ControlLayer:
    """Open a control layer and check that it fits the base. Raises ExpertError."""
    owner = f"expert {name}"
    _check_base(base, owner)
    for file in (WEIGHTS, CONFIG):
        if not (path / file).is_file():
            raise ExpertError(f"{owner}: {path} holds no {file}; copy the whole folder that swarm build has written")
        check_inside(path / file, path, owner)
    _check_config(path, owner, base)
    files = TensorFiles.of(path / WEIGHTS)
    _check_tensors(files, base, owner)
    return ControlLayer(name, path, files.fingerprint, files)


def _check_base(base: Base, owner: str) -> None:
    if base.codes:
        raise ExpertError(
            f"{owner}: base {base.path} is quantised, and its first layer cannot be copied; give the 16-bit checkpoint "
            "that it was made from"
        )
    try:
        first_layer(base.architecture.model)
    except ExpertError as error:
        raise ExpertError(f"{owner}: base {base.path}: {error}") from None


def _check_config(path: Path, owner: str, base: Base) -> None:
    content = read_json(path / CONFIG, owner)
    known = {"format": FORMAT, "version": VERSION, "layer": LAYER}
    for key, value in known.items():
        found = content.get(key)
        if found != value or isinstance(found, bool):
            raise ExpertError(
                f"{owner}: {path / CONFIG}: {key} is {str(found)[:60]!r}, and {value!r} is what this version reads; "
                "build the control layer again, or use the version that wrote it"
            )
    found = content.get("base_fingerprint")
    if found != base.tensors.fingerprint:
        raise ExpertError(
            f"{owner}: {path} was trained in front of {str(content.get('base'))[:200]} (fingerprint "
            f"{str(found)[:32]}), and base {base.path} has {base.tensors.fingerprint}; give the base it was trained on"
        )


def _check_tensors(files: TensorFiles, base: Base, owner: str) -> None:
    layer = first_layer(base.architecture.model)
    expected = {name: tuple(parameter.shape) for name, parameter in layer.named_parameters()}
    for name in (*expected, *files.info):
        if name not in files.info or name not in expected:
            which = "lacks" if name in expected else "holds"
            raise ExpertError(
                f"{owner}: {files.files[0]} {which} {name[:200]}, and the base's first layer "
                f"{'has' if name in expected else 'has not'}; build the control layer again"
            )
        info = files.info[name]
        if tuple(info.shape) != expected[name] or info.dtype not in DTYPES:
            raise ExpertError(
                f"{owner}: {name} in {files.files[0]} is {list(info.shape)} in {info.dtype}, and the base's first "
                f"layer has {list(expected[name])} as floating-point numbers; build the control layer again"
            )

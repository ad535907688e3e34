"""A base whose weights are codes of bitsandbytes or torchao: nothing is merged into them, LoRA adapters stand beside.

Tensors have the names and shapes of the model without codes, so that adapters are read and checked as for any base.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import torch

from swarm.core.errors import ExpertError
from swarm.experts.architecture import DTYPES, architecture_of
from swarm.experts.expert import Base
from swarm.experts.loader_names import layout_of
from swarm.experts.quantisation import quantisation
from swarm.experts.safetensors_files import TensorFiles, TensorInfo

METHODS = ("bitsandbytes", "torchao")  # transformers loads these on any device; each is also the name of its package
CODES = "codes"  # in the place of a dtype
TORCHAO = "._weight_qdata"  # instead of ".weight", the name of torchao's codes


@dataclass(frozen=True)
class QuantisedFiles(TensorFiles):
    """Files in which some tensors are codes. shapes: of the model's parameters without codes."""

    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @cached_property
    def info(self) -> Mapping[str, TensorInfo]:
        found = {name: self._info(name, shape) for name, shape in self.shapes.items()}
        return {name: info for name, info in found.items() if info is not None}

    def _info(self, name: str, shape: tuple[int, ...]) -> TensorInfo | None:
        stored = self._stored.get(name) or self._stored.get(name.removesuffix(".weight") + TORCHAO)
        if stored is None or (stored.shape == shape and stored.dtype in DTYPES):
            return stored
        return TensorInfo(shape, CODES, stored.file)

    @cached_property
    def _stored(self) -> Mapping[str, TensorInfo]:
        return TensorFiles(self.files).info

    @property
    def codes(self) -> frozenset[str]:
        """The parameters that are stored as codes."""
        return frozenset(name for name, info in self.info.items() if info.dtype == CODES)

    def read(self, name: str) -> torch.Tensor:
        assert name not in self.codes, f"{name} is stored as codes: nobody composes or compares it"
        return super().read(name)

    def check_finite(self, owner: str) -> None:
        TensorFiles(self.files).check_finite(owner)


def can_stand_beside(config: Mapping[str, object]) -> bool:
    """Whether a quantised checkpoint with this config may be a base."""
    return quantisation(config).rpartition(": ")[2] in METHODS


def open_quantised(path: Path, config: Mapping[str, object], owner: str) -> Base:
    """Open a quantised base from its headers. Raises ExpertError where it is not whole or its package is missing."""
    method = quantisation(config).rpartition(": ")[2]
    if find_spec(method) is None:
        raise ExpertError(
            f"{owner}: {path} is quantised with {method}, which is not installed; "
            "pip install 'swarm-experts[quantised]', or give the 16-bit checkpoint that it was made from"
        )
    architecture = architecture_of(path, owner)
    if architecture.encoder_decoder:
        raise ExpertError(f"{owner}: {path} is a quantised encoder-decoder; give the 16-bit checkpoint")
    files = QuantisedFiles(TensorFiles.of(path).files, frozenset(), architecture.parameters)
    layout = layout_of(architecture, files.info)
    if missing := sorted(layout.missing | (architecture.parameters.keys() - files.info.keys())):
        raise ExpertError(
            f"{owner}: {path} does not hold {missing[0]}, which config.json asks for "
            f"({len(missing)} missing in all); download or save the whole checkpoint again"
        )
    ties = {name: source for name, source in architecture.tied.items() if name not in files.info}
    in_out = frozenset(layout.file_name(name) for name in architecture.in_out)
    return Base(path, config, files, architecture, layout, ties, (), in_out, files.codes)

"""Alignment vectors: the weights of an aligned model minus those of the model it was made from.

`base + 1 * vector` is the aligned model again. The difference is stored in float32: the difference of two bfloat16
numbers needs more digits than bfloat16 has, and nearly always fits float32 exactly. Base plus vector, summed in float32
and cast, restores a bfloat16 model bit for bit wherever the two weights are within a factor of 2**16 of each other. It
restores a float32 model within one rounding of float32, and bit for bit wherever they are within a factor of 2.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from swarm.core.errors import ExpertError, UserError
from swarm.experts.adapter_reader import open_adapter
from swarm.experts.catalog import ExpertSpec, open_base, open_expert
from swarm.experts.expert import Base, UpdateSource
from swarm.experts.lora import Adapter, is_adapter
from swarm.experts.model_folder import check_folder
from swarm.experts.recorded_base import difference, recorded_base
from swarm.experts.safetensors_writer import TensorStream, tensor_stream
from swarm.experts.updates import Replacement, delta_of
from swarm.experts.vector_files import VECTOR_FORMAT

Shape = tuple[int, ...]


class WeightDifference(Protocol):
    """Aligned minus base, one parameter at a time.

    shapes: parameter -> shape, of every parameter that may differ.
    metadata: fingerprints, for the header of the vector's file.
    delta(name): the difference in float32; None for integers that are equal.
    """

    @property
    def shapes(self) -> Mapping[str, Shape]: ...

    @property
    def metadata(self) -> Mapping[str, str]: ...

    def delta(self, name: str) -> Tensor | None: ...


@dataclass(frozen=True)
class FromCheckpoint:
    """A checkpoint or an adapter, minus the base that it was made from."""

    base: Base
    aligned: UpdateSource

    @property
    def shapes(self) -> Mapping[str, Shape]:
        return {name: self.base.tensors.info[name].shape for name in self.aligned.parameters()}

    @property
    def metadata(self) -> Mapping[str, str]:
        return {
            "base_fingerprint": self.base.tensors.fingerprint,
            "aligned_fingerprint": self.aligned.files.fingerprint,
        }

    def delta(self, name: str) -> Tensor | None:
        base, update = self.base.tensors.read(name), self.aligned.update(name)
        if base.is_floating_point():
            return delta_of(update, base)
        if isinstance(update, Replacement) and torch.equal(update.value, base):
            return None
        raise ExpertError(
            f"{name} holds integers and differs between base and aligned; give two models with the same {name}"
        )


@dataclass(frozen=True)
class BetweenAdapters:
    """The second of two adapters of one base, minus the first.

    base_fingerprint: of their base; "" where it is not known.
    """

    first: Adapter
    second: Adapter
    base_fingerprint: str

    @property
    def shapes(self) -> Mapping[str, Shape]:
        return {name: adapter.shape(name) for adapter in (self.first, self.second) for name in adapter.parameters()}

    @property
    def metadata(self) -> Mapping[str, str]:
        # The vector is added to the base of both adapters, not to one of them.
        return {"base_fingerprint": self.base_fingerprint, "aligned_fingerprint": self.second.files.fingerprint}

    def delta(self, name: str) -> Tensor:
        updates = [adapter.update(name) if name in adapter.parameters() else None for adapter in self._pair]
        if all(isinstance(update, Replacement) for update in updates):
            first, second = (adapter.files.read(adapter.saved[name]).float() for adapter in self._pair)
            return second - first
        zero = torch.zeros(self.shapes[name])
        for update in updates:
            if isinstance(update, Replacement):
                raise ExpertError(
                    f"{name} is saved whole in one adapter and not in the other; "
                    "merge both with PEFT's merge_and_unload and give the checkpoints"
                )
        first, second = (zero if update is None else delta_of(update, zero) for update in updates)
        return second - first

    @property
    def _pair(self) -> tuple[Adapter, Adapter]:
        return self.first, self.second


def make_vector(
    base: Path,
    aligned: Path,
    out: Path,
    dtype: torch.dtype = torch.float32,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write aligned minus base to `out`, one tensor at a time; only tensors that differ are stored.

    base, aligned: two checkpoints, two adapters of one base, or a checkpoint and an adapter of it.
    dtype: of the stored differences; narrower ones than float32 lose digits.
    progress: called with the number of parameters done and the number of all.

    Raises ExpertError where the two do not belong together or do not differ, UserError where their kinds do not match.
    """
    if out.suffix != ".safetensors":
        raise UserError(f"{out}: a vector is a .safetensors file; name it {out.with_suffix('.safetensors')}")
    difference = _open(base, aligned)
    shapes = difference.shapes
    paths = {"base_path": str(base.absolute()), "aligned_path": str(aligned.absolute())}
    metadata = {"format": VECTOR_FORMAT, **difference.metadata, **paths}
    with tensor_stream(out, shapes, metadata) as stream:
        for done, name in enumerate(shapes, 1):
            _store(stream, name, difference.delta(name), dtype)
            progress(done, len(shapes))
        if not stream.count:
            raise ExpertError(
                f"{aligned} has the same weights as {base}: there is no difference; give two models that differ"
            )


def _open(base: Path, aligned: Path) -> WeightDifference:
    if not is_adapter(base):
        opened = open_base(base)
        if opened.codes:
            raise ExpertError(
                f"base: {base} is quantised, and its codes cannot be subtracted; "
                "give the 16-bit checkpoint that it was made from"
            )
        return FromCheckpoint(opened, open_expert(ExpertSpec("aligned", aligned), opened).source)
    if not is_adapter(aligned):
        raise UserError(
            f"{base} is an adapter and {aligned} is a checkpoint; "
            "give two checkpoints, two adapters, or a checkpoint and an adapter trained on it"
        )
    for folder in (base, aligned):
        check_folder(folder, str(folder))
    first, second = open_adapter(base), open_adapter(aligned)
    for name in first.parameters():
        if name in second.parameters() and first.shape(name) != second.shape(name):
            raise ExpertError(
                f"{name} is {list(first.shape(name))} in {base} and {list(second.shape(name))} in {aligned}; "
                "give two adapters of one base"
            )
    return BetweenAdapters(first, second, _common_base(base, aligned))


def _common_base(first: Path, second: Path) -> str:
    """The fingerprint of the base that the adapters record; "" where that is not on this disk."""
    one, other = recorded_base(first), recorded_base(second)
    if one and other and difference(one, other):
        raise ExpertError(
            f"{first} was trained on a base with fingerprint {one.fingerprint}, {second} on one with "
            f"{other.fingerprint}; give two adapters of one base"
        )
    known = one or other
    return known.fingerprint if known else ""


def _store(stream: TensorStream, name: str, delta: Tensor | None, dtype: torch.dtype) -> None:
    if delta is None or not delta.any():
        return
    stored = delta.to(dtype)
    # Minimum and maximum are NaN where any value is; torch.isfinite would need memory for several copies.
    if not torch.isfinite(torch.stack(stored.aminmax())).all():
        remedy = "check both models" if dtype == torch.float32 else "check both models, or use float32"
        raise ExpertError(f"{name}: aligned minus base is not finite in {dtype}; {remedy}")
    stream.add(name, stored)

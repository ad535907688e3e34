"""Writes a safetensors file tensor by tensor: memory holds one tensor, not one model.

The format (github.com/huggingface/safetensors): 8 bytes of little-endian header length, the header in JSON (name ->
dtype, shape, offsets), the tensors' bytes without gaps. The header comes first, so space for it is reserved from the
shapes of the tensors that may follow. What it does not use is filled with blanks, which the format allows.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from swarm.core.errors import ExpertError
from swarm.core.files import replaced_file

DTYPE_NAMES: dict[torch.dtype, str] = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
CHECKED = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
LONGEST_OFFSET = 10**18  # an offset with more digits than any file's: the reserved space is always enough
ALIGNMENT = 8  # bytes, of the widest dtype


@dataclass
class TensorStream:
    """An open file.

    stream: the file, positioned behind its last tensor.
    header_bytes: the space that is reserved for the header.
    metadata: strings for the header.
    """

    stream: BinaryIO
    header_bytes: int
    metadata: Mapping[str, str]
    _entries: dict[str, object] = field(default_factory=dict)
    _offset: int = 0

    def add(self, name: str, tensor: Tensor) -> None:
        """Append a tensor. Wider dtypes must come first, so that every tensor is aligned.

        Raises ExpertError where it is not finite: nobody wants such a file.
        """
        check_finite(name, tensor)
        content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        assert self._offset % tensor.element_size() == 0, "wider dtypes come first"
        self.stream.write(content.data)
        end = self._offset + content.size
        self._entries[name] = _entry(DTYPE_NAMES[tensor.dtype], tensor.shape, self._offset, end)
        self._offset = end

    @property
    def count(self) -> int:
        return len(self._entries)

    def close(self) -> None:
        """Write the header into the space reserved for it."""
        header = _header(self._entries, self.metadata)
        assert len(header) <= self.header_bytes, "space was reserved for every tensor that may follow"
        self.stream.seek(0)
        self.stream.write(self.header_bytes.to_bytes(8, "little") + header.ljust(self.header_bytes))


def check_finite(name: str, tensor: Tensor) -> None:
    """Raise ExpertError where a tensor of a common floating-point dtype holds NaN or infinities."""
    if tensor.dtype not in CHECKED or not tensor.numel():
        return
    # Minimum and maximum are NaN where any value is; torch.isfinite would need memory for several copies.
    if not torch.isfinite(torch.stack(tensor.detach().aminmax())).all():
        raise ExpertError(
            f"{name} is not finite in {str(tensor.dtype).removeprefix('torch.')}; "
            "use a wider dtype or smaller coefficients, or train the expert again"
        )


@contextmanager
def tensor_stream(
    path: Path, shapes: Mapping[str, Iterable[int]], metadata: Mapping[str, str]
) -> Iterator[TensorStream]:
    """A file that takes some or all of the tensors that `shapes` names. Atomic; raises RunError.

    shapes: name -> shape, of every tensor that may be added. metadata: strings for the header.
    """
    longest = {name: _entry("F8_E4M3", shape, LONGEST_OFFSET, LONGEST_OFFSET) for name, shape in shapes.items()}
    size = len(_header(longest, metadata))
    header_bytes = size + (-size) % ALIGNMENT
    with replaced_file(path) as stream:
        stream.write(bytes(8 + header_bytes))
        tensors = TensorStream(stream, header_bytes, metadata)
        yield tensors
        tensors.close()


def _entry(dtype: str, shape: Iterable[int], start: int, end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


def _header(entries: Mapping[str, object], metadata: Mapping[str, str]) -> bytes:
    return json.dumps({"__metadata__": dict(metadata), **entries}, separators=(",", ":")).encode("utf-8")

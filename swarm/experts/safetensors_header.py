"""The header of a safetensors file, read and checked before anything else of the file is.

The format: 8 bytes of little-endian length, so many bytes of JSON (name -> dtype, shape, offsets), the tensors' bytes
without gaps. The library checks lengths, dtypes, shapes and offsets against the file; it does not mind a name that is
given twice, and takes the last.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from swarm.core.errors import ExpertError

METADATA = "__metadata__"
OFFSETS = b'"data_offsets"'  # in each tensor's entry
MOST_DIMENSIONS = 16
MOST_NAME = 1000  # characters
MOST_CHARACTERS = 200  # of the library's reason
REMEDY = "copy or save it again"


@dataclass(frozen=True)
class TensorInfo:
    """What a file's header says of a tensor.

    shape: its shape.
    dtype: its dtype as safetensors names it ("BF16").
    file: the file that holds it.
    """

    shape: tuple[int, ...]
    dtype: str
    file: Path

    @property
    def elements(self) -> int:
        n = 1
        for size in self.shape:
            n *= size
        return n


@dataclass(frozen=True)
class Header:
    """What stands before the tensors.

    tensors: by name.
    metadata: strings beside them.
    size: the header's bytes, without the 8 that hold its length.
    """

    tensors: Mapping[str, TensorInfo]
    metadata: Mapping[str, str]
    size: int


def read_header(file: Path) -> Header:
    """Raises ExpertError where the file is no complete safetensors file."""
    open_file(file)
    with file.open("rb") as stream:
        content = stream.read(int.from_bytes(stream.read(8), "little"))  # the library has refused what is too long
    try:
        entries = json.loads(content)
        metadata = entries.pop(METADATA, None) or {}
        if content.count(OFFSETS) != len(entries):  # a name is given twice, or one looks like that: slow, and exact
            json.loads(content, object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise _incomplete(file, error) from None
    for name, entry in entries.items():
        if len(name) > MOST_NAME:
            raise _incomplete(file, f"a name has {len(name)} characters")
        if len(entry["shape"]) > MOST_DIMENSIONS:
            raise _incomplete(file, f"{name} has {len(entry['shape'])} dimensions")
    tensors = {name: TensorInfo(tuple(entry["shape"]), entry["dtype"], file) for name, entry in entries.items()}
    return Header(tensors, metadata, len(content))


def open_file(file: Path) -> "safe_open":
    """The file, opened by the library, which checks its header. Raises ExpertError."""
    if not file.is_file():
        raise ExpertError(f"{file} does not exist or is no file; {REMEDY}")
    try:
        return safe_open(str(file), framework="pt", device="cpu")
    except (SafetensorError, OSError, ValueError) as error:
        raise _incomplete(file, error) from None


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object as a dict. Raises ValueError where a name is given twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the name {name!r} is given twice")
            seen.add(name)
    return found


def _incomplete(file: Path, reason: object) -> ExpertError:
    text = " ".join(str(reason).split())[:MOST_CHARACTERS]
    return ExpertError(f"{file} is not a complete safetensors file ({text}); {REMEDY}")

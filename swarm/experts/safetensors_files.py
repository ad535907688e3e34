"""Safetensors files, opened lazily: a checkpoint, a sharded checkpoint, an adapter or a vector file.

Nothing is unpickled: a folder that holds only pickled weights is refused.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from swarm.core.errors import ExpertError

PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
SAMPLED_BLOCKS = 256  # of a fingerprint: reads 1 MiB per file, however large it is
BLOCK_BYTES = 4096


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
class TensorFiles:
    """The tensors of one or several safetensors files, by name. Reading a tensor opens only its own file.

    files: what is read.
    left_out: tensors in them that do not count, such as a copy of the embeddings as a tied head.
    """

    files: tuple[Path, ...]
    left_out: frozenset[str] = frozenset()

    @classmethod
    def of(cls, path: Path, stem: str = "model") -> "TensorFiles":
        """The weights at `path`: a .safetensors file, or a folder that holds `stem`.safetensors or its shards.

        Where a folder holds both, transformers takes the single file and ignores index and shards.

        Raises ExpertError where the folder holds no weights, or only pickled ones.
        """
        if path.is_file():
            return cls((path,))
        whole, index = path / f"{stem}.safetensors", path / f"{stem}.safetensors.index.json"
        if whole.is_file():
            return cls((whole,))
        if index.is_file():
            return cls(_shards(index))
        raise _no_weights(path, stem)

    @cached_property
    def info(self) -> Mapping[str, TensorInfo]:
        """Every tensor's shape and dtype, from the headers alone."""
        found = {name: info for file in self.files for name, info in _header(file)}
        return {name: info for name, info in found.items() if name not in self.left_out}

    @cached_property
    def metadata(self) -> Mapping[str, str]:
        """The metadata in the files' headers (strings), merged."""
        return {key: value for file in self.files for key, value in (_open(file).metadata() or {}).items()}

    def read(self, name: str) -> torch.Tensor:
        """One tensor, in its stored dtype, on the CPU."""
        tensor: torch.Tensor = _open(self.info[name].file).get_tensor(name)
        return tensor

    def check_finite(self, owner: str) -> None:
        """Raise ExpertError at the first tensor with a NaN or an infinity."""
        for name in self.info:
            tensor = self.read(name)
            if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                raise ExpertError(
                    f"{owner}: tensor {name} in {self.info[name].file} holds NaN or infinite values; "
                    "train or convert it again"
                )

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits over each file's size, header and 256 evenly spaced blocks of 4 KiB."""
        digest = hashlib.sha256()
        for file in self.files:
            for block in _blocks(file):
                digest.update(block)
        return digest.hexdigest()[:16]


def read_json(path: Path, owner: str) -> dict[str, object]:
    """The JSON object in a file of a model's folder. `owner` begins the message. Raises ExpertError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ExpertError(f"{owner}: {path} does not exist; give the folder of a saved model") from None
    except (OSError, ValueError) as error:
        raise ExpertError(f"{owner}: {path} cannot be read as JSON ({error}); save the model again") from None
    if not isinstance(content, dict):
        raise ExpertError(f"{owner}: {path} does not hold a JSON object; save the model again")
    return content


def _shards(index: Path) -> tuple[Path, ...]:
    weight_map = read_json(index, str(index.parent)).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ExpertError(f"{index} has no weight_map; save the model again")
    files = tuple(index.parent / name for name in sorted({str(file) for file in weight_map.values()}))
    for file in files:
        if not file.is_file():
            raise ExpertError(f"{index}: the shard {file.name} is missing; copy it beside the index")
    return files


def _no_weights(path: Path, stem: str) -> ExpertError:
    if not path.exists():
        return ExpertError(f"{path} does not exist; check the path of the base or expert")
    pickles = sorted(file.name for pattern in PICKLES for file in path.glob(pattern) if path.is_dir())
    if pickles:
        return ExpertError(
            f"{path} holds pickled weights ({pickles[0]}), which can run code when loaded; "
            "save them as safetensors (save_pretrained does) and try again"
        )
    return ExpertError(f"{path} holds no {stem}.safetensors; give a folder that save_pretrained has written")


def _open(file: Path) -> "safe_open":
    try:
        return safe_open(str(file), framework="pt", device="cpu")
    except (SafetensorError, OSError) as error:
        raise ExpertError(f"{file} is not a complete safetensors file ({error}); copy or save it again") from None


def _header(file: Path) -> Iterator[tuple[str, TensorInfo]]:
    handle = _open(file)
    for name in handle.keys():  # noqa: SIM118 - safe_open is not a mapping
        tensor = handle.get_slice(name)
        yield name, TensorInfo(tuple(tensor.get_shape()), tensor.get_dtype(), file)


def _blocks(file: Path) -> Iterator[bytes]:
    size = file.stat().st_size
    yield str(size).encode()
    with file.open("rb") as stream:
        header = int.from_bytes(stream.read(8), "little")
        yield stream.read(header)
        for step in range(SAMPLED_BLOCKS):
            stream.seek(8 + header + (size - 8 - header) * step // SAMPLED_BLOCKS)
            yield stream.read(BLOCK_BYTES)

"""Safetensors files, opened lazily: a checkpoint, a sharded checkpoint, an adapter or a vector file.

Nothing is unpickled: a folder that holds only pickled weights is refused.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath

import torch
from safetensors import SafetensorError, safe_open

from swarm.core.errors import ExpertError
from swarm.core.terminal_text import shortened
from swarm.experts.model_folder import check_inside
from swarm.experts.safetensors_header import Header, open_file, read_header
from swarm.experts.safetensors_header import TensorInfo as TensorInfo  # it belongs to what is read here

PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
WIDE = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
NARROW = (torch.float8_e4m3fn, torch.float8_e5m2)  # float16 holds all of their values
SAMPLED_BLOCKS = 256  # of a fingerprint: reads 1 MiB per file, however large it is
BLOCK_BYTES = 4096
MOST_JSON = 100_000_000  # bytes of a JSON file: as the safetensors library allows in a header


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
        found = {name: info for header in self._headers for name, info in header.tensors.items()}
        return {name: info for name, info in found.items() if name not in self.left_out}

    @cached_property
    def metadata(self) -> Mapping[str, str]:
        """The metadata in the files' headers (strings), merged."""
        return {key: value for header in self._headers for key, value in header.metadata.items()}

    @cached_property
    def _headers(self) -> tuple[Header, ...]:
        return tuple(read_header(file) for file in self.files)

    def read(self, name: str) -> torch.Tensor:
        """One tensor, in its stored dtype, on the CPU."""
        file = self.info[name].file
        return _tensor(open_file(file), name, file)

    def check_finite(self, owner: str) -> None:
        """Raise ExpertError at the first tensor with a NaN or an infinity."""
        opened: dict[Path, safe_open] = {}  # each once: to open a file is to read its whole header
        for name, info in self.info.items():
            if info.file not in opened:
                opened = {info.file: open_file(info.file)}
            tensor = _tensor(opened[info.file], name, info.file)
            tensor = tensor.half() if tensor.dtype in NARROW else tensor
            if tensor.dtype in WIDE and not torch.isfinite(tensor).all():
                raise ExpertError(
                    f"{owner}: tensor {name} in {info.file} holds NaN or infinite values; train or convert it again"
                )

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits over each file's size, header and 256 evenly spaced blocks of 4 KiB."""
        digest = hashlib.sha256()
        for file, header in zip(self.files, self._headers, strict=True):
            for block in _blocks(file, header.size):
                digest.update(block)
        return digest.hexdigest()[:16]


def _tensor(opened: "safe_open", name: str, file: Path) -> torch.Tensor:
    try:
        tensor: torch.Tensor = opened.get_tensor(name)
    except SafetensorError as error:  # a dtype that torch lacks
        raise ExpertError(f"{file}: {name} cannot be read ({error}); save it in float32, float16 or bfloat16") from None
    return tensor


def read_json(path: Path, owner: str) -> dict[str, object]:
    """The JSON object in a file of a model's folder. `owner` begins the message. Raises ExpertError."""
    try:
        if path.exists() and not path.is_file():  # a pipe or a device would never end
            raise ExpertError(f"{owner}: {path} is no regular file; save the model again")
        if path.stat().st_size > MOST_JSON:
            raise ExpertError(
                f"{owner}: {path} has {path.stat().st_size} bytes, too many for JSON; save the model again"
            )
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ExpertError(f"{owner}: {path} does not exist; give the folder of a saved model") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ExpertError(f"{owner}: {path} cannot be read as JSON ({error}); save the model again") from None
    if not isinstance(content, dict):
        raise ExpertError(f"{owner}: {path} does not hold a JSON object; save the model again")
    return content


def _shards(index: Path) -> tuple[Path, ...]:
    weight_map = read_json(index, str(index.parent)).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ExpertError(f"{index} has no weight_map; save the model again")
    names = [*dict.fromkeys(name if isinstance(name, str) else json.dumps(name) for name in weight_map.values())]
    return tuple(_shard(index, name) for name in sorted(names))


def _shard(index: Path, name: str) -> Path:
    """The file of a name in weight_map, which must lie beside the index, or below."""
    parts = PurePath(name).parts
    if not name.endswith(".safetensors") or PurePath(name).is_absolute() or ".." in parts:
        raise ExpertError(
            f"{index}: weight_map names {shortened(name)}, which is no safetensors file of this folder; "
            "copy the shard beside the index and correct its name there"
        )
    file = index.parent / name
    if not _exists(file):
        raise ExpertError(f"{index}: the shard {shortened(file.name)} is missing; copy it beside the index")
    check_inside(file, index.parent, str(index))
    return file


def _exists(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError:  # a name that no file can have
        return False


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


def _blocks(file: Path, header: int) -> Iterator[bytes]:
    size = file.stat().st_size
    yield str(size).encode()
    with file.open("rb") as stream:
        stream.seek(8)
        yield stream.read(header)
        for step in range(SAMPLED_BLOCKS):
            stream.seek(8 + header + (size - 8 - header) * step // SAMPLED_BLOCKS)
            yield stream.read(BLOCK_BYTES)

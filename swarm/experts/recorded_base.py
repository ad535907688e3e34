"""The base that an adapter records (base_model_name_or_path), where it is on disk and can be compared.

The recorded folder is often gone, on another machine, pickled, quantised, or another precision of the same weights:
none of these is an obstacle. Only another model is.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from swarm.core.errors import ExpertError
from swarm.experts.quantisation import quantisation
from swarm.experts.safetensors_files import TensorFiles, read_json

# Dtypes that hold weights as they are: others are quantised, and compared with nothing.
PLAIN = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
SAMPLES = 4096  # elements compared per tensor: a fine-tune moves nearly all elements of a tensor that it moves at all
SMALLEST_F16 = 2.0**-24


def recorded_base(path: Path) -> TensorFiles | None:
    """The weights of the base that the adapter records; None where they are not on disk as safetensors."""
    recorded = read_json(path / "adapter_config.json", str(path)).get("base_model_name_or_path")
    if not isinstance(recorded, str):
        return None
    try:
        folder = Path(recorded)
        if not folder.is_absolute() or not (folder / "config.json").is_file():
            return None
        files = TensorFiles.of(folder)
        quantised = quantisation(read_json(folder / "config.json", str(folder)))
        return files if files.info and not quantised else None
    except (ExpertError, OSError, ValueError):
        return None


def check_trained_on(path: Path, base: TensorFiles, owner: str) -> None:
    """Raise ExpertError where the base that the adapter records can be compared and is another model."""
    recorded = recorded_base(path)
    if recorded is None:
        return
    different = difference(recorded, base)
    if different:
        raise ExpertError(
            f"{owner}: the base that its adapter_config.json records was trained to other weights than this base "
            f"(fingerprints {recorded.fingerprint} and {base.fingerprint}, the first difference is {different}); "
            "give the base it was trained on"
        )


def difference(one: TensorFiles, other: TensorFiles) -> str | None:
    """The first tensor in which two models differ by more than precision; None where they do not or cannot be compared.

    Only tensors that both have are compared: a tied head may be in one file alone.
    """
    if one.fingerprint == other.fingerprint:
        return None
    common = [name for name in one.info if name in other.info]
    if not all(info.dtype in (*PLAIN, "I64", "BOOL") for files in (one, other) for info in files.info.values()):
        return None  # quantised
    try:
        return next((name for name in common if not _same(one, other, name)), None)
    except (ExpertError, OSError):
        return None


def equal_but_for_precision(one: Tensor, other: Tensor) -> bool:
    """True where two tensors of one shape may be the same numbers, stored in two dtypes."""
    if one.dtype == other.dtype:
        return any(bool((first == second).all()) for first, second in _roundings(one, other))
    eps = sum(torch.finfo(tensor.dtype).eps for tensor in (one, other))
    allowed = other.double().abs() * eps + (SMALLEST_F16 if torch.float16 in (one.dtype, other.dtype) else 0.0)
    return bool(((one.double() - other.double()).abs() <= allowed).all())


def _roundings(one: Tensor, other: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The two as they are, and one of them rounded to 16 bits: weights may be stored wider than they were made."""
    yield one, other
    for narrow in (torch.bfloat16, torch.float16):
        yield one.to(narrow).to(one.dtype), other
        yield one, other.to(narrow).to(other.dtype)


def _same(one: TensorFiles, other: TensorFiles, name: str) -> bool:
    first, second = one.read(name), other.read(name)
    if not first.is_floating_point() or not second.is_floating_point():
        return True
    if first.ndim != second.ndim or first.shape[1:] != second.shape[1:]:
        return False
    if first.shape != second.shape and "embed" not in name and "lm_head" not in name and "wte" not in name:
        return False
    rows = min(len(first), len(second)) if first.ndim else 1  # embeddings may be padded
    first, second = (tensor.reshape(-1, *tensor.shape[1:])[:rows].flatten() for tensor in (first, second))
    step = max(1, len(first) // SAMPLES) | 1  # odd: not always the same columns
    return equal_but_for_precision(first[::step], second[::step])

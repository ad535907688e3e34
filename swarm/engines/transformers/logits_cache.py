"""Logits that do not depend on coefficients, kept in memory-mapped files: one pass of a model serves a whole search.

Under teacher forcing a model's logits at the positions that are needed are the same for every candidate. They are kept
in the dtype in which the model gave them, so a combination from the cache has the bits of one from fresh passes. The
files have no name, so that they vanish with the process, whatever ends it.

Shape suffixes: M logits, V vocabulary.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from swarm.core.errors import ConfigError, DeviceError
from swarm.core.sizes import size_text
from swarm.engines.transformers.packing import Packing

RESERVE = 0.05  # share of the disk that is left free


def cache_folder() -> Path:
    """Where caches are: $TMPDIR, or the system's folder for temporary files."""
    return Path(tempfile.gettempdir())


def check_room(needed: float) -> None:
    """Raise ConfigError where the cache's disk has fewer than `needed` bytes free."""
    usage = shutil.disk_usage(cache_folder())
    free = usage.free - RESERVE * usage.total
    if needed > free:
        raise ConfigError(
            f"composition: the cache of logits needs {size_text(needed)}, and {cache_folder()} has "
            f"{size_text(max(0.0, free))} to spare; set TMPDIR to a larger disk, give fewer examples, or fewer experts"
        )


class LogitsCache:
    """Of each model the logits of the packings that were asked for.

    They are kept by packing, not by request: a row of another batch may differ in its last bits, and a score must not
    depend on what was scored before.
    """

    def __init__(self) -> None:
        self._packings: WeakKeyDictionary[Packing, dict[str, Tensor]] = WeakKeyDictionary()

    def get(self, model: str, packing: Packing, compute: Callable[[], Tensor]) -> Tensor:
        """The logits that a packing needs, shape (M, V): kept ones, or those that `compute` returns.

        They are on the device of the packing.
        """
        kept = self._packings.setdefault(packing, {})
        if model not in kept:
            kept[model] = _mapped(compute())
        return kept[model].to(packing.owner_M.device)


def _mapped(logits_MV: Tensor) -> Tensor:
    """The same values in a mapped file, which is on the host.

    A mapped page is read from disk when it is needed, so that the cache may be larger than memory.
    """
    with tempfile.NamedTemporaryFile(prefix="swarm-logits-", dir=cache_folder(), delete=False) as file:
        try:
            # A full disk is an error here; writing to the mapping would be a signal that kills the process.
            os.posix_fallocate(file.fileno(), 0, max(1, logits_MV.nbytes))
            mapped = torch.from_file(file.name, shared=True, size=logits_MV.numel(), dtype=logits_MV.dtype)
        except OSError as error:
            raise DeviceError(f"no room for logits in {cache_folder()} ({error.strerror}); set TMPDIR") from error
        finally:
            os.unlink(file.name)
    return mapped.view(logits_MV.shape).copy_(logits_MV)

"""What a node has: files, versions, free memory.

Imports the standard library alone, since the module is sent to nodes as it is: a node without our packages, or with
other versions, can still report.
"""

import hashlib
import importlib
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

PACKAGES = ("torch", "transformers", "numpy")
BLOCKS, BLOCK_BYTES = 64, 4096  # read of a large file: enough to notice other weights, quick on a slow disk
READERS = 16
# Version 2 of control groups, then version 1: controller, folder, file of the limit, file of the usage.
CGROUPS = (("", "", "memory.max", "memory.current"),
           ("memory", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"))  # fmt: skip
RECLAIMABLE = ("inactive_file ", "active_file ")  # cached file pages, counted as used by control groups
T = TypeVar("T")


@dataclass(frozen=True)
class Fingerprint:
    """What distinguishes a file from another.

    size: in bytes.
    digest: hash of the file, or of 64 blocks of 4 KiB, evenly spaced, if it is larger than these; "" if there was no
        time to read it.
    problem: why there is neither size nor digest; "" if there are.
    """

    size: int = 0
    digest: str = ""
    problem: str = ""


@dataclass(frozen=True)
class NodeReport:
    """What a node has.

    files: fingerprint by path.
    versions: version by package; "" for a missing package.
    memory: free bytes; None if they cannot be determined.
    gpus: free bytes of each GPU; None if they cannot be determined.
    """

    files: Mapping[str, Fingerprint]
    versions: Mapping[str, str]
    memory: float | None = None
    gpus: tuple[float, ...] | None = None


def report_node(paths: Sequence[str], seconds: float, gpus: bool) -> NodeReport:
    """The report of this machine. Files that cannot be read within `seconds` have no digest, or a problem."""
    return NodeReport(fingerprints(paths, seconds), versions(), free_memory(), free_gpus() if gpus else None)


def fingerprints(paths: Sequence[str], seconds: float) -> dict[str, Fingerprint]:
    """A fingerprint per path. A file system that does not answer blocks threads, but not the caller."""
    end = time.monotonic() + seconds
    readers = ThreadPoolExecutor(READERS)
    try:
        sized = _answers(readers, _sized, paths, end)
        read = _answers(readers, _digest, [path for path, file in sized.items() if not file.problem], end)
    finally:
        readers.shutdown(wait=False, cancel_futures=True)
    silent = Fingerprint(problem=f"no answer within {seconds:g} s")
    found = {path: sized.get(path, silent) for path in paths}
    return {path: Fingerprint(file.size, read.get(path, ""), file.problem) for path, file in found.items()}


def versions() -> dict[str, str]:
    """The versions of Python (major.minor), Swarm and the packages that scores depend on."""
    found = {"python": f"{sys.version_info[0]}.{sys.version_info[1]}", "swarm": _swarm()}
    return found | {package: _version(package) for package in PACKAGES}


def free_memory() -> float | None:
    """Bytes that processes can still take, by the machine's memory and the limits of our control groups."""
    machine = _lines(Path("/proc/meminfo"), "MemAvailable:")
    found = [1024.0 * int(line.split()[1]) for line in machine]
    for controller, folder, limit, usage in CGROUPS:
        for line in _lines(Path("/proc/self/cgroup")):
            _, names, path = line.split(":", 2)
            if controller in names.split(","):
                root = Path("/sys/fs/cgroup") / folder
                found.extend(_left(root, root / path.strip("/"), limit, usage))
    return min(found, default=None)


def free_gpus() -> tuple[float, ...] | None:
    """Free bytes of each NVIDIA GPU. nvidia-smi is asked, since a CUDA context takes memory and seconds."""
    query = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        output = subprocess.run(query, capture_output=True, text=True, timeout=3, check=True).stdout
        return tuple(float(line) * 2**20 for line in output.split())
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def _answers(readers: ThreadPoolExecutor, ask: Callable[[str], T], paths: Sequence[str], end: float) -> dict[str, T]:
    """The answers that arrive in time, by path."""
    asked = {readers.submit(ask, path): path for path in paths}
    done, _ = wait(asked, timeout=None if math.isinf(end) else max(0.0, end - time.monotonic()))
    return {asked[each]: each.result() for each in done}


def _sized(path: str) -> Fingerprint:
    try:
        with open(path, "rb") as stream:
            return Fingerprint(os.fstat(stream.fileno()).st_size)
    except OSError as error:
        return Fingerprint(problem=error.strerror or type(error).__name__)


def _digest(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size <= BLOCKS * BLOCK_BYTES:
            return hashlib.sha256(stream.read()).hexdigest()[:16]
        for block in range(BLOCKS):
            stream.seek((size - BLOCK_BYTES) * block // (BLOCKS - 1))
            digest.update(stream.read(BLOCK_BYTES))
    return digest.hexdigest()[:16]


def _swarm() -> str:
    try:
        return str(importlib.import_module("swarm").__version__)
    except Exception:
        return ""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _left(root: Path, group: Path, limit: str, usage: str) -> list[float]:
    """Free bytes by the limits of a control group and of its parents. Cached file pages count as free."""
    found = []
    for each in (group, *group.parents):
        if not each.is_relative_to(root):
            break
        most, used = _lines(each / limit), _lines(each / usage)
        if most and used and most[0].strip().isdigit():
            pages = sum(int(line.split()[1]) for line in _lines(each / "memory.stat", RECLAIMABLE))
            found.append(float(int(most[0]) - int(used[0]) + pages))
    return found


def _lines(file: Path, start: str | tuple[str, ...] = "") -> list[str]:
    """The lines that begin with `start`; none if the file does not exist."""
    try:
        return [line for line in file.read_text().splitlines() if line.startswith(start)]
    except OSError:
        return []

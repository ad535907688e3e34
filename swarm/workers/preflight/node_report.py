"""What a node has: files, versions, memory. Standard library only, since it is sent to nodes as it stands.

So a node without our packages, or with others, can say so.
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
BLOCKS, BLOCK_BYTES = 64, 4096
READERS = 16
CGROUPS = (("", "", "memory.max", "memory.current"),
           ("memory", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"))  # fmt: skip
FILE_PAGES = ("inactive_file ", "active_file ")
T = TypeVar("T")


@dataclass(frozen=True)
class Mark:
    """What tells a file from another: its size, and a hash of its whole or of 64 blocks of 4 KiB, evenly spaced.

    digest: "" where there was no time to read it. problem: why there is neither size nor digest, "" where there are.
    """

    size: int = 0
    digest: str = ""
    problem: str = ""


@dataclass(frozen=True)
class NodeReport:
    """marks by path; versions by package, "" where it is missing; free bytes of memory, and of each GPU.

    None: this cannot be known here.
    """

    marks: Mapping[str, Mark]
    versions: Mapping[str, str]
    memory: float | None = None
    gpus: tuple[float, ...] | None = None


def look(paths: Sequence[str], seconds: float, gpus: bool) -> NodeReport:
    """What is here. Files that are not read in so many seconds have no digest, or a problem."""
    return NodeReport(marks(paths, seconds), versions(), free_memory(), free_gpus() if gpus else None)


def marks(paths: Sequence[str], seconds: float) -> dict[str, Mark]:
    """A mark for each path. A file system that does not answer keeps its threads, not us."""
    end = time.monotonic() + seconds
    readers = ThreadPoolExecutor(READERS)
    try:
        sized = _answers(readers, _sized, paths, end)
        read = _answers(readers, _digest, [path for path, mark in sized.items() if not mark.problem], end)
    finally:
        readers.shutdown(wait=False, cancel_futures=True)
    silent = Mark(problem=f"no answer within {seconds:g} s")
    found = {path: sized.get(path, silent) for path in paths}
    return {path: Mark(mark.size, read.get(path, ""), mark.problem) for path, mark in found.items()}


def versions() -> dict[str, str]:
    """Of Python (major.minor), swarm and what scores depend on."""
    found = {"python": f"{sys.version_info[0]}.{sys.version_info[1]}", "swarm": _swarm()}
    return found | {package: _version(package) for package in PACKAGES}


def free_memory() -> float | None:
    """Bytes that processes can still take here: of the machine, and of the control groups that we are in."""
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
    """Free bytes of each NVIDIA GPU, asked without opening one: a context takes memory, and seconds."""
    query = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(query, capture_output=True, text=True, timeout=3, check=True).stdout
        return tuple(float(line) * 2**20 for line in told.split())
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def _answers(readers: ThreadPoolExecutor, ask: Callable[[str], T], paths: Sequence[str], end: float) -> dict[str, T]:
    """What is answered in time."""
    asked = {readers.submit(ask, path): path for path in paths}
    done, _ = wait(asked, timeout=None if math.isinf(end) else max(0.0, end - time.monotonic()))
    return {asked[each]: each.result() for each in done}


def _sized(path: str) -> Mark:
    try:
        with open(path, "rb") as stream:
            return Mark(os.fstat(stream.fileno()).st_size)
    except OSError as error:
        return Mark(problem=error.strerror or type(error).__name__)


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
    """What the limits of a control group and of those around it leave; file pages can be taken back."""
    found = []
    for each in (group, *group.parents):
        if not each.is_relative_to(root):
            break
        most, used = _lines(each / limit), _lines(each / usage)
        if most and used and most[0].strip().isdigit():
            pages = sum(int(line.split()[1]) for line in _lines(each / "memory.stat", FILE_PAGES))
            found.append(float(int(most[0]) - int(used[0]) + pages))
    return found


def _lines(file: Path, start: str | tuple[str, ...] = "") -> list[str]:
    """The lines that start so, or none where there is no such file."""
    try:
        return [line for line in file.read_text().splitlines() if line.startswith(start)]
    except OSError:
        return []

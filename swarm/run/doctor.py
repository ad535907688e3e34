"""What `swarm check` says without a config: whether the installation and this machine are fit for a search.

Nothing is started, and no network is asked unless the user wants the hub to be tried.
"""

import importlib.util
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from swarm import __version__
from swarm.core.errors import ConfigError, first_line
from swarm.core.sizes import size_text
from swarm.core.terminal_text import one_line, shortened
from swarm.workers.preflight.node_report import free_gpus, free_memory
from swarm.zoo import cache_directory

Level = Literal["ok", "note", "problem"]
DISTRIBUTION = "swarm-experts"
GIB = 2.0**30
LEAST_MEMORY, ENOUGH_MEMORY = 2 * GIB, 6 * GIB  # Ray and one worker of a tiny model; one of a model of 1 B parameters
LEAST_DISK, ENOUGH_DISK = 1 * GIB, 20 * GIB
LEAST_FILES = 1024  # open at a time: Ray needs some dozens for each worker
EXTRAS = {
    "vllm": "vllm", "optuna": "optuna", "pyarrow": "parquet", "trl": "build", "tensorboard": "tensorboard",
    "wandb": "wandb", "mlflow": "mlflow", "trackio": "trackio", "vaderSentiment": "text",
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One thing that was examined.

    level: a problem keeps a search from running; a note may slow or limit one.
    remedy: what to do; "" where nothing is.
    """

    level: Level
    what: str
    found: str
    remedy: str = ""

    @property
    def line(self) -> str:
        """In words."""
        return one_line(f"{self.level:8} {self.what:12} {self.found}{f'; {self.remedy}' if self.remedy else ''}")

    def content(self) -> dict[str, str]:
        """For --json."""
        return {"level": self.level, "what": self.what, "found": self.found, "remedy": self.remedy}


def examined(hub: bool = False) -> list[Finding]:
    """Everything, in the order in which it matters. hub: also whether the hub answers."""
    parts: list[Callable[[], Iterator[Finding]]] = [
        _packages, _torch, _gpu, _cores, _memory, _ray, _files, _folders, _hub_settings, _extras,
    ]  # fmt: skip
    return [finding for part in (*parts, *([_hub] if hub else [])) for finding in _guarded(part)]


def _guarded(part: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """What a part finds; where it cannot load what it needs, that."""
    try:
        return list(part())
    except (ImportError, OSError) as error:  # a package that is missing, or one whose libraries are
        name = getattr(error, "name", None) or part.__name__.strip("_")
        return [Finding("problem", str(name), f"cannot be loaded ({first_line(error)})", "install it anew")]


def _packages() -> Iterator[Finding]:
    yield Finding("ok", "swarm", f"{__version__}, Python {sys.version.split()[0]}")
    wrong = list(_wrong_packages())
    yield from wrong
    if not wrong:
        yield Finding("ok", "packages", "all that are needed are installed, in versions that fit")


def _wrong_packages() -> Iterator[Finding]:
    try:
        needed = [Requirement(line) for line in requires(DISTRIBUTION) or ()]
    except PackageNotFoundError:
        yield Finding("note", "packages", f"{DISTRIBUTION} is not installed, only its folder", "pip install -e .")
        return
    for each in needed:
        if each.marker is not None and not each.marker.evaluate({"extra": ""}):
            continue
        try:
            there = version(each.name)
        except PackageNotFoundError:
            there = ""
        if not there or not each.specifier.contains(there, prereleases=True):
            state = f"is {there}" if there else "is missing"
            yield Finding(
                "problem",
                each.name,
                f"{state}, needed is {each.specifier}",
                f'pip install "{each.name}{each.specifier}"',
            )


def _torch() -> Iterator[Finding]:
    import torch

    built = torch.version.cuda or torch.version.hip
    yield Finding("ok", "torch", f"{torch.__version__}, built for {f'GPUs ({built})' if built else 'CPUs alone'}")


def _gpu() -> Iterator[Finding]:
    import torch

    seen = torch.cuda.device_count()
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    free = free_gpus()
    if seen:
        names = ", ".join(torch.cuda.get_device_name(i) for i in range(seen))
        room = f", {', '.join(map(size_text, free))} free" if free else ""
        yield Finding("ok", "GPU", f"{names}{room}")
    elif free and hidden is not None:
        yield Finding(
            "note",
            "GPU",
            f"the machine has {len(free)}, hidden by CUDA_VISIBLE_DEVICES={hidden!r}",
            "unset it to use them",
        )
    elif free:
        yield Finding(
            "problem", "GPU", f"the machine has {len(free)}, and this torch cannot use them",
            "install the torch build for your driver, from https://pytorch.org/get-started",
        )  # fmt: skip
    else:
        yield Finding("ok", "GPU", "none; searches run on the CPU")


def _cores() -> Iterator[Finding]:
    from swarm.workers.ray.local import local_resources

    cores = int(local_resources()["CPU"])
    yield Finding("ok", "cores", f"{cores} for workers (of the machine's {os.cpu_count()})")
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        value = os.environ.get(name)
        if value is None:
            continue
        if not value.isdigit() or int(value) < 1:
            yield Finding("problem", "threads", f"{name}={value!r} is not a number of threads", f"unset {name}")
        elif int(value) > cores:
            yield Finding(
                "note", "threads", f"{name}={value} is more than the {cores} cores: threads wait for each other",
                f"unset {name}, or set it to {cores} at most",
            )  # fmt: skip


def _memory() -> Iterator[Finding]:
    free = free_memory()
    if free is None:
        yield Finding("note", "memory", "what is free cannot be determined here")
        return
    level: Level = "problem" if free < LEAST_MEMORY else "note" if free < ENOUGH_MEMORY else "ok"
    remedy = "close other programs, or raise the limit of the container" if level != "ok" else ""
    yield Finding(level, "memory", f"{size_text(free)} free, within the limits of the control group", remedy)


def _ray() -> Iterator[Finding]:
    from swarm.workers.ray.connect import check_reachable
    from swarm.workers.ray.local import check_startable

    address = os.environ.get("RAY_ADDRESS")
    try:
        if address and address != "local":
            check_reachable(address, "RAY_ADDRESS")
            yield Finding("ok", "Ray", f"{version('ray')}, joins the cluster at RAY_ADDRESS={address}")
            return
        check_startable()
    except ConfigError as error:
        problem, _, remedy = str(error).rpartition("; ")
        yield Finding("problem", "Ray", problem or remedy, remedy if problem else "")
        return
    yield Finding("ok", "Ray", f"{version('ray')}, started on this machine for each search")


def _files() -> Iterator[Finding]:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < LEAST_FILES:
        yield Finding("problem", "open files", f"at most {most}, and Ray needs more", f"ulimit -n {4 * LEAST_FILES}")
    largest, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if largest != resource.RLIM_INFINITY and largest < LEAST_DISK:
        yield Finding("problem", "file size", f"files of at most {size_text(largest)}", "ulimit -f unlimited")


def _folders() -> Iterator[Finding]:
    from huggingface_hub import constants

    places: Mapping[str, tuple[Path, str]] = {
        "runs": (Path.cwd() / "runs", "search from a folder that you may write to, or give --run-dir"),
        "zoo cache": (cache_directory(), "set SWARM_CACHE to a folder that you may write to"),
        "hub cache": (Path(constants.HF_HUB_CACHE), "set HF_HOME to a folder that you may write to"),
    }
    for what, (place, remedy) in places.items():
        yield _folder(what, place, remedy)


def _folder(what: str, place: Path, remedy: str) -> Finding:
    try:
        there = next(each for each in (place, *place.parents) if each.exists())
        with tempfile.TemporaryFile(dir=there):
            free = shutil.disk_usage(there).free
    except OSError as error:
        return Finding("problem", what, f"{place} cannot be written ({error.strerror})", remedy)
    level: Level = "problem" if free < LEAST_DISK else "note" if free < ENOUGH_DISK else "ok"
    more = "" if level == "ok" else "free some; a model of 7 B parameters takes 15 GiB"
    return Finding(level, what, f"{place}: {size_text(free)} free", more)


def _hub_settings() -> Iterator[Finding]:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        yield Finding(
            "note", "hub", "HF_HUB_OFFLINE is set: only what is downloaded already is found", "unset it to download"
        )


def _hub() -> Iterator[Finding]:
    from huggingface_hub import HfApi, constants

    try:
        HfApi().model_info("HuggingFaceTB/SmolLM2-135M", timeout=10)
    except Exception as error:  # a proxy, no name service, no certificate: whatever keeps a download from working
        reason = shortened(str(error).strip().partition("\n")[0] or type(error).__name__, 120)
        yield Finding(
            "problem", "hub", f"{constants.ENDPOINT} did not answer ({reason})", "use local folders, or set HF_ENDPOINT"
        )
    else:
        yield Finding("ok", "hub", f"{constants.ENDPOINT} answers")


def _extras() -> Iterator[Finding]:
    known = {package: importlib.util.find_spec(package) is not None for package in EXTRAS}
    there = [name for package, name in EXTRAS.items() if known[package]]
    missing = [name for package, name in EXTRAS.items() if not known[package]]
    yield Finding(
        "ok", "extras", f"installed: {', '.join(there) or 'none'}; not installed: {', '.join(missing) or 'none'}"
    )

"""The directory of zoos, and atomic builds: a zoo is complete in its directory, or not there at all."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from swarm.core.errors import UserError
from swarm.zoo.base import Builder, BuildPaths, Progress, ZooRecipe

MANIFEST = "zoo.json"


def cache_directory() -> Path:
    """The folder `zoo` in $SWARM_CACHE or ~/.cache/swarm."""
    return Path(os.environ.get("SWARM_CACHE") or Path.home() / ".cache" / "swarm").expanduser() / "zoo"


def build_at(builder: Builder, name: str, directory: Path, progress: Progress) -> Path:
    """Build next to `directory` and rename at the end. Returns at once where it has a zoo of the same recipe.

    Raises UserError where the directory cannot be made, or has other content.
    """
    final = Path(os.path.abspath(directory.expanduser()))
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(final, error) from None
    with _lock(final.with_name(f".{final.name}.lock")):
        if not is_complete(final, builder.recipe):
            _check_replaceable(final)
            _build(builder, name, final, progress)
    progress(f"{name} is at {final}", 1.0)
    return final


def _build(builder: Builder, name: str, final: Path, progress: Progress) -> None:
    work = final.with_name(f".{final.name}.partial")
    _remove(work)
    try:
        _fill(builder, name, BuildPaths(work, final), progress)
        _replace(final, work)
    finally:
        _remove(work)


def _unwritable(final: Path, error: OSError) -> UserError:
    in_cache = final.is_relative_to(os.path.abspath(cache_directory()))
    remedy = "set SWARM_CACHE to a folder with write permission" if in_cache else "choose another directory"
    return UserError(f"zoo: {final} cannot be created ({error.strerror}); {remedy}")


def is_complete(directory: Path, recipe: ZooRecipe) -> bool:
    """Whether a zoo of exactly this recipe was completed there."""
    manifest = directory / MANIFEST
    return manifest.is_file() and json.loads(manifest.read_text())["fingerprint"] == recipe.fingerprint


def _fill(builder: Builder, name: str, paths: BuildPaths, progress: Progress) -> None:
    paths.work.mkdir()
    builder.make(paths, progress)
    experts = [expert.name for expert in builder.recipe.experts]
    manifest = {"name": name, "fingerprint": builder.recipe.fingerprint, "experts": experts}
    (paths.work / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


def _replace(final: Path, work: Path) -> None:
    """Move `work` to `final`, in place of an older zoo if there is one."""
    old = final.with_name(f".{final.name}.old")
    _remove(old)
    if final.exists():
        final.rename(old)
    work.rename(final)
    _remove(old)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _check_replaceable(directory: Path) -> None:
    """Raises UserError for a folder that is not a zoo: it belongs to the user and is not replaced."""
    if directory.is_file() or (
        directory.exists() and not (directory / MANIFEST).is_file() and any(directory.iterdir())
    ):
        raise UserError(f"zoo: {directory} contains files that are not a zoo; choose a new or an empty directory")


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Builds of the same zoo run one after the other; the second finds it complete. A killed build holds no lock."""
    try:
        file = path.open("w")
    except OSError as error:
        raise _unwritable(path.parent / path.name.removeprefix(".").removesuffix(".lock"), error) from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

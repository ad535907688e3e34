"""Writing files and folders whole or not at all.

Everything is written under a temporary name beside its place, flushed to disk, and renamed at the end. A full
disk, a killed process or an error half-way leaves what was there before.
"""

import errno
import json
import math
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from swarm.core.errors import RunError

REMEDIES = {
    errno.ENOSPC: "free disk space or choose another place",
    errno.EDQUOT: "free disk space or choose another place",
    errno.EACCES: "choose a place that you may write to",
    errno.EPERM: "choose a place that you may write to",
    errno.EROFS: "choose a place that you may write to",
    errno.ENOTDIR: "a file stands where a folder is needed; choose another place",
    errno.EEXIST: "a file stands where a folder is needed; choose another place",
    errno.EISDIR: "it is a folder; name a file",
}


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file whole or not at all. Raises RunError where it cannot be written."""
    with replaced_file(path) as stream:
        stream.write(text.encode("utf-8"))


def write_json(path: Path, value: object) -> None:
    """Write a JSON file whole or not at all; NaN and infinities, which JSON lacks, become null. Raises RunError."""
    write_text(path, json.dumps(_without_nan(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def replaced_file(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content takes the place of `path` at the end, or never. Raises RunError."""
    temporary = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def replaced_directory(dest: Path, overwrite: bool = False) -> Iterator[Path]:
    """A new folder to fill, which becomes `dest` at the end, or never.

    Raises RunError where `dest` is a file, or holds something and `overwrite` is False.
    """
    check_free(dest, overwrite)
    temporary = _beside(dest)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        _flush(temporary)
        _put_in_place(temporary, dest)
    except OSError as error:
        raise _unwritable(dest, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_free(dest: Path, overwrite: bool = False) -> None:
    """Raise RunError where a folder cannot be written at `dest` without losing what is there."""
    if dest.is_file():
        raise RunError(f"{dest} is a file, and a folder is to be written; choose another name")
    if dest.is_dir() and not overwrite and any(dest.iterdir()):
        raise RunError(f"{dest} exists and is not empty; choose another folder, empty it, or allow overwriting")


def _beside(path: Path) -> Path:
    """A name that is not taken, in the same folder: only within one file system is a rename atomic."""
    place = path.absolute()
    return place.with_name(f".{place.name}.{secrets.token_hex(4)}.tmp")


def _put_in_place(temporary: Path, dest: Path) -> None:
    """Rename over `dest`; what was there goes only after the rename, and comes back where the rename fails."""
    if not dest.exists():
        temporary.rename(dest)
        return
    old = _beside(dest)
    dest.rename(old)
    try:
        temporary.rename(dest)
    except OSError:
        old.rename(dest)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _flush(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())


def _unwritable(path: Path, error: OSError) -> RunError:
    where = f" at {error.filename}" if error.filename and str(error.filename) != str(path) else ""
    remedy = REMEDIES.get(error.errno or 0, "check the disk and try again")
    return RunError(f"{path} cannot be written ({error.strerror or error}{where}); {remedy}")


def _without_nan(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return value

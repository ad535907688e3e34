"""Atomic writes: a file or a folder is replaced as a whole, or not at all.

Everything is written under a temporary name in the same folder, flushed to disk, and renamed at the end. After a full
disk, a killed process or an error half-way, what was there before is still there, and the next write of the same file
removes what was left of the one that was killed.
"""

import ctypes
import errno
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from swarm.core.errors import RunError
from swarm.core.temporaries import beside, temporary_file, temporary_folder

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # of renameat2(2)
REMEDIES = {
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.ENOSPC: "free disk space or choose another place",
    errno.EDQUOT: "free disk space or choose another place",
    errno.EACCES: "choose a folder with write permission",
    errno.EPERM: "choose a folder with write permission",
    errno.EROFS: "choose a folder with write permission",
    errno.ENOENT: "choose another place",
    errno.ENOTDIR: "a file is where a folder is needed; choose another place",
    errno.EEXIST: "a file is where a folder is needed; choose another place",
    errno.EISDIR: "it is a folder; give the name of a file",
}


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file atomically. Raises RunError where it cannot be written."""
    with replaced_file(path) as stream:
        stream.write(_encoded(text))


def write_json(path: Path, value: object) -> None:
    """Write a JSON file atomically; NaN and infinities, which JSON lacks, become null. Raises RunError."""
    write_text(path, json.dumps(_without_nan(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def replaced_file(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content replaces `path` at the end, unless an error is raised before. Raises RunError."""
    try:
        with temporary_file(path) as temporary:
            with temporary.open("wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error


@contextmanager
def replaced_directory(dest: Path, overwrite: bool = False) -> Iterator[Path]:
    """A new folder to fill, which replaces `dest` at the end, unless an error is raised before.

    Raises RunError where `dest` is a file, or is not empty and `overwrite` is False.
    """
    check_free(dest, overwrite)
    try:
        with temporary_folder(dest) as temporary:
            with _shown_as(temporary, dest):
                yield temporary
            _flush(temporary)
            _put_in_place(temporary, dest)
    except OSError as error:
        raise _unwritable(dest, error) from error


@contextmanager
def _shown_as(temporary: Path, dest: Path) -> Iterator[None]:
    """A block whose errors of writing name the folder that the user knows."""
    try:
        yield
    except RunError as error:
        raise RunError(str(error).replace(str(temporary), str(dest))) from error.__cause__


def check_free(dest: Path, overwrite: bool = False) -> None:
    """Raise RunError where `dest` is a file, or a folder whose content may not be overwritten."""
    if os.path.isfile(dest):  # which takes a name that is too long for one that is not there
        raise RunError(f"{dest} is a file, and a folder is needed there; choose another name")
    if os.path.isdir(dest) and not overwrite and any(dest.iterdir()):
        raise RunError(f"{dest} exists and is not empty; choose another folder, empty it, or add --overwrite")


def _encoded(text: str) -> bytes:
    """As UTF-8. Paths that are no UTF-8 keep their bytes; other halves of characters become question marks."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _put_in_place(temporary: Path, dest: Path) -> None:
    """Rename to `dest`. What was there takes the temporary's name, and is restored where the rename fails."""
    if not dest.exists():
        temporary.rename(dest)
        return
    if _exchanged(temporary, dest):
        return
    old = beside(dest)
    dest.rename(old)
    try:
        temporary.rename(dest)
    except OSError:
        old.rename(dest)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two names in one step, so that `other` is there at any moment; False where the system cannot."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    names = os.fsencode(one.absolute()), os.fsencode(other.absolute())
    return rename is not None and rename(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0


def _flush(folder: Path) -> None:
    """Force every file of a folder to disk."""
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

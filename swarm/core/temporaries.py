"""Temporary files and folders: what is written stands beside what it will replace, under a name of its own.

A writer holds a lock on its temporary until the end. So a temporary that nobody has locked was left by a process that
was killed, and the next writer of the same file removes it. A lock dies with its process, whatever killed that.
"""

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOCKED_FLAGS = os.O_RDONLY | os.O_NOFOLLOW


@contextmanager
def temporary_file(path: Path) -> Iterator[Path]:
    """A new empty file beside `path`, locked; removed at the end unless it was renamed."""
    with _temporary(path, is_folder=False) as temporary:
        try:
            yield temporary
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """A new empty folder beside `path`, locked; removed at the end, with what it holds, unless it was renamed."""
    with _temporary(path, is_folder=True) as temporary:
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def beside(path: Path) -> Path:
    """An unused name in the same folder: a rename is atomic within one file system only."""
    place = path.absolute()
    return place.with_name(f".{place.name}.{secrets.token_hex(4)}.tmp")


def is_temporary(name: str, of: str) -> bool:
    """Whether a file's name is that of a temporary of the file `of`."""
    return re.fullmatch(rf"\.{re.escape(of)}\.[0-9a-f]{{8}}\.tmp", name) is not None


def sweep(path: Path, alone: bool = False) -> None:
    """Remove the temporaries of `path` that killed processes have left.

    alone: nobody else can be writing `path`, so that they are removed where the file system has no locks, too.
    """
    place = path.absolute()
    with suppress(OSError):
        for name in os.listdir(place.parent):
            if is_temporary(name, place.name):
                _remove_unlocked(place.with_name(name), alone)


@contextmanager
def _temporary(path: Path, is_folder: bool) -> Iterator[Path]:
    sweep(path)
    handle = -1
    while handle < 0:
        temporary = beside(path)
        temporary.parent.mkdir(parents=True, exist_ok=True)
        if is_folder:
            temporary.mkdir()
        else:
            temporary.touch(exist_ok=False)
        handle = _locked(temporary)
    try:
        yield temporary
    finally:
        os.close(handle)


def _locked(temporary: Path) -> int:
    """A handle that holds the lock, or -1 where another process has just swept the temporary away."""
    try:
        handle = os.open(temporary, LOCKED_FLAGS)
    except FileNotFoundError:
        return -1
    with suppress(OSError):  # a file system without locks: there nothing is swept by others
        fcntl.flock(handle, fcntl.LOCK_EX)
    if os.path.lexists(temporary):
        return handle
    os.close(handle)
    return -1


def _remove_unlocked(temporary: Path, alone: bool) -> None:
    with suppress(OSError):
        handle = os.open(temporary, LOCKED_FLAGS)
        try:
            if _free(handle, alone):
                shutil.rmtree(temporary) if temporary.is_dir() else temporary.unlink()
        finally:
            os.close(handle)


def _free(handle: int, alone: bool) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return alone
    return True

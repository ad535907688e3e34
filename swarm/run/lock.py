"""The lock of a run directory: two processes must not write one journal."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from swarm.core.errors import RunError

LOCK = ".lock"
LOOKS, LOOK_SECONDS = 4, 0.02


@contextmanager
def locked(place: Path, run: Path | None = None) -> Iterator[None]:
    """Lock a run directory: two processes must not write one journal. run: its name, where it is yet to get it."""
    folder = run or place
    try:
        handle = os.open(place / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        remedy = "remove it" if isinstance(error, IsADirectoryError) else f"make {folder} writable"
        raise RunError(f"{folder / LOCK} cannot be opened ({error.strerror}); {remedy}") from None
    try:
        try:
            _take(handle)
        except BlockingIOError:
            raise RunError(f"{folder} is in use by another swarm process; wait for it or stop it") from None
        except OSError as error:
            raise RunError(
                f"--run-dir: the file system of {folder} does not support locks ({error.strerror}); name a directory "
                "on another file system, or mount this one with flock"
            ) from None
        yield
    finally:
        os.close(handle)


def _take(handle: int) -> None:
    """Take the lock. One who looks whether a run is in use (`in_use`) holds it for a moment, so a few times."""
    for _ in range(LOOKS):
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(LOOK_SECONDS)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def in_use(folder: Path) -> bool:
    """Whether a process holds the run's lock."""
    try:
        with (folder / LOCK).open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False

"""A run's directory: the names of its files, its lock, and what can be read from it without running anything."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from swarm.core.errors import ConfigError, DataError, ExpertError, RunError
from swarm.journal.archive import Archive
from swarm.journal.summary import Summary
from swarm.report import write_report

CONFIG, JOURNAL, SUMMARY, BEST, LOCK = "config.yaml", "journal.jsonl", "summary.json", "best", ".lock"


def config_path(folder: Path) -> Path:
    """The config of a run directory. Raises RunError where there is none."""
    if not os.path.isfile(folder / CONFIG):  # which takes a name that is too long for one that is not there
        raise RunError(f"{folder} is not a run directory: it holds no {CONFIG}; give the directory of a swarm search")
    return folder / CONFIG


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the run directory: two processes must not write one journal."""
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise RunError(f"{folder / LOCK} cannot be opened ({error.strerror}); make {folder} writable") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
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


def check_free(folder: Path) -> None:
    """Raise RunError where the folder holds a run or other files."""
    if os.path.exists(folder / JOURNAL):
        raise RunError(f"--run-dir: {folder} holds a run already; swarm resume {folder}, or name another directory")
    if os.path.isdir(folder) and (others := sorted(path.name for path in folder.iterdir() if path.name != LOCK)):
        raise RunError(f"--run-dir: {folder} is not empty (it holds {others[0]}); name a new or an empty directory")


def check_creatable(folder: Path) -> None:
    """Raise RunError where the folder cannot be made or written: known before anything is read, not after."""
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if os.path.exists(each))
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            folder.stat()  # for a name that is too long
        with TemporaryDirectory(prefix=".swarm-", dir=there):
            pass
    except OSError as error:
        raise _not_created(folder, error) from None


def _not_created(folder: Path, error: OSError) -> RunError:
    return RunError(f"--run-dir: {folder} cannot be created ({error.strerror}); name another directory")


@contextmanager
def new_run(folder: Path) -> Iterator[Archive]:
    """The archive of a new run in a locked directory. A user error before anything is scored leaves no directory."""
    created = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_created(folder, error) from None
    with locked(folder):
        check_free(folder)
        archive = Archive(folder / JOURNAL)
        with closing(archive.journal):
            try:
                yield archive
            except (ConfigError, DataError, ExpertError):
                if not archive.evaluations:
                    _remove(folder, created)
                raise


@contextmanager
def known_run(folder: Path) -> Iterator[Archive]:
    """The archive of a run that is continued, its directory locked."""
    with locked(folder):
        archive = Archive(folder / JOURNAL)
        with closing(archive.journal):
            yield archive


def _remove(folder: Path, created: bool) -> None:
    for name in (CONFIG, JOURNAL, LOCK):
        (folder / name).unlink(missing_ok=True)
    if created:
        with suppress(OSError):
            folder.rmdir()


def read_summary(folder: Path) -> Summary:
    """The summary of a finished run. Raises RunError."""
    return Summary.read(folder / SUMMARY)


def rebuild_report(folder: Path) -> Summary | None:
    """Write the report again from the journal; of an unfinished run, as far as it got, and there is no summary."""
    config_path(folder)
    archive = Archive(folder / JOURNAL)
    if archive.start is None:
        raise RunError(f"{folder} holds no {JOURNAL}: nothing has been scored yet; swarm resume {folder}")
    summary = read_summary(folder) if archive.ended("run") else None
    write_report(folder, archive.records, summary)
    return summary

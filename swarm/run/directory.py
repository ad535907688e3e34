"""A run's directory: the names of its files, its lock, and what can be asked of it without running anything."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from swarm.core.errors import ConfigError, DataError, ExpertError, RunError
from swarm.journal.archive import Archive
from swarm.report import write_report
from swarm.run.summarise import Json

CONFIG, JOURNAL, SUMMARY, BEST, LOCK = "config.yaml", "journal.jsonl", "summary.json", "best", ".lock"


def config_path(folder: Path) -> Path:
    """The config of a run directory. Raises RunError where there is none."""
    if not (folder / CONFIG).is_file():
        raise RunError(f"{folder} is no run directory: it holds no {CONFIG}; give the directory of a swarm search")
    return folder / CONFIG


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the run directory: two programs must not write one journal."""
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise RunError(f"{folder / LOCK} cannot be opened ({error.strerror}); make {folder} writable") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"{folder} is in use by another swarm; wait for it or stop it") from None
        except OSError as error:
            raise RunError(
                f"--run-dir: the file system of {folder} knows no locks ({error.strerror}); name a directory on "
                "another, or have it mounted with flock"
            ) from None
        yield
    finally:
        os.close(handle)


def check_free(folder: Path) -> None:
    """Raise RunError where a new run would mix with what is there."""
    if (folder / JOURNAL).exists():
        raise RunError(f"--run-dir: {folder} holds a run already; swarm resume {folder}, or name another directory")
    if folder.is_dir() and (others := sorted(path.name for path in folder.iterdir() if path.name != LOCK)):
        raise RunError(f"--run-dir: {folder} is not empty (it holds {others[0]}); name a new or an empty directory")


@contextmanager
def new_run(folder: Path) -> Iterator[Archive]:
    """A new run's directory, held. A mistake that shows before anything is scored leaves none behind."""
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"--run-dir: {folder} cannot be made ({error.strerror}); name another directory") from None
    with locked(folder):
        check_free(folder)
        archive = Archive(folder / JOURNAL)
        with closing(archive.journal):
            try:
                yield archive
            except (ConfigError, DataError, ExpertError):
                if not archive.evaluations:
                    _withdraw(folder, made)
                raise


@contextmanager
def known_run(folder: Path) -> Iterator[Archive]:
    """The archive of a run that goes on, its directory held."""
    with locked(folder):
        archive = Archive(folder / JOURNAL)
        with closing(archive.journal):
            yield archive


def _withdraw(folder: Path, made: bool) -> None:
    for name in (CONFIG, JOURNAL, LOCK):
        (folder / name).unlink(missing_ok=True)
    if made:
        with suppress(OSError):
            folder.rmdir()


def read_summary(folder: Path) -> Json:
    """The summary of a finished run. Raises RunError."""
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{folder} holds no {SUMMARY}: the run has not ended; swarm resume {folder}") from None
    except ValueError as error:
        raise RunError(f"{folder / SUMMARY} is no JSON ({error}); remove it and swarm resume {folder}") from None
    assert isinstance(summary, dict)
    return summary


def rebuild_report(folder: Path) -> Json:
    """Write the report again from the journal; of a run that has not ended, as far as it got."""
    config_path(folder)
    archive = Archive(folder / JOURNAL)
    if archive.start is None:
        raise RunError(f"{folder} holds no {JOURNAL}: nothing has been scored yet; swarm resume {folder}")
    summary = read_summary(folder) if archive.ended("run") else {}
    write_report(folder, archive.lines, summary)
    return summary

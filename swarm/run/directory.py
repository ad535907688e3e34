"""A run's directory: the names of its files, its lock, and what can be read from it without running anything."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from swarm.core.errors import ConfigError, DataError, ExpertError, RunError
from swarm.core.files import write_text
from swarm.core.temporaries import is_temporary, sweep, temporary_folder
from swarm.journal.archive import Archive
from swarm.journal.summary import SPLITS, Summary
from swarm.report import write_report
from swarm.run.lock import LOCK, locked

LAST_BYTES = 4096  # of a journal: more than an end line has
CONFIG, JOURNAL, SUMMARY, BEST = "config.yaml", "journal.jsonl", "summary.json", "best"
SWEEP, TARGETS = "sweep.yaml", "targets.yaml"  # of a sweep, and of a search for targets, alone: what they do
LOCKED_FILES = (
    CONFIG,
    SUMMARY,
    BEST,
    SWEEP,
    TARGETS,
)  # written under the lock alone; a report is written without it, too
REPORTS = ("report.html", "report.md", "sweep.json", "sweep.csv", "sweep.html")


def config_path(folder: Path) -> Path:
    """The config of a run directory. Raises RunError where there is none."""
    if os.path.isfile(folder / CONFIG):  # which takes a name that is too long for one that is not there
        return folder / CONFIG
    if os.path.isfile(folder / LOCK) and not _others(folder):
        raise RunError(
            f"{folder} holds no {CONFIG}: the run was stopped before it began; swarm search with --run-dir {folder} "
            "begins it again"
        )
    raise RunError(f"{folder} is not a run directory: it holds no {CONFIG}; give the directory of a swarm search")


def default_folder(config: Path) -> Path:
    """The directory of a new run of a config file, where the user names none."""
    return Path("runs") / f"{config.stem}-{datetime.now():%Y%m%d-%H%M%S}"


def check_free(folder: Path) -> None:
    """Raise RunError where the folder holds a run or other files. What a killed process left before a run is none."""
    if is_finished(folder):
        raise RunError(
            f"--run-dir: {folder} holds a run already, which is finished; swarm resume shows its result again, and for "
            "a new run name another directory"
        )
    if _begun(folder):
        raise RunError(f"--run-dir: {folder} holds a run already; swarm resume {folder}, or name another directory")
    if os.path.isdir(folder) and (others := _others(folder)):
        raise RunError(f"--run-dir: {folder} is not empty (it holds {others[0]}); name a new or an empty directory")


def _begun(folder: Path) -> bool:
    """Whether the folder holds a run. A journal without its config, with nothing scored, was left before one began."""
    if os.path.exists(folder / CONFIG) or not os.path.isfile(folder / JOURNAL):
        return os.path.exists(folder / JOURNAL) or (os.path.exists(folder / CONFIG) and os.path.exists(folder / LOCK))
    with suppress(RunError):
        return bool(Archive(folder / JOURNAL).scored)
    return True


def _others(folder: Path) -> list[str]:
    """The names of files that are not those of a run before its first line."""
    own = (*LOCKED_FILES, *REPORTS, JOURNAL, folder.absolute().name)
    names = sorted(path.name for path in folder.iterdir() if path.name not in (LOCK, JOURNAL))
    return [name for name in names if not any(is_temporary(name, one) for one in own)]


def check_creatable(folder: Path) -> None:
    """Raise RunError where the folder cannot be made or written: known before anything is read, not after."""
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if os.path.exists(each))
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            folder.stat()  # for a name that is too long
        with temporary_folder(there / folder.absolute().name):
            pass
    except OSError as error:
        raise _not_created(folder, error) from None


def _not_created(folder: Path, error: OSError) -> RunError:
    return RunError(f"--run-dir: {folder} cannot be created ({error.strerror}); name another directory")


@contextmanager
def new_run(folder: Path, files: Mapping[str, str] | None = None) -> Iterator[Archive]:
    """The archive of a new run in a locked directory. A user error before anything is scored leaves no directory.

    files: name -> content. A new directory holds them from its first moment, so that it can be resumed at any.
    """
    created = not folder.exists()
    with _filled(folder, files or {}):
        archive = Archive(folder / JOURNAL)
        with closing(archive.journal):
            try:
                yield archive
            except (ConfigError, DataError, ExpertError):
                if not archive.evaluations:
                    _remove(folder, created)
                raise


@contextmanager
def _filled(folder: Path, files: Mapping[str, str]) -> Iterator[None]:
    """The run directory, locked, with its first files. Where it is there already, they come into it one by one."""
    with ExitStack() as stack:
        try:
            there = folder.is_dir()
            place = folder if there else stack.enter_context(temporary_folder(folder))
            stack.enter_context(locked(place, folder))
            if there:
                check_free(folder)
                _sweep(folder)
            for name, text in files.items():
                write_text(place / name, text)
            if not there:
                place.rename(folder)
        except RunError as error:
            if isinstance(error.__cause__, OSError):
                raise _not_created(folder, error.__cause__) from None
            raise
        except OSError as error:
            check_free(folder)
            raise _not_created(folder, error) from None
        yield


@contextmanager
def known_run(folder: Path) -> Iterator[Archive]:
    """The archive of a run that is continued, its directory locked, and free of what a killed process left."""
    with locked(folder):
        _sweep(folder)
        archive = Archive(folder / JOURNAL)
        with closing(archive.journal):
            yield archive


def _sweep(folder: Path) -> None:
    """Remove the temporaries that killed processes left. The lock is held."""
    for name in (*LOCKED_FILES, JOURNAL):
        sweep(folder / name, alone=True)
    for name in (*REPORTS, folder.absolute().name):
        sweep(folder / name)
    sweep(folder)


def _remove(folder: Path, created: bool) -> None:
    for name in (CONFIG, SWEEP, TARGETS, JOURNAL, LOCK):
        (folder / name).unlink(missing_ok=True)
    if created:
        with suppress(OSError):
            folder.rmdir()


def is_finished(folder: Path) -> bool:
    """Whether the folder holds a run that has ended, by the last line of its journal."""
    try:
        with (folder / JOURNAL).open("rb") as journal:
            journal.seek(max(0, (folder / JOURNAL).stat().st_size - LAST_BYTES))
            last = json.loads(journal.read().splitlines()[-1])
    except (OSError, ValueError, IndexError):
        return False
    return isinstance(last, dict) and last.get("kind") == "end" and last.get("phase") == "run"


def is_sweep(folder: Path) -> bool:
    """Whether the folder is that of a sweep."""
    return os.path.isfile(folder / SWEEP)


def is_targets(folder: Path) -> bool:
    """Whether the folder is that of a search for targets."""
    return os.path.isfile(folder / TARGETS)


def check_searched(folder: Path) -> None:
    """Raise RunError for a run whose search goes on: to show its test scores would first finish it."""
    config_path(folder)
    if is_targets(folder):
        raise RunError(f"{folder} is a search for targets, which are tested already; see targets/targets.html there")
    if is_sweep(folder):
        raise RunError(f"{folder} is a sweep, which selects nothing to be tested; see sweep.html there")
    if is_finished(folder):
        return
    archive = Archive(folder / JOURNAL)
    if archive.ended("search") is None:
        raise RunError(
            f"{folder}: the search has not ended (evaluations so far: {archive.evaluations}), and nothing is selected "
            f"to be tested; swarm resume {folder} finishes it"
        )


def read_summary(folder: Path, archive: Archive) -> Summary:
    """The summary of a finished run. Raises RunError where there is none, it is damaged, or not of this journal."""
    summary = Summary.read(folder / SUMMARY)
    counted, held = summary.counts.evaluations, archive.evaluations
    if counted != held:
        raise _of_another(folder, f"counts.evaluations is {counted}, and {JOURNAL} holds {held}")
    if all(archive.of(summary.best.id, split) is None for split in SPLITS):
        raise _of_another(folder, f"best.id is {summary.best.id!r}, which {JOURNAL} does not hold")
    return summary


def _of_another(folder: Path, why: str) -> RunError:
    return RunError(
        f"{folder / SUMMARY} is not of this journal ({why}); put both files of the run back, or remove {SUMMARY}, then "
        f"swarm resume {folder}"
    )


def rebuild_report(folder: Path) -> Summary | None:
    """Write the report again from the journal; of an unfinished run, as far as it got, and there is no summary."""
    config_path(folder)
    archive = Archive(folder / JOURNAL)
    if archive.start is None:
        raise RunError(f"{folder} holds no {JOURNAL}: nothing has been scored yet; swarm resume {folder}")
    summary = read_summary(folder, archive) if archive.ended("run") else None
    write_report(folder, archive.records, summary)
    return summary

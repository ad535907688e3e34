"""Which runs there are and which have changed, by the sizes and times of their files."""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from swarm.run.directory import CONFIG, JOURNAL, SUMMARY
from swarm.run.lock import in_use

Stamp = tuple[object, ...]
T = TypeVar("T")


def stamp_of(folder: Path) -> Stamp:
    """What changes whenever a run does: size and time of its files, and whether a process is at work."""
    return *(_stat(folder / name) for name in (CONFIG, JOURNAL, SUMMARY)), in_use(folder)


def _stat(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


@dataclass(frozen=True)
class Shelf:
    """The folders that are shown, each a run or a folder of runs."""

    folders: Sequence[Path]

    def runs(self) -> dict[str, Path]:
        """Name in addresses -> run directory, as they are shown: "run", or "folder/run" where several have that name.

        A name says where its run is, so it does not depend on the order of folders, nor on which runs begin later.
        """
        by_name: dict[str, list[Path]] = {}
        paths = self._paths()
        for path in paths:
            by_name.setdefault(path.name, []).append(path)
        return {_name(path, by_name[path.name]): path for path in paths}

    def _paths(self) -> list[Path]:
        """Each run once, under the name that it has on disk."""
        paths: list[Path] = []
        for folder in self.folders:
            if os.path.isfile(folder / CONFIG):
                paths.append(folder)
            elif folder.is_dir():
                paths += [path for path in sorted(folder.iterdir()) if os.path.isfile(path / CONFIG)]
        return list(dict.fromkeys(path.resolve() for path in paths))

    def stamps(self, name: str = "") -> object:
        """Of one run, or of all of them; equal as long as nothing has changed."""
        runs = self.runs()
        return stamp_of(runs[name]) if name in runs else {each: stamp_of(path) for each, path in runs.items()}


def _name(path: Path, alike: Sequence[Path]) -> str:
    """As many of the last parts of a path as it takes to tell it from the others of its name."""
    for count in range(1, len(path.parts)):
        name = "/".join(path.parts[-count:])
        if sum(path.parts[-count:] == other.parts[-count:] for other in alike) == 1:
            return name
    return str(path)


class Cached(Generic[T]):
    """What is made again once its run has changed. Several windows may ask at once."""

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._known: dict[str, tuple[object, T]] = {}
        self._lock = threading.Lock()

    def get(self, name: str, stamp: object, make: Callable[[], T]) -> T:
        """What was made for this name at this stamp, or is made now, in place of the oldest where there are many."""
        with self._lock:
            found = self._known.get(name)
        if found and found[0] == stamp:
            return found[1]
        made = make()
        with self._lock:
            self._known.pop(name, None)
            while len(self._known) >= self._most:
                del self._known[next(iter(self._known))]
            self._known[name] = (stamp, made)
        return made

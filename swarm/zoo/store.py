"""Where zoos lie, and how one comes to lie there: whole, or not at all."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from swarm.core.errors import UserError
from swarm.zoo.base import Builder, Progress, Recipe, Site

MANIFEST = "zoo.json"


def cache_directory() -> Path:
    """$SWARM_CACHE or ~/.cache/swarm, then zoo."""
    return Path(os.environ.get("SWARM_CACHE") or Path.home() / ".cache" / "swarm").expanduser() / "zoo"


def build_at(builder: Builder, name: str, directory: Path, progress: Progress) -> Path:
    """Build beside `directory` and rename at the end. Returns at once where the same recipe's zoo lies there."""
    final = Path(os.path.abspath(directory.expanduser()))
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"zoo: {final} cannot be made ({error.strerror}); give another directory") from None
    with _lock(final.with_name(f".{final.name}.lock")):
        if not is_complete(final, builder.recipe):
            _refuse_foreign(final)
            work = final.with_name(f".{final.name}.partial")
            _remove(work)
            try:
                _fill(builder, name, Site(work, final), progress)
                _replace(final, work)
            finally:
                _remove(work)
    progress(f"{name} lies at {final}", 1.0)
    return final


def is_complete(directory: Path, recipe: Recipe) -> bool:
    """True where a zoo of this very recipe was finished."""
    manifest = directory / MANIFEST
    return manifest.is_file() and json.loads(manifest.read_text())["fingerprint"] == recipe.fingerprint


def _fill(builder: Builder, name: str, site: Site, progress: Progress) -> None:
    site.work.mkdir()
    builder.make(site, progress)
    experts = [expert.name for expert in builder.recipe.experts]
    manifest = {"name": name, "fingerprint": builder.recipe.fingerprint, "experts": experts}
    (site.work / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


def _replace(final: Path, work: Path) -> None:
    """Put `work` in the place of an older zoo, if there is one."""
    old = final.with_name(f".{final.name}.old")
    _remove(old)
    if final.exists():
        final.rename(old)
    work.rename(final)
    _remove(old)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _refuse_foreign(directory: Path) -> None:
    """A folder that is no zoo is somebody's, and is not replaced."""
    if directory.is_file() or (
        directory.exists() and not (directory / MANIFEST).is_file() and any(directory.iterdir())
    ):
        raise UserError(f"zoo: {directory} holds something that is no zoo; give a new or an empty directory")


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Two builds of one zoo take turns; the second finds the first one's work. A killed one leaves no lock held."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

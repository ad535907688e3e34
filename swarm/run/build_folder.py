"""The folder of a build's experts: its lock, its working folder, and which experts it holds already."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from swarm.core.errors import RunError
from swarm.core.files import write_json
from swarm.core.temporaries import temporary_folder
from swarm.run.build_plan import BuildPlan, ExpertPlan, library_versions
from swarm.run.lock import LOCK, locked

WORK = ".build"  # holds a working folder of each training that goes on
RECORD, ORIGIN = "build.json", "provenance.json"


@contextmanager
def build_folder(out: Path) -> Iterator[Path]:
    """The working folder in `out`, which is locked. What is not needed any more is removed at the end.

    Raises RunError where `out` cannot be written, or another process builds into it.
    """
    created = not out.exists()
    _create(out)
    with locked(out):
        try:
            (out / WORK).mkdir(exist_ok=True)
            yield out / WORK
        finally:
            with suppress(OSError):
                (out / WORK).rmdir()  # where it is empty
            if created and [path.name for path in out.iterdir()] == [LOCK]:
                (out / LOCK).unlink()
                out.rmdir()


def check_out(plan: BuildPlan, overwrite: bool) -> None:
    """Raise RunError where a folder of an expert's name holds something else than this expert."""
    if plan.out.exists() and not plan.out.is_dir():
        raise RunError(f"out: {plan.out} is a file, and a folder is needed there; choose another name")
    for i, expert in enumerate(plan.experts):
        place = plan.out / expert.builder.name
        if overwrite or is_built(plan.out, expert) or not place.exists():
            continue
        if place.is_file() or any(place.iterdir()):
            raise RunError(
                f"experts.{i}.name: {place} exists, and {_difference(place, expert)}; choose another name or another "
                "out, or add --overwrite"
            )


def is_built(out: Path, expert: ExpertPlan) -> bool:
    """Whether the expert is there, built from the same."""
    return _same(_record_of(out / expert.builder.name), expert.record)


def prepared_folder(work: Path, name: str, record: Mapping[str, object]) -> tuple[Path, bool]:
    """The working folder of a training, with its checkpoints where an earlier process began the same training.

    Also whether one that was begun with other settings or libraries has been removed.
    """
    folder, provenance = work / name, {**record, "versions": library_versions()}
    is_other = folder.exists() and _read(folder / ORIGIN) != json.loads(json.dumps(provenance))
    if is_other:
        shutil.rmtree(folder)
    folder.mkdir(exist_ok=True)
    if not (folder / ORIGIN).exists():
        write_json(folder / ORIGIN, provenance)
    return folder, is_other


def _create(out: Path) -> None:
    try:
        if not out.exists():
            with temporary_folder(out):
                out.mkdir()
    except OSError as error:
        raise RunError(f"out: {out} cannot be created ({error.strerror}); name another folder") from None


def _difference(place: Path, expert: ExpertPlan) -> str:
    found = _record_of(place)
    if found is None:
        return "is no expert that swarm build made"
    settings = expert.record["settings"]
    assert isinstance(settings, Mapping)
    theirs = found.get("settings")
    ours, other = {**expert.record, **settings}, {**found, **(theirs if isinstance(theirs, dict) else {})}
    keys = [key for key in ours if key != "settings" and json.loads(json.dumps(ours[key])) != other.get(key)]
    return f"was built from other settings ({keys[0] if keys else 'all'})"


def _same(found: Mapping[str, object] | None, record: Mapping[str, object]) -> bool:
    return found is not None and {key: found.get(key) for key in record} == json.loads(json.dumps(record))


def _record_of(place: Path) -> dict[str, object] | None:
    return _read(place / RECORD)


def _read(file: Path) -> dict[str, object] | None:
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None

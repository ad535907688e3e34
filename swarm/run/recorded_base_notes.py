"""Notes on adapters that name another base than the one they are used with, where the two cannot be compared."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from swarm.experts.catalog import Catalog
from swarm.experts.recorded_base import recorded_base
from swarm.experts.safetensors_files import read_json

CONFIG = "adapter_config.json"
HUB_PREFIX = "models--"  # of a model's folder in the hub's cache: models--ORGANISATION--NAME/snapshots/REVISION


def recorded_base_notes(catalog: Catalog) -> list[str]:
    """A note per base that adapters record, where it is not on disk and has another name than the base."""
    owners: dict[str, list[str]] = {}
    for name, recorded in _others(catalog):
        owners.setdefault(recorded, []).append(name)
    return [_note(names, recorded, catalog.base.path) for recorded, names in owners.items()]


def _note(names: Sequence[str], recorded: str, base: Path) -> str:
    one = len(names) == 1
    return (
        f"{'expert' if one else 'experts'} {', '.join(names)}: {'its' if one else 'their'} {CONFIG} "
        f"{'names' if one else 'name'} the base {recorded}, not {base.name}; all shapes fit, so it matters only where "
        "these are two models"
    )


def _others(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Every such adapter's name, and the base that it records."""
    known = {name.lower() for name in _names(catalog.base.path, catalog.base.config.get("_name_or_path"))}
    for expert in catalog.experts:
        if not (expert.path / CONFIG).is_file() or recorded_base(expert.path):
            continue
        recorded = read_json(expert.path / CONFIG, f"expert {expert.name}").get("base_model_name_or_path")
        if isinstance(recorded, str) and (last := _last(recorded)) and last.lower() not in known:
            yield expert.name, recorded


def _names(path: Path, recorded: object) -> Iterator[str]:
    """Under which names the base may be known."""
    yield path.name
    if isinstance(recorded, str):
        yield _last(recorded)
    yield from (part.rpartition("--")[2] for part in path.parts if part.startswith(HUB_PREFIX))


def _last(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]

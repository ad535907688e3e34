"""Notes on adapters that name another base than the one they are used with, where the two cannot be compared."""

from collections.abc import Iterator
from pathlib import Path

from swarm.experts.catalog import Catalog
from swarm.experts.recorded_base import recorded_base
from swarm.experts.safetensors_files import read_json

CONFIG = "adapter_config.json"
HUB_PREFIX = "models--"  # of a model's folder in the hub's cache: models--ORGANISATION--NAME/snapshots/REVISION


def recorded_base_notes(catalog: Catalog) -> list[str]:
    """A note per adapter whose recorded base is not on disk and has another name than the base."""
    return list(_notes(catalog))


def _notes(catalog: Catalog) -> Iterator[str]:
    known = {name.lower() for name in _names(catalog.base.path, catalog.base.config.get("_name_or_path"))}
    for expert in catalog.experts:
        if not (expert.path / CONFIG).is_file() or recorded_base(expert.path):
            continue
        recorded = read_json(expert.path / CONFIG, f"expert {expert.name}").get("base_model_name_or_path")
        if isinstance(recorded, str) and (last := _last(recorded)) and last.lower() not in known:
            yield (
                f"expert {expert.name}: its {CONFIG} names the base {recorded}, and the base here is "
                f"{catalog.base.path}; where that is another model, the expert does not fit it"
            )


def _names(path: Path, recorded: object) -> Iterator[str]:
    """Under which names the base may be known."""
    yield path.name
    if isinstance(recorded, str):
        yield _last(recorded)
    yield from (part.rpartition("--")[2] for part in path.parts if part.startswith(HUB_PREFIX))


def _last(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]

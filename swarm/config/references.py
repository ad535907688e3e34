"""Resolves the references of a config (zoo:NAME, paths, hub ids) to local paths."""

import re
from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from swarm import zoo
from swarm.config.schema import Config, ExpertSettings
from swarm.core.errors import ConfigError, DataError, ExpertError

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
# Safetensors, tokenizer and settings: no pickled weights.
HUB_FILES = ["model*.safetensors", "adapter_model*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"]


def resolve(config: Config, folder: Path) -> Config:
    """The config with every reference as an absolute path. folder: that of the config file."""
    experts = [_resolve_expert(expert, folder, f"experts.{i}") for i, expert in enumerate(config.experts)]
    objectives = [
        objective.model_copy(update={"data": _resolve_data(objective.data, folder, f"objectives.{i}.data")})
        for i, objective in enumerate(config.objectives)
    ]
    splits = config.splits.model_copy(
        update={
            split: str(find(name, folder, f"splits.{split}"))
            for split in ("search", "select", "test")
            if (name := config.splits.file_of(split)) is not None
        }
    )
    return config.model_copy(
        update={
            "base": str(find(config.base, folder, "base")),
            "experts": experts,
            "objectives": objectives,
            "splits": splits,
            "modules": str((folder / config.modules).resolve()),
            "cluster": config.cluster.holding(config.engine.accelerators),
        }
    )


def _resolve_expert(expert: ExpertSettings, folder: Path, key: str) -> ExpertSettings:
    return expert.model_copy(
        update={
            "path": str(find(expert.path, folder, f"{key}.path")),
            "name": expert.name or name_of(expert.path),
            "trained_on": [str(find(name, folder, f"{key}.trained_on")) for name in expert.trained_on],
        }
    )


def name_of(reference: str) -> str:
    """An expert's name where the user gives none: the last part of the path, zoo reference or hub id."""
    return reference.rstrip("/").rpartition("/")[2].removesuffix(".safetensors")


def find(reference: str, folder: Path, key: str) -> Path:
    """The local path of a reference: zoo:NAME, a path relative to here or to the config's folder, or a hub id."""
    if reference.startswith("zoo:"):
        return zoo.locate(reference)
    path = Path(reference).expanduser()
    places = [path] if path.is_absolute() else [Path.cwd() / path, folder / path]
    for place in places:
        if place.exists():
            # A file keeps the name that the user gives, which says its kind: a cache links it to a blob without one.
            return place.resolve() if place.is_dir() else place.parent.resolve() / place.name
    known_folder = any((place.parent).is_dir() for place in places)  # then it is a misspelt path, not a hub id
    is_data = key.startswith(("objectives", "splits")) or key.endswith("trained_on")
    if HUB_ID.fullmatch(reference) and not known_folder and not is_data:
        return _from_hub(reference, key)
    kind = DataError if is_data else ExpertError
    raise kind(f"{key}: {reference} does not exist (looked for {' and '.join(map(str, places))}); correct the path")


def _resolve_data(data: str | Mapping[str, str] | None, folder: Path, key: str) -> str | dict[str, str] | None:
    if data is None:
        return None
    if isinstance(data, str):
        return str(find(data, folder, key))
    return {split: str(find(path, folder, f"{key}.{split}")) for split, path in data.items()}


def _from_hub(reference: str, key: str) -> Path:
    """The local copy of a model of the hub, which is downloaded where it is missing. Safetensors only."""
    try:
        return Path(snapshot_download(reference, allow_patterns=HUB_FILES))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ExpertError(
            f"{key}: {reference} is not a local folder, and the hub did not provide it ({reason}); "
            "correct the path or id"
        ) from None
    except ValueError as error:
        raise ConfigError(f"{key}: {reference} is not a hub id ({error}); correct it") from None

"""Resolves the references of a config (zoo:NAME, paths, hub ids) to local paths.

A relative path counts from the folder of the config file, whether the file or --set gives it.
"""

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from json import JSONDecodeError
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from swarm import zoo
from swarm.compositions import Composition
from swarm.config.build_schema import BuildConfig
from swarm.config.messages import shown
from swarm.config.patterns import expanded
from swarm.config.schema import Config, ExpertSettings
from swarm.config.user_functions import check_functions
from swarm.core.errors import ConfigError, DataError, ExpertError, UserError
from swarm.core.terminal_text import shortened_path
from swarm.objectives.base import Objective

# No connection, nothing under that name, or (the last three) an answer that no hub gives, as a proxy's page is.
UNAVAILABLE = (
    LocalEntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    OSError,
    JSONDecodeError,
    KeyError,
    TypeError,
)
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
# Safetensors, tokenizer and settings: no pickled weights.
HUB_FILES = ["model*.safetensors", "adapter_model*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"]


def resolve(config: Config, folder: Path) -> Config:
    """The config with every reference as an absolute path. folder: that of the config file. Raises UserError."""
    modules = _folder_of_modules(config.modules, folder)
    check_functions(config.objectives, modules)
    base = find(config.base, folder, "base")
    found = expanded(config.experts, folder, base)
    experts = [_resolve_expert(expert, folder, f"experts.{i}") for i, expert in enumerate(found)]
    objectives = [
        objective.model_copy(
            update={"data": _resolve_data(objective.data, folder, f"objectives.{i}.data")}
            | paths_of(objective, folder, f"objectives.{i}")
        )
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
            "base": str(base),
            "experts": experts,
            "composition": config.composition.model_copy(update=paths_of(config.composition, folder, "composition")),
            "objectives": objectives,
            "splits": splits,
            "modules": str(modules),
            "cluster": config.cluster.holding(config.engine.accelerators),
        }
    )


def resolve_build(config: BuildConfig, folder: Path) -> BuildConfig:
    """The build config with every reference as an absolute path. folder: that of the config file. Raises UserError."""
    experts = []
    for i, expert in enumerate(config.experts):
        paths: dict[str, object] = {"data": str(find(expert.data, folder, f"experts.{i}.data"))}
        if expert.curate is not None:
            key = f"experts.{i}.curate.against"
            against = [str(find(name, folder, key)) for name in expert.curate.against]
            paths["curate"] = expert.curate.model_copy(update={"against": against})
        if isinstance(expert.held_out, str):
            paths["held_out"] = str(find(expert.held_out, folder, f"experts.{i}.held_out"))
        experts.append(expert.model_copy(update=paths))
    base, out = find(config.base, folder, "base"), folder / Path(config.out).expanduser()
    return config.model_copy(update={"base": str(base), "out": str(out.absolute()), "experts": experts})


def paths_of(settings: Objective | Composition, folder: Path, key: str) -> dict[str, str]:
    """The keys, beside an objective's data, that hold a path, as absolute paths. Raises UserError."""
    given = {name: getattr(settings, name) for name in settings.paths}
    return {name: str(find(value, folder, f"{key}.{name}")) for name, value in given.items() if value is not None}


def _resolve_expert(expert: ExpertSettings, folder: Path, key: str) -> ExpertSettings:
    path = find(expert.path, folder, f"{key}.path")
    is_folder = expert.minus not in ("", "base")
    return expert.model_copy(
        update={
            "path": str(path),
            "minus": str(find(expert.minus, folder, f"{key}.minus")) if is_folder else expert.minus,
            "name": expert.name or _checked_name(expert.path, path, key),
            "trained_on": [str(find(name, folder, f"{key}.trained_on")) for name in expert.trained_on],
        }
    )


def name_of(reference: str, path: Path) -> str:
    """An expert's name where the user gives none: the last part of the path, zoo reference or hub id."""
    last = reference.rstrip("/").rpartition("/")[2]
    return (path.name if last in ("", ".", "..") else last).removesuffix(".safetensors")


def _checked_name(reference: str, path: Path, key: str) -> str:
    name = name_of(reference, path)
    if not name or any("\ud800" <= char <= "\udfff" for char in name):
        raise ConfigError(f"{key}.name: missing, and {shown(name)} is no name; set name: on this expert")
    return name


def find(reference: str, folder: Path, key: str) -> Path:
    """The local path of a reference: zoo:NAME, a path relative to the config's folder, or a hub id."""
    if reference.startswith("zoo:"):
        return zoo.locate(reference)
    is_data = key.startswith(("splits", "data", "curate", "--data")) or key.endswith(
        ("trained_on", ".data", ".held_out", ".against")
    )
    is_data |= key.startswith("objectives") and not key.endswith(".model")
    kind = DataError if is_data else ExpertError
    try:
        path = Path(reference).expanduser()
        place = folder / path
        if reference.strip() and place.exists():
            # A file keeps the name that the user gives, which says its kind: a cache links it to a blob without one.
            return place.resolve() if place.is_dir() else place.parent.resolve() / place.name
        _refuse_other_place(path, folder, key, kind)
        known_folder = place.parent.is_dir()  # then it is a misspelt path, not a hub id
    except (OSError, RuntimeError) as error:  # RuntimeError: a home directory that nobody has
        raise kind(f"{key}: {_unusable(reference, error)}; correct the path") from None
    if HUB_ID.fullmatch(reference) and not known_folder and not is_data:
        return _from_hub(reference, key)
    raise kind(
        f"{key}: {shortened_path(reference) or shown('')} does not exist (looked for {_looked_for(place, reference)}); "
        f"correct the path{_near(reference, place)}"
    )


def _refuse_other_place(path: Path, folder: Path, key: str, kind: type[UserError]) -> None:
    """Raise the error of a path that is meant from the working directory: that would be a second meaning."""
    here = Path.cwd() / path
    if path.parts and not path.is_absolute() and here.exists():
        raise kind(
            f"{key}: {path} does not exist in the config's folder (looked for {_written(folder / path)}), but in the "
            f"working directory; paths of a config and of --set are relative to the config's folder: write "
            f"{os.path.relpath(here, folder.absolute())}"
        )


def _unusable(reference: str, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{shown(reference)} cannot be read ({error.strerror or error})"
    return f"{shown(reference)} names a home directory that does not exist"


def _written(place: Path) -> str:
    """A path as the user would write it here."""
    absolute = place.absolute()
    return shortened_path(absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute)


def _looked_for(place: Path, reference: str) -> str:
    """The whole path where the user's words would only be repeated."""
    written = _written(place)
    return shortened_path(place.absolute()) if written == os.path.normpath(reference) else written


def _near(reference: str, place: Path) -> str:
    """What lies there under a name much like the one that was looked for."""
    try:
        near = get_close_matches(place.name, os.listdir(place.parent), n=1)
    except OSError:
        return ""
    if not near or not reference.strip():
        return ""
    return f"; did you mean {shortened_path(os.path.join(os.path.dirname(reference.rstrip('/')), near[0]))}?"


def _folder_of_modules(reference: str, folder: Path) -> Path:
    place = find(reference, folder, "modules")
    if not place.is_dir():
        raise ConfigError(f"modules: {shown(reference)} is a file; give the folder that holds your modules")
    return place


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
    except UNAVAILABLE as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ExpertError(
            f"{key}: {reference} is not a local folder, and the hub did not provide it ({reason}); "
            "correct the path or id"
        ) from None
    except ValueError as error:
        raise ConfigError(f"{key}: {reference} is not a hub id ({error}); correct it") from None

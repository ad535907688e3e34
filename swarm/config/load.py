"""Reads a config: YAML, overrides, validation. Writes one too."""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from swarm.config.build_schema import BuildConfig, is_build
from swarm.config.messages import BUILD, explain, shown
from swarm.config.schema import DEFAULT_TYPES, Config
from swarm.config.yaml_files import MOST_LEVELS, InvalidYamlError, check_text, parse, read_text
from swarm.core.errors import ConfigError
from swarm.core.secrets import without_passwords
from swarm.core.terminal_text import shortened

SET = "--set "
INDEX = "[0-9]{1,9}"


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read, override (`a.b=v`, v is YAML) and validate. Raises ConfigError: key, value and remedy in one line."""
    return read_config(read_text(path), str(path), overrides)


def read_config(text: str, owner: str, overrides: Sequence[str] = ()) -> Config:
    """As `load_config`, from the text of a file. owner: the file, for messages."""
    raw = parse(text, f"{owner}: ")
    if not isinstance(raw, dict):
        raise ConfigError(f"{owner} must hold a mapping; start it with base:, experts: and objectives:")
    if is_build(raw):
        raise ConfigError(f"{owner}: experts are to be made from data; run swarm build {owner}, or add objectives:")
    return config_of(raw, owner, overrides)


def config_of(raw: Mapping[str, object], owner: str, overrides: Sequence[str] = ()) -> Config:
    """A raw mapping with overrides, validated; the mapping stays as it is. Raises ConfigError."""
    content = deepcopy(dict(raw))
    for each in overrides:
        override(content, each)
    return parse_config(content, owner, overrides)


def names_build(path: Path) -> bool:
    """Whether the file is a build config. Raises ConfigError where it cannot be read."""
    return is_build(parse(read_text(path), f"{path}: "))


def load_build(path: Path, overrides: Sequence[str] = ()) -> BuildConfig:
    """The build config of a file, as `load_config` reads a search's. Raises ConfigError."""
    raw = read_document(path, overrides, "base: and experts:")
    if "objectives" in raw:
        raise ConfigError(f"{path}: objectives: belong to a search; run swarm search {path}, or remove them")
    try:
        return BuildConfig.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(_blame(explain(error.errors(), BUILD), str(path), overrides)) from None


def parse_config(raw: Mapping[str, object], owner: str, overrides: Sequence[str] = ()) -> Config:
    """Validate a raw mapping. owner: the file, and overrides: what replaced its values, for messages.

    Raises ConfigError.
    """
    filled = dict(raw)
    for key, kind in DEFAULT_TYPES.items():
        section = filled.get(key)
        if isinstance(section, dict) and "type" not in section:
            filled[key] = {"type": kind, **section}
    try:
        return Config.model_validate(filled)
    except ValidationError as error:
        problem = explain(error.errors())
        raise ConfigError(_blame(problem, owner, overrides)) from None


def _blame(problem: str, owner: str, overrides: Sequence[str]) -> str:
    """The problem, which begins with its key, and who gave this key its value: an override, or else the file."""
    key = problem.partition(":")[0]
    for each in overrides:
        own = each.partition("=")[0]
        if f"{key}.".startswith(f"{own}.") or f"{own}.".startswith(f"{key}."):
            return f"--set {problem}"
    return f"{owner}: {problem}"


def dump_config(config: Config) -> str:
    """A config as YAML, with every value; passwords in addresses are hidden."""
    return yaml.safe_dump(public_content(config), sort_keys=False, allow_unicode=True)


def public_content(config: Config) -> dict[str, Any]:
    """A config as plain data, for files and trackers: passwords in addresses are hidden."""
    return {key: _hidden(value) for key, value in config.model_dump(mode="json").items()}


def _hidden(value: Any) -> Any:
    if isinstance(value, str):
        return without_passwords(value)
    if isinstance(value, list):
        return [_hidden(inner) for inner in value]
    return {key: _hidden(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def override(raw: dict[str, Any], assignment: str) -> None:
    """Set one value of a raw mapping, as `a.b=v` with v in YAML says. Raises ConfigError."""
    key, equals, text = assignment.partition("=")
    if not equals or not key:
        raise ConfigError(
            f"--set {shortened(assignment)}: not of the form key=value; write for example --set optimizer.particles=10"
        )
    keys = tuple(key.split("."))
    if len(keys) > MOST_LEVELS:
        raise ConfigError(f"--set {shortened(key)}: no key has more than {MOST_LEVELS} parts; correct it")
    check_text(key, SET, keys)
    try:
        value = parse(text, SET, keys)
    except InvalidYamlError:
        raise ConfigError(
            f"--set {shortened(key)}: {shown(text)} is not a valid YAML value; correct it, or quote it where a text is "
            "meant"
        ) from None
    *parents, last = keys
    place: Any = raw
    for parent in parents:
        place = _descend(place, parent, key)
    if isinstance(place, list):
        place[_index(place, last, key)] = value
    else:
        place[last] = value


def _descend(place: Any, step: str, key: str) -> Any:
    below = place[_index(place, step, key)] if isinstance(place, list) else place.setdefault(step, {})
    if not isinstance(below, dict | list):
        raise ConfigError(
            f"--set {shortened(key)}: {shortened(step)} is {shown(below)} and has no keys; set {shortened(step)} itself"
        )
    return below


def _index(place: list[Any], step: str, key: str) -> int:
    index = int(step) if re.fullmatch(INDEX, step) else len(place)
    if index >= len(place):
        known = f"use 0 to {len(place) - 1}" if place else "set the whole list"
        raise ConfigError(f"--set {shortened(key)}: {shown(step)} is not an index of this list; {known}")
    return index


def read_document(path: Path, overrides: Sequence[str], first: str) -> dict[str, Any]:
    """The mapping of a config of another kind, with overrides. first: the keys to start it with, for messages."""
    raw = parse(read_text(path), f"{path}: ")
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} must hold a mapping; start it with {first}")
    for each in overrides:
        override(raw, each)
    return raw

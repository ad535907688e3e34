"""Reads a config: YAML, overrides, validation. Writes one too."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from swarm.config.messages import explain
from swarm.config.schema import DEFAULT_TYPES, Config
from swarm.core.errors import ConfigError


class StrictLoader(yaml.SafeLoader):
    """YAML's safe loader, but a key that is given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read, override (`a.b=v`, v is YAML) and validate. Raises ConfigError: key, value and remedy in one line."""
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), StrictLoader)
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; give the path of a config file") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error  # an OSError's text names the path again
        raise ConfigError(f"{path} cannot be read ({reason}); give the path of a YAML file") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML ({' '.join(str(error).split())}); correct it") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} must hold a mapping; start it with base:, experts: and objectives:")
    for override in overrides:
        _override(raw, override)
    return parse_config(raw, str(path), overrides)


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
    for override in overrides:
        own = override.partition("=")[0]
        if f"{key}.".startswith(f"{own}.") or f"{own}.".startswith(f"{key}."):
            return f"--set {problem}"
    return f"{owner}: {problem}"


def dump_config(config: Config) -> str:
    """A config as YAML, with every value."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _override(raw: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(
            f"--set {override}: not of the form key=value; write for example --set optimizer.particles=10"
        )
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"--set {key}: {text!r} is not a valid YAML value; quote it") from None
    *parents, last = key.split(".")
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
        raise ConfigError(f"--set {key}: {step} is {below!r} and has no keys; set {step} itself")
    return below


def _index(place: list[Any], step: str, key: str) -> int:
    if not step.isdigit() or int(step) >= len(place):
        raise ConfigError(f"--set {key}: {step!r} is not an index of this list; use 0 to {len(place) - 1}")
    return int(step)

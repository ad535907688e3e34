"""The configuration: YAML, strict and complete. What the user says is what is here; nothing has a second flag.

The settings of each kind live in the kind's own file; this composes them, so it stands above the seams.
"""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails

from swarm.compositions import COMPOSITIONS, Composition
from swarm.compositions.weights import Weights
from swarm.core.errors import ConfigError
from swarm.core.settings import Settings
from swarm.data.splits import SplitSettings
from swarm.engines import ENGINES, EngineSettings
from swarm.engines.transformers.engine import TransformersSettings
from swarm.evaluation.racing import Racing
from swarm.experts.sparsify import Thinning
from swarm.objectives import OBJECTIVES
from swarm.objectives.base import Objective
from swarm.optimizers import OPTIMIZERS, Optimizer
from swarm.optimizers.bayesian import Bayesian
from swarm.trackers import TRACKERS, TrackerSettings
from swarm.workers.settings import ClusterSettings, LocalCluster, RayCluster

if TYPE_CHECKING:
    AnyComposition = Composition
    AnyEngine = EngineSettings
    AnyObjective = Objective
    AnyOptimizer = Optimizer[Any]
    AnyTracker = TrackerSettings
else:
    by_type = Field(discriminator="type")
    AnyComposition = Annotated[Union[tuple(COMPOSITIONS.values())], by_type]  # noqa: UP007
    AnyEngine = Annotated[Union[tuple(ENGINES.values())], by_type]  # noqa: UP007
    AnyObjective = Annotated[Union[tuple(OBJECTIVES.values())], by_type]  # noqa: UP007
    AnyOptimizer = Annotated[Union[tuple(OPTIMIZERS.values())], by_type]  # noqa: UP007
    AnyTracker = Annotated[Union[tuple(TRACKERS.values())], by_type]  # noqa: UP007

KINDS: dict[str, type[BaseModel]] = {
    **COMPOSITIONS,
    **ENGINES,
    **OBJECTIVES,
    **OPTIMIZERS,
    **TRACKERS,
    "ray": RayCluster,
    "local": LocalCluster,
}
DEFAULT_TYPES = {"composition": "weights", "engine": "transformers", "optimizer": "bayesian", "cluster": "ray"}


class StrictLoader(yaml.SafeLoader):
    """YAML's safe loader, which refuses a key that is given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


OneOrMore = BeforeValidator(lambda v: [v] if isinstance(v, str) else v, json_schema_input_type=str | list[str])


class ExpertSettings(Thinning):
    """An expert: where it is, what to call it, how to thin it, and what it has seen."""

    path: str
    name: str = Field("", description="its name in coefficients and reports; empty: the folder's or file's name")
    trained_on: Annotated[list[str], OneOrMore] = Field(
        default_factory=list, description="files of its training data (JSON lines): examples that are in them are noted"
    )


def _with_path(value: object) -> object:
    """An expert may be given as its path alone."""
    return {"path": value} if isinstance(value, str) else value


PathOrExpert = Annotated[ExpertSettings, BeforeValidator(_with_path, json_schema_input_type=str | ExpertSettings)]


class SelectionSettings(Settings):
    """How the best is chosen."""

    finalists: int = Field(8, ge=1, description="best of the search split that are scored again on the select split")


class ExportSettings(Settings):
    """What best/ holds."""

    format: Literal["hf", "adapter", "mergekit", "recipe"] = "hf"
    check_examples: int = Field(50, ge=0, description="search examples that the exported model is scored on again")


class Config(Settings):
    """One search."""

    base: str = Field(description="zoo:NAME, a local folder, or a hub id")
    experts: list[PathOrExpert] = Field(min_length=1, description="each a path, or a path with settings")
    composition: AnyComposition = Field(default_factory=Weights)
    objectives: list[AnyObjective] = Field(min_length=1)
    splits: SplitSettings = Field(default_factory=SplitSettings)
    optimizer: AnyOptimizer = Field(default_factory=Bayesian)
    racing: Racing = Field(default_factory=Racing)
    selection: SelectionSettings = Field(default_factory=SelectionSettings)
    engine: AnyEngine = Field(default_factory=TransformersSettings)
    cluster: ClusterSettings = Field(default_factory=RayCluster, discriminator="type")
    export: ExportSettings = Field(default_factory=ExportSettings)
    trackers: list[AnyTracker] = Field(default_factory=list, description="where else the run is shown as it goes on")
    modules: str = Field(".", description="folder of the user's own modules, for objectives of type function")
    seed: int = Field(0, ge=0)

    @field_validator("objectives")
    @classmethod
    def _distinct(cls, objectives: list[Objective]) -> list[Objective]:
        names = [objective.name for objective in objectives]
        if len(set(names)) < len(names):
            raise ValueError(f"the names {names} repeat; give each objective a name of its own")
        return objectives

    @field_validator("trackers")
    @classmethod
    def _once(cls, trackers: list[TrackerSettings]) -> list[TrackerSettings]:
        types = [tracker.type for tracker in trackers]
        if len(set(types)) < len(types):
            raise ValueError(f"the types {types} repeat; name each tracker once")
        return trackers


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read, override (`a.b=v`, v as YAML) and validate. Raises ConfigError: key, value, remedy in one line."""
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), StrictLoader)
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; give the path of a config file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); give the path of a YAML file") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no YAML ({' '.join(str(error).split())}); correct it") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} holds no mapping; start it with base:, experts: and objectives:")
    for override in overrides:
        _override(raw, override)
    return parse_config(raw, str(path))


def parse_config(raw: Mapping[str, object], owner: str) -> Config:
    """Validate a raw mapping. Raises ConfigError."""
    filled = dict(raw)
    for key, kind in DEFAULT_TYPES.items():
        section = filled.get(key)
        if isinstance(section, dict) and "type" not in section:
            filled[key] = {"type": kind, **section}
    try:
        return Config.model_validate(filled)
    except ValidationError as error:
        # A misspelt key is also a missing one: the first says more.
        first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        raise ConfigError(f"{owner}: {_explain(first)}") from None


def dump_config(config: Config) -> str:
    """The resolved config as YAML, every value stated."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def json_schema() -> dict[str, Any]:
    """The config's JSON schema, for editors. A section without a type is of the usual kind, and of no other."""
    schema = Config.model_json_schema()
    for section in schema["$defs"].values():
        kind = section["properties"].get("type", {}).get("const")
        if kind in KINDS and kind not in DEFAULT_TYPES.values():
            section["required"] = [*section.get("required", []), "type"]
    return schema


def _override(raw: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {override}: no key=value; write for example --set optimizer.particles=10")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"--set {key}: {text!r} is no YAML value; quote it") from None
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
        raise ConfigError(f"--set {key}: {step} is {below!r}, which holds no keys; set {step} itself")
    return below


def _index(place: list[Any], step: str, key: str) -> int:
    if not step.isdigit() or int(step) >= len(place):
        raise ConfigError(f"--set {key}: {step!r} is no index of a list of {len(place)}; use 0 to {len(place) - 1}")
    return int(step)


def _explain(error: ErrorDetails) -> str:
    location = [str(part) for part in _without_tag(error["loc"])]
    key = ".".join(location)
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key {location[-1]!r}; {_nearest(location[-1], _keys_beside(error['loc']))}"
    if error["type"] == "missing":
        return f"{key}: it is missing; add {location[-1]}: to the config"
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        kinds = [kind.strip(" '") for kind in str(error.get("ctx", {}).get("expected_tags", "")).split(",")]
        kind = str(error.get("ctx", {}).get("tag", ""))
        wanted = _nearest(kind, kinds) if any(kinds) else "name its type"
        return f"{key}.type: {kind!r} is unknown; {wanted}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{key}: {error['input']!r} does not fit: {message[0].lower() + message[1:]}"


def _without_tag(location: tuple[object, ...]) -> tuple[object, ...]:
    """Pydantic names the kind of a discriminated section in an error's location; users do not."""
    places = {"objectives": 2, "trackers": 2, **dict.fromkeys(DEFAULT_TYPES, 1)}
    at = places.get(str(location[0]), len(location))
    return location[:at] + location[at + 1 :] if set(location[at : at + 1]) <= KINDS.keys() else location


def _keys_beside(location: tuple[object, ...]) -> list[str]:
    """The keys that are known where an unknown one stands."""
    model: type[BaseModel] | None = Config
    for part in location[:-1]:
        if model is None:
            model = KINDS.get(str(part))
        elif str(part) in model.model_fields:
            model = _settings_in(model.model_fields[str(part)].annotation)
    return list(model.model_fields) if model is not None else []


def _settings_in(annotation: Any) -> type[BaseModel] | None:
    """The one settings model that an annotation holds, or None where its type decides."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = [inner for inner in (_settings_in(arg) for arg in get_args(annotation)) if inner is not None]
    return found[0] if len(found) == 1 else None


def _nearest(wrong: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(wrong, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"

"""What a user is told of a config that does not fit: the key, the value and the remedy, in one line."""

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args

from pydantic import BaseModel, Field
from pydantic_core import ErrorDetails

from swarm.compositions import COMPOSITIONS, Composition
from swarm.engines import ENGINES, EngineSettings
from swarm.objectives import OBJECTIVES
from swarm.objectives.base import Objective
from swarm.optimizers import OPTIMIZERS, Optimizer
from swarm.trackers import TRACKERS, TrackerSettings

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
from swarm.config.schema import DEFAULT_TYPES, KINDS, Config


def explain(error: ErrorDetails) -> str:
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

"""What a user reads about a config that is refused: the key, the value and the remedy, in one line."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from swarm.builders import BUILDERS
from swarm.config.build_schema import BuildConfig
from swarm.config.schema import DEFAULT_TYPES, KINDS, Config
from swarm.core.settings import SWITCH
from swarm.core.terminal_text import shortened
from swarm.experts.preparations import PREPARATIONS

# Pydantic's types of error in plain words; each follows "must be".
REQUIREMENTS = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of fewer digits",
    "int_type": "a whole number",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "list_type": "a list",
    "literal_error": "one of {expected}",
    "mapping_type": "a mapping",
    "model_attributes_type": "a mapping",
    "model_type": "a mapping",
    "string_pattern_mismatch": "of the form {pattern}",
    "string_too_short": "a text of {min_length} or more characters",
    "string_type": "a text",
    "too_short": "a list of {min_length} or more",
    "tuple_type": "a list",
}
MEMBER = re.compile(r"str|int|float|bool|[A-Z]\w*|.*\[.*")  # how pydantic names a member of a union in a location
MOST_CHARACTERS = 80  # of a value
SCALARS = (bool, int, float, date)  # that YAML makes of a text without quotes


@dataclass(frozen=True)
class Document:
    """A kind of config.

    model: its keys.
    kinds: the sections that are chosen by their type.
    places: key -> where pydantic puts the type of its section into the path of a key.
    """

    model: type[BaseModel]
    kinds: Mapping[str, type[BaseModel]]
    places: Mapping[str, int]


SEARCH = Document(Config, KINDS, {"objectives": 2, "trackers": 2, **dict.fromkeys(DEFAULT_TYPES, 1)})
BUILD = Document(BuildConfig, BUILDERS, {"experts": 2})


def explain(errors: Sequence[ErrorDetails], document: Document = SEARCH) -> str:
    """The first mistake in one line. errors: all that pydantic found; of a union, an error for each member."""
    # A misspelt key is also a missing one: the misspelling says more.
    first = min(errors, key=lambda each: each["type"] != "extra_forbidden")
    key = _key(first, document)
    if first["type"] == "extra_forbidden":
        nearest = _nearest(str(first["loc"][-1]), _keys_beside(first["loc"], document))
        return f"{'.'.join(key)}: unknown key {key[-1]!r}; {nearest}"
    within = [each for each in errors if _key(each, document)[: len(key)] == key]
    # An error inside a member of a union: the value was meant as this member.
    first = max(within, key=lambda each: len(_key(each, document)))
    key = _key(first, document)
    if first["type"] == SWITCH:
        return f"{'.'.join([*key, first['ctx']['name']])}: {first['msg']}"
    if first["type"] == "missing":
        return f"{'.'.join(key)}: missing; add {key[-1]}: to the config"
    if first["type"] == "invalid_key":
        return f"{'.'.join(key)}: a key must be a text; known are {', '.join(_keys_beside(first['loc'], document))}"
    if first["loc"][-1] == "[key]":
        return f"{'.'.join(key)}: a key must be a text; put it in quotes"
    if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return f"{'.'.join(key)}.type: {_type_problem(first.get('ctx', {}))}"
    same = [each for each in within if _key(each, document) == key]
    return f"{'.'.join(key)}: {_problem(same)}"


def _problem(errors: Sequence[ErrorDetails]) -> str:
    """What is wrong with a value. errors: one, or one for each member of a union."""
    given, message = errors[0]["input"], errors[0]["msg"].removeprefix("Value error, ")
    value = shown(given)
    wanted = [REQUIREMENTS[each["type"]].format(**_limits(each)) for each in errors if each["type"] in REQUIREMENTS]
    if wanted:
        quotes = "; put it in quotes" if errors[0]["type"] == "string_type" and isinstance(given, SCALARS) else ""
        return f"must be {' or '.join(dict.fromkeys(wanted))}, not {value}{quotes}"
    if message.startswith("must "):
        return f"{message}, not {value}"
    sections = any(isinstance(each, dict) for each in (given if isinstance(given, list) else [given]))
    # A message about a whole section, or one that holds the value, is complete.
    message = shortened(message, 3 * MOST_CHARACTERS)
    return message if sections or value in message else f"{value}: {message[0].lower() + message[1:]}"


def shown(value: object) -> str:
    """A value as a message shows it: on one line, shortened where it is long."""
    if isinstance(value, date):
        return str(value)
    if isinstance(value, str):
        return repr(shortened(value))
    try:
        return shortened(repr(value))
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "a number of thousands of digits"


def _limits(error: ErrorDetails) -> dict[str, object]:
    """What a requirement names; numbers are written out: 4,294,967,295 and not 4.29497e+09."""
    named = error.get("ctx", {}).items()
    return {key: f"{value:,}" if isinstance(value, int) else _plain(value) for key, value in named}


def _plain(value: object) -> object:
    return f"{value:g}" if isinstance(value, float) else value


def _type_problem(context: dict[str, Any]) -> str:
    """What is wrong with the type of a section that is chosen by its type."""
    kinds = [kind.strip(" '") for kind in str(context.get("expected_tags", "")).split(",")]
    kind = shortened(str(context.get("tag", "")))
    return f"{kind!r} is unknown; {_nearest(kind, kinds)}" if any(kinds) else "missing; add type: to the section"


def _key(error: ErrorDetails, document: Document) -> list[str]:
    """The path of a key as users write it. Pydantic adds the type of a section and the member of a union."""
    location = _without_preparation(error["loc"])
    if not location:
        return []
    at = document.places.get(str(location[0]), len(location))
    if set(location[at : at + 1]) <= document.kinds.keys():
        location = location[:at] + location[at + 1 :]
    *parents, last = (shortened(str(part)) for part in location)
    if error["type"] == "extra_forbidden" or not MEMBER.fullmatch(last):
        parents = [*parents, last]
        return [part for part in parents[:-1] if not MEMBER.fullmatch(part)] + parents[-1:]
    return [part for part in parents if not MEMBER.fullmatch(part)]


def _without_preparation(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The location without the type of a preparation, wherever its section stands."""
    at = location.index("prepare") + 1 if "prepare" in location else len(location)
    return location[:at] + location[at + 1 :] if set(location[at : at + 1]) <= PREPARATIONS.keys() else location


def _keys_beside(location: tuple[object, ...], document: Document) -> list[str]:
    """The known keys of the section that an unknown key was found in."""
    model: type[BaseModel] | None = document.model
    for part in location[:-1]:
        if model is None:
            model = document.kinds.get(str(part))
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
    close = difflib.get_close_matches(wrong[:MOST_CHARACTERS], known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"

"""Writes docs/configuration.md and docs/commands.md, from the schema and the commands themselves."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
if __name__ == "__main__":
    sys.path[:1] = [str(ROOT)]  # tests/support has a tokenizers.py

import typer.main  # noqa: E402
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption  # noqa: E402

from swarm.cli.main import app  # noqa: E402
from swarm.config.schema import DEFAULT_TYPES, json_schema  # noqa: E402

Schema = Mapping[str, Any]
AGAIN = "python tests/support/reference_pages.py"
CONFIG_HEAD = f"""# The config, key by key

Every key of a config with its default. A key that is not here is refused. `swarm schema` prints the same for editors.
Where a section has several kinds, `type` chooses one. Written by `{AGAIN}`.
"""
COMMANDS_HEAD = f"""# The commands

`swarm COMMAND --help` says the same. A mistake is one line on stderr and exit code 2; with `--json` it is an object on
stdout. Written by `{AGAIN}`.

`swarm --install-completion` teaches your shell (bash, zsh, fish, PowerShell) to complete commands and options;
`swarm --show-completion` prints the script instead. Both ask which shell runs them.
"""


def configuration() -> str:
    """docs/configuration.md."""
    schema = json_schema()
    return "\n".join([CONFIG_HEAD, *_sections(schema), ""])


def _sections(schema: Schema) -> Iterator[str]:
    known = schema["$defs"]
    yield from _table(schema["properties"], set(schema["required"]), known)
    for key, field in schema["properties"].items():
        kinds = list(_kinds(field, known))
        if not kinds:
            continue
        yield f"## `{key}`\n"
        if len(kinds) > 1:
            default = DEFAULT_TYPES.get(key)
            names = ", ".join(f"`{_type(kind)}`{' (default)' * (_type(kind) == default)}" for kind in kinds)
            yield f"`type` is one of {names}.\n"
        shared = _shared(kinds)
        if shared:
            yield "Keys of all of them:\n"
            yield from _table({name: kinds[0]["properties"][name] for name in shared}, _required(kinds), known)
        for kind in kinds:
            if len(kinds) > 1:
                yield f"### `type: {_type(kind)}`\n"
            if kind.get("description"):
                yield f"{kind['description'].strip()}\n"
            own = {name: field for name, field in kind["properties"].items() if name not in shared and name != "type"}
            if own:
                yield from _table(own, set(kind.get("required", [])), known)


def _kinds(field: Schema, known: Schema) -> Iterator[Schema]:
    """The settings that a section may have."""
    for part in (field, field.get("items", {}), *field.get("anyOf", [])):
        for each in (part, part.get("items", {}), *part.get("oneOf", []), *part.get("items", {}).get("anyOf", [])):
            if "$ref" in each:
                found = known[each["$ref"].rpartition("/")[2]]
                if "properties" in found:
                    yield found


def _shared(kinds: list[Schema]) -> list[str]:
    """The keys that every kind of a section has alike, where there are several kinds."""
    if len(kinds) < 2:
        return []
    first, *others = (kind["properties"] for kind in kinds)
    return [name for name, field in first.items() if name != "type" and all(o.get(name) == field for o in others)]


def _required(kinds: list[Schema]) -> set[str]:
    return set(kinds[0].get("required", []))


def _type(kind: Schema) -> str:
    return str(kind["properties"].get("type", {}).get("const", ""))


def _table(fields: Schema, required: set[str], known: Schema) -> Iterator[str]:
    yield "| key | value | default | what it is |\n|---|---|---|---|"
    for name, field in fields.items():
        default = "**needed**" if name in required else _default(field)
        yield f"| `{name}` | {_value(field, known)} | {default} | {_cell(field.get('description', ''))} |"
    yield ""


def _default(field: Schema) -> str:
    return f"`{json.dumps(field['default'], ensure_ascii=False)}`".replace("|", "\\|") if "default" in field else ""


def _value(field: Schema, known: Schema) -> str:
    """The values that a field takes, in words."""
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if "oneOf" in field or "$ref" in field:
        of = known.get(field.get("$ref", "").rpartition("/")[2], {})
        return "see below" if "properties" in of or "oneOf" in field else "any"
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_value(each, known) for each in field["anyOf"]))
    if field.get("type") == "array":
        return f"list of {_value(field.get('items', {}), known)}"
    plain = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false",
             "null": "null", "object": "mapping"}  # fmt: skip
    return plain.get(field.get("type", ""), "any") + _limits(field)


def _limits(field: Schema) -> str:
    low, above = field.get("minimum"), field.get("exclusiveMinimum")
    high, below = field.get("maximum"), field.get("exclusiveMaximum")
    found = [f"at least {low:,}" if low is not None else "", f"above {above:,}" if above is not None else ""]
    found += [f"at most {high:,}" if high is not None else "", f"below {below:,}" if below is not None else ""]
    said = [each for each in found if each]
    return f" ({', '.join(said)})" if said else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def commands() -> str:
    """docs/commands.md."""
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    return "\n".join([COMMANDS_HEAD, *_commands(root, "swarm"), ""])


def _commands(group: TyperGroup, name: str) -> Iterator[str]:
    for word, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _commands(command, f"{name} {word}")
        else:
            assert isinstance(command, TyperCommand)
            yield from _command(command, f"{name} {word}")


def _command(command: TyperCommand, name: str) -> Iterator[str]:
    context = typer.Context(command, info_name=name)
    arguments = [each for each in command.params if isinstance(each, TyperArgument)]
    options = [each for each in command.params if isinstance(each, TyperOption) and "--help" not in each.opts]
    words = " ".join(str(each.metavar) for each in arguments)
    yield f"## `{f'{name} {words}'.strip()}`\n"
    yield f"{(command.help or '').strip()}\n"
    rows = [each.get_help_record(context) for each in (*arguments, *options)]
    if rows:
        yield "| | |\n|---|---|"
        yield from (f"| `{_cell(row[0])}` | {_cell(row[1])} |" for row in rows if row)
        yield ""


PAGES = {"configuration.md": configuration, "commands.md": commands}

if __name__ == "__main__":
    for page, write in PAGES.items():
        (ROOT / "docs" / page).write_text(write())

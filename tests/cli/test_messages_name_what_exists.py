"""What a message tells the user to type exists: commands, options, extras, keys of the config, their values, pages."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import ray
import typer
import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from swarm.builders import BUILDERS
from swarm.cli.main import app
from swarm.config.build_schema import BuildConfig
from swarm.config.schema import DEFAULT_TYPES, KINDS, Config
from swarm.trackers import TRACKERS

ROOT = Path(__file__).parents[2]
GAP = "\0"  # where a message is filled in
EXTRAS = re.findall(r"^([\w-]+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
PAGES = "".join(path.read_text() for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")))

# Words behind "swarm" where the word means particles or the program itself.
PROSE = {"starts", "process"}
# Options of other programs, and the program.
FOREIGN = {
    "--lora-merge-cache": "mergekit-yaml",
    "--lora-merge-dtype": "mergekit-yaml",
    "--query-gpu": "nvidia-smi",
    "--quiet": "pip",
    "--no-deps": "pip",
    "--dest": "pip",
}
# Keys of files that are not ours.
FOREIGN_KEYS = {"is_decoder": "config.json of a model"}
SECTIONS = "|".join(Config.model_fields)


@cache
def literals() -> list[tuple[str, str]]:
    """The texts of swarm/ that are no docstrings, each with its place."""
    return [found for path in sorted((ROOT / "swarm").rglob("*.py")) for found in _texts(path)]


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    tree = ast.parse(path.read_text())
    left_out = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    filled = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    left_out |= {id(part) for node in filled for part in node.values}
    for node in ast.walk(tree):
        place = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.JoinedStr):
            yield place, "".join(str(each.value) if isinstance(each, ast.Constant) else GAP for each in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in left_out:
            yield place, node.value


def found(pattern: str) -> dict[str, list[re.Match[str]]]:
    """Where a pattern occurs in the texts: place -> matches."""
    matches = {place: list(re.finditer(pattern, text)) for place, text in literals()}
    return {place: each for place, each in matches.items() if each}


def options() -> dict[str, set[str]]:
    """The options of each command; of zoo build under this name."""
    group = typer.main.get_command(app)
    commands: dict[str, Any] = {"": group, **group.commands}  # type: ignore[attr-defined]
    commands |= {f"zoo {name}": each for name, each in commands["zoo"].commands.items()}
    return {
        name: {text for param in each.params for text in param.opts} | {"--help"} for name, each in commands.items()
    }


def fields() -> dict[str, list[FieldInfo]]:
    """The keys that a config, of a search or a build, may hold in any of its sections."""
    known: dict[str, list[FieldInfo]] = {}
    models = [Config, BuildConfig, *KINDS.values(), *BUILDERS.values()]
    for model in models:  # grows while it is read
        for name, field in model.model_fields.items():
            known.setdefault(field.alias or name, []).append(field)
            models += [each for each in _models_in(field.annotation) if each not in models]
    return known


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]


def takes(field: FieldInfo, value: object) -> bool:
    try:
        TypeAdapter(field.annotation).validate_python(value)
    except ValidationError:
        return False
    return True


def section_has(section: str, key: str) -> bool:
    """Whether a section of the config may hold the key, in one of its kinds."""
    if section in ("objectives", "trackers", *DEFAULT_TYPES):
        models = [model for model in KINDS.values() if issubclass(model, BaseModel)]
    else:
        models = _models_in(Config.model_fields[section].annotation)
    models += BUILDERS.values() if section == "experts" else []
    return key == "type" or any(key in model.model_fields for model in models)


def test_there_are_messages() -> None:
    assert len(literals()) > 3000


def test_commands() -> None:
    known = options().keys() | PROSE
    named = found(r"\bswarm (zoo )?([a-z]+(?:-[a-z]+)*)\b")
    wrong = {place: [match[0] for match in each if match[0][6:] not in known] for place, each in named.items()}
    assert {place: each for place, each in wrong.items() if each} == {}
    assert len(named) > 15


def test_options() -> None:
    of_command = options()
    of_ray = set(
        re.findall(r'"(--[a-z-]+)"', Path(ray.__file__).with_name("scripts").joinpath("scripts.py").read_text())
    )
    known = set().union(*of_command.values()) | of_ray | FOREIGN.keys()
    named = found(r"(?<![\w-])--[a-z][a-z-]+")
    wrong = {place: [match[0] for match in each if match[0] not in known] for place, each in named.items()}
    assert {place: each for place, each in wrong.items() if each} == {}
    of_one = found(r"\bswarm ([a-z]+)[^;,.]* (--[a-z-]+)")
    assert [each for matches in of_one.values() for each in matches if each[2] not in of_command[each[1]]] == []


def test_extras() -> None:
    named = [match[1] for each in found(r"swarm-experts\[([^\]]*)\]").values() for match in each]
    assert set(named) - {GAP} <= set(EXTRAS)
    assert {"vllm", "optuna", "zoo"} <= set(named)


@pytest.mark.parametrize("kind", sorted(TRACKERS))
def test_the_extra_of_a_tracker(kind: str) -> None:
    """Its message is filled in with the tracker's type; Ray, which one of them needs, comes with the program."""
    assert kind in EXTRAS or kind == "ray"


def test_packages() -> None:
    required = (ROOT / "pyproject.toml").read_text()
    for place, each in found(r"pip install ([a-z][\w-]+)").items():
        assert all(f'"{match[1]}>=' in required for match in each), place


def test_dotted_keys() -> None:
    """`optimizer.points`, `objectives.0.data`: the section has the key."""
    wrong = []
    for place, each in found(rf"(?<![\w./])({SECTIONS})\.(?:\0\.)?([a-z_]+)").items():
        wrong += [f"{place}: {match[0]}" for match in each if not section_has(match[1], match[2])]
    assert wrong == []


def test_keys_with_their_values() -> None:
    """`use algebra: delta`, `set stop: []`: some section has the key and takes the value."""
    known, wrong, seen = fields(), [], 0
    lead = r"(?:set|use|take|add|remove|with|without|needs|or|and) (?:[a-z]+\.)?"
    for place, each in found(rf"\b{lead}([a-z_]+): (?!on |to |the )(\[\]|\[\d[\d, ]*\]|[a-z_]\w*|\d+)").items():
        for match in each:
            seen += 1
            value = yaml.safe_load(match[2])
            if match[1] not in FOREIGN_KEYS and not any(takes(field, value) for field in known.get(match[1], [])):
                wrong.append(f"{place}: {match[0]}")
    assert wrong == []
    assert seen > 10


def test_names_in_backticks() -> None:
    """A key of the config, or a name that the pages explain in backticks too."""
    known = fields().keys() | {"right"}  # how a zoo's expert is taught
    for place, each in found(r"`([a-z_]+)`").items():
        assert all(match[1] in known or f"`{match[1]}`" in PAGES for match in each), place


def test_pages_and_make_targets() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for name, value in re.findall(r"^(\w+) := (.+)$", makefile, re.MULTILINE):
        makefile = makefile.replace(f"$({name})", value)
    for place, each in found(r"docs/[\w/]+\.md").items():
        assert all((ROOT / match[0]).is_file() for match in each), place
    for place, each in found(r"`make ([\w./-]+)`").items():
        assert all(re.search(rf"^{re.escape(match[1])}:", makefile, re.MULTILINE) for match in each), place

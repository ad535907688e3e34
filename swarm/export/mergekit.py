"""A mergekit configuration that makes the same checkpoint: task_arithmetic, not normalised, in float32.

A group becomes filters on `weight`. A filter of mergekit is a substring, and the first that matches decides: the same
as the pattern "*substring*" and the first matching group here.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from swarm.core.errors import UserError
from swarm.core.files import write_text
from swarm.core.recipes import Group
from swarm.experts.expert import Expert
from swarm.export.base import Exported, kind_of, local_path

REMEDY = "use --format hf or recipe, or in a config export.format: hf or recipe"
FILE = "mergekit.yaml"
COMMAND = f"mergekit-yaml {FILE} OUT --lora-merge-cache CACHE --lora-merge-dtype float32"
HEADER = f"""\
# {COMMAND}
# CACHE is a new empty folder, where mergekit keeps each adapter merged; float32, because a bfloat16 merge
# loses small updates.
"""


def write_mergekit(what: Exported, folder: Path) -> None:
    """Fill `folder`. Raises UserError where mergekit cannot express the recipe."""
    write_text(folder / FILE, HEADER + yaml.safe_dump(mergekit_config(what), sort_keys=False, allow_unicode=True))


def mergekit_config(what: Exported) -> dict[str, object]:
    """The recipe as a mergekit configuration. Raises UserError where mergekit cannot express it."""
    if what.recipe.weights.algebra != "delta":
        raise UserError(f"algebra: factors has cross terms, which mergekit cannot express; {REMEDY}")
    groups = what.recipe.weights.groups
    names = tuple(what.catalog.base.tensors.info)
    filters = [filters_of(group, names) for group in groups]
    return {
        "merge_method": "task_arithmetic",
        "base_model": _reference(what.catalog.base.path),
        "models": [_model(what, expert, filters) for expert in what.merged]
        or [{"model": _reference(what.catalog.base.path)}],
        "parameters": {"normalize": False, "lambda": 1.0},
        "dtype": "float32",
        "out_dtype": what.dtype,
    }


def filters_of(group: Group, names: Sequence[str]) -> tuple[str, ...]:
    """The group's patterns as mergekit filters, without those that match no tensor; "*" matches every other.

    Raises UserError where a pattern is not a plain substring.
    """
    found = []
    for pattern in group.patterns:
        literal = re.fullmatch(r"\*([^*?\[\]]+)\*", pattern)
        if pattern != "*" and not literal:
            raise UserError(
                f"group {group.name}: mergekit's filters are substrings, which {pattern!r} is not; {REMEDY}"
            )
        if literal is None:
            found.append("*")
        elif any(literal[1] in name for name in names):
            found.append(literal[1])
    return tuple(found)


def _model(what: Exported, expert: Expert, filters: Sequence[tuple[str, ...]]) -> dict[str, object]:
    if kind_of(expert) in ("sparsified expert", "alignment vector"):
        raise UserError(f"expert {expert.name} is a {kind_of(expert)}, which mergekit does not read; {REMEDY}")
    if expert.sparsification.active:
        raise UserError(f"expert {expert.name} is truncated to a rank (svd), which mergekit does not do; {REMEDY}")
    model = _reference(expert.path)
    if expert.kind == "adapter":
        model = f"{_reference(what.catalog.base.path)}+{model}"
    values = what.recipe.weights.coefficients[expert.name]
    return {"model": model, "parameters": {"weight": _weight(values, filters)}}


def _weight(values: Sequence[float], filters: Sequence[tuple[str, ...]]) -> object:
    if len(set(values)) == 1:
        return float(values[0])
    pairs = [(word, float(value)) for words, value in zip(filters, values, strict=True) for word in words]
    return [{"value": value} if word == "*" else {"filter": word, "value": value} for word, value in pairs]


def _reference(path: Path) -> str:
    """A path for mergekit, which reads "+" as the start of an adapter and "@" as that of a revision."""
    text = local_path(path)
    if "+" in text or "@" in text:
        raise UserError(f'{text}: mergekit reads "+" and "@" in a path as its own syntax; rename the folder')
    return text

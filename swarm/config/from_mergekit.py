"""A configuration of mergekit-evolve as one of ours: its genome becomes experts and groups, its tasks objectives.

Methods, tokenizers and keys without a counterpart are refused; what is done otherwise here is said in a comment.
"""

import math
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from swarm.config.references import find
from swarm.config.yaml_files import parse, read_text
from swarm.core.errors import ConfigError
from swarm.core.terminal_text import shortened
from swarm.experts.safetensors_files import read_json

EVALUATIONS = 100  # mergekit-evolve's own --max-fevals
DENSITY = 0.5
LAYERS = ("num_hidden_layers", "n_layer")  # keys of a base's config
SIGNED = {"ties": "ties", "dare_ties": "dare_ties"}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Genome(_Part):
    """What is searched."""

    models: list[str] = Field(min_length=1)
    merge_method: Literal["linear", "task_arithmetic", "ties", "dare_ties", "slerp"]
    base_model: str | None = None
    tokenizer_source: str | None = None
    layer_granularity: int = 0
    normalize: bool | None = None
    allow_negative_weights: bool = False
    filters: list[str] | None = None
    smooth: bool = False


class Task(_Part):
    """A task of lm-eval. metric: with the filter behind a comma."""

    name: str
    weight: float = Field(1.0, gt=0)
    metric: str = "acc,none"

    @model_validator(mode="before")
    @classmethod
    def _from_its_name(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value


class Evolve(_Part):
    """A configuration of mergekit-evolve."""

    genome: Genome
    tasks: list[Task] = Field(min_length=1)
    limit: int | None = Field(None, ge=1)
    num_fewshot: int | None = Field(None, ge=0)
    shuffle: bool = False
    random_init: bool = False
    apply_chat_template: bool = True
    fewshot_as_multiturn: bool = True

    @field_validator("genome")
    @classmethod
    def _has_a_counterpart(cls, genome: Genome) -> Genome:
        if genome.merge_method == "slerp":
            raise ValueError("merge_method slerp has no counterpart; take task_arithmetic")
        if genome.base_model is None:
            raise ValueError("base_model is missing, and every expert is its base plus an update; add base_model")
        if genome.tokenizer_source not in (None, "base", genome.base_model):
            raise ValueError("tokenizer_source has no counterpart: the base's tokenizer is used; remove it")
        if genome.smooth:
            raise ValueError("smooth has no counterpart; set smooth to false")
        return genome


def translated(path: Path, tasks: str, folder: Path) -> str:
    """The config, with comments. tasks: the folder of task files, or "". References count from `folder`.

    Raises ConfigError where the file is none of mergekit-evolve's, or asks what has no counterpart.
    """
    found = _read(path)
    assert found.genome.base_model is not None, "checked"
    experts = [_expert(model, found.genome.base_model, path) for model in found.genome.models]
    lines = [
        f"# From {path.name} of mergekit-evolve.",
        _line("base", _reference(found.genome.base_model, path, folder)),
        _line("experts", [_reference(each, path, folder) for each in experts if each != found.genome.base_model]),
        *_composition(found.genome, path, folder),
        "objectives:",
        *(f"  - {line}" for line in _objectives(found, tasks)),
        *_splits(found),
        _line("optimizer", {"evaluations": EVALUATIONS}, "--max-fevals; the default optimizer, in place of CMA-ES"),
    ]
    return "\n".join([*lines, ""])


def references(path: Path) -> Sequence[str]:
    """Base and models that the configuration names, for what has to be built first. Raises ConfigError."""
    genome = _read(path).genome
    return [name for name in (genome.base_model, *genome.models) if name is not None]


def _read(path: Path) -> Evolve:
    raw = parse(read_text(path), f"{path}: ")
    try:
        return Evolve.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "genome"
        said = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            said = "mergekit-evolve has no such key; correct or remove it"
        raise ConfigError(f"{path}: {place}: {shortened(said[0].lower() + said[1:])}") from None


def _expert(model: str, base: str, path: Path) -> str:
    """A model, or of "model+adapter" the adapter. Raises ConfigError for an adapter of another model."""
    below, plus, adapter = model.partition("+")
    if plus and below != base:
        raise ConfigError(
            f"{path}: genome.models: {shortened(model)} is an adapter of another model than base_model {base}; merge "
            "it into its model first"
        )
    return adapter if plus else model


def _reference(name: str, path: Path, folder: Path) -> str:
    """A local path of the configuration as it counts from `folder`; hub ids as they are."""
    try:
        place = Path(name).expanduser()
    except RuntimeError:  # a user that this machine does not have
        return name
    local = place if place.is_absolute() else Path.cwd() / place  # mergekit's count from the working directory
    return name if place.is_absolute() or not local.exists() else os.path.relpath(local, folder)


def _composition(genome: Genome, path: Path, folder: Path) -> Iterator[str]:
    content: dict[str, object] = {} if genome.allow_negative_weights else {"low": 0.0}
    if genome.filters or genome.layer_granularity > 0:
        content["groups"] = _groups(genome, path, folder)
    if content:
        yield _line("composition", content)
    if genome.merge_method in SIGNED:
        settings: dict[str, object] = {"type": SIGNED[genome.merge_method], "density": DENSITY}
        settings |= {} if genome.normalize is False else {"normalize": True}
        yield _line("prepare", settings, "mergekit-evolve searches densities; here one is chosen")
    elif genome.normalize or (genome.normalize is None and genome.merge_method == "linear"):
        yield "# normalize, which is linear's default, has no counterpart: the base's weight is 1 minus the others'."


def _groups(genome: Genome, path: Path, folder: Path) -> object:
    """Groups of layers, of names, or of both: within layers, each filter, then the rest of them."""
    filters = genome.filters or []
    if genome.layer_granularity < 1:
        return {name: [f"*{name}*"] for name in filters}
    layers = _layers(genome, path, folder)
    if not filters:
        return f"layers:{layers // genome.layer_granularity}"
    groups: dict[str, list[str]] = {}
    for low in range(0, layers, genome.layer_granularity):
        numbers = range(low, low + genome.layer_granularity)
        block = f"layers{low}-{numbers[-1]}"
        groups |= {f"{block}_{name}": [f"*.layers.{i}.*{name}*" for i in numbers] for name in filters}
        groups[block] = [f"*.layers.{i}.*" for i in numbers]
    return groups


def _layers(genome: Genome, path: Path, folder: Path) -> int:
    """How many layers the base has. Raises UserError."""
    assert genome.base_model is not None, "checked"
    base = find(_reference(genome.base_model, path, folder), folder, "base")
    config = read_json(base / "config.json", f"base {base}")
    nested = config.get("text_config")
    parts = [config, *([nested] if isinstance(nested, dict) else [])]
    layers = next((part[key] for part in parts for key in LAYERS if isinstance(part.get(key), int)), None)
    if layers is None or layers % genome.layer_granularity:
        raise ConfigError(
            f"{path}: genome.layer_granularity: {genome.layer_granularity} does not divide the layers of "
            f"{genome.base_model} ({'unknown' if layers is None else layers}); give a divisor, or 0"
        )
    return int(layers)


def _objectives(found: Evolve, tasks: str) -> Iterator[str]:
    several = Counter(task.name for task in found.tasks)
    for task in found.tasks:
        metric, _, chosen = task.metric.partition(",")
        named = f"{task.name}_{task.metric}" if several[task.name] > 1 else task.name
        content: dict[str, object] = {"name": re.sub(r"\W+", "_", named), "type": "lm_eval", "tasks": [task.name]}
        content |= {"include": tasks} if tasks else {}
        content |= {"metric": metric} | ({"filter": chosen} if chosen else {})
        content |= {} if found.num_fewshot is None else {"num_fewshot": found.num_fewshot}
        content |= {} if task.weight == 1 else {"weight": task.weight}
        yield _flow(content)


def _splits(found: Evolve) -> Iterator[str]:
    if found.apply_chat_template:
        yield "# apply_chat_template, which mergekit-evolve sets, has no counterpart: tasks are asked as texts."
    if found.shuffle or found.random_init:
        yield "# shuffle and random_init have no counterpart: examples are dealt, and particles start, by seed."
    if found.limit is not None:
        content = {"search": found.limit, "select": found.limit, "test": "rest"}
        yield _line("splits", content, "limit; the winner is chosen and measured on other items")


def _line(key: str, value: object, comment: str = "") -> str:
    return f"{key}: {_flow(value)}{f'  # {comment}' if comment else ''}"


def _flow(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=math.inf, sort_keys=False)
    return text.removesuffix("...\n").rstrip()
